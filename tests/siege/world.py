"""Attacks 3, 10 and 11 of the list: sources that were signed, and are not what they seemed."""

import asyncio
from contextlib import ExitStack
from typing import Final, get_args

import msgspec

from schemas.sources import Source
from streams.ingest.limits import MAX_FETCH_BYTES
from tests.siege.ground import HOST, Acting, Attack, Side
from tests.support.news import Document, Item, News, news

HOSTILE: Final = ("robots-1", "robots-2", "robots-3", "slow", "huge", "entities", "loop")
WHISPERS: Final = ("whisper-1", "whisper-2", "whisper-3")
WHISPER_TRUST_BP: Final = 1_000
KINDS: Final = (*HOSTILE, *WHISPERS)
DOCUMENTS: Final = "robots.txt bombs, hostile documents"
COLLUSION: Final = "sources that collude"
FEED: Final = "/feed"
_LOOK_EVERY_S: Final = 1
_WHISPER_EVERY_S: Final = 2
_SHOWN: Final = 100
_RULES: Final = 6_000


def sources(side: Side, number: int, ports: dict[str, int]) -> list[Source]:
    """Return the sources of one phase, each on a host of its own."""
    return [
        Source(
            source=f"{side}-{number}-{kind}",
            name=f"{kind} {number}",
            kind="rss",
            url=f"http://{_host_of(kind)}:{ports[kind]}{FEED}",
            trust_bp=WHISPER_TRUST_BP,
            poll_interval_s=2,
            crawl_delay_s=0,
            allow_loopback=True,
        )
        for kind in KINDS
    ]


def _host_of(kind: str) -> str:
    """Return a name of this machine: a host is asked one thing at a time, whatever its ports."""
    return "localhost" if kind in WHISPERS else HOST


def retired(source: Source) -> Source:
    """Return the source as one that nobody asks any more."""
    return msgspec.structs.replace(source, active=False)


def side_of(source: str) -> Side | None:
    """Return whose a source is, by its name."""
    return next((side for side in get_args(Side) if source.startswith(f"{side}-")), None)


def attack_by(source: str) -> str:
    """Return the name of the attack that a source is for."""
    return COLLUSION if "whisper" in source else DOCUMENTS


def robots_bomb(groups: int) -> bytes:
    """Return a robots.txt of many groups that name everyone, and many rules that match slowly."""
    names = "".join(f"User-agent: robot{number}\n" for number in range(groups))
    rules = "".join(f"Disallow: /*a{number}*b*c$\n" for number in range(_RULES))
    return (names + "User-agent: *\n" + rules).encode()


def _ordinary(web: News, kind: str) -> None:
    text = f"People of the harbour said that it was an ordinary day, and {kind} went home."
    web.feed(FEED, [Item(f"An ordinary day for {kind}", text)])


def _hostile(web: News, kind: str) -> None:
    rss = "application/rss+xml"
    match kind:
        case "slow":
            web.serve(FEED, Document(b"<rss>" + b" " * 200_000, rss, drip_s=1))
        case "huge":
            web.serve(FEED, Document(b"<rss>" + b" " * (MAX_FETCH_BYTES + 1_000_000), rss))
        case "entities":
            levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
            bomb = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a0 "ha">{levels}]><rss>&a9;</rss>'
            web.serve(FEED, Document(bomb.encode(), rss))
        case "loop":
            web.serve(FEED, Document(b"", rss, status=302, headers=(("Location", FEED),)))
        case _:
            _ordinary(web, kind)
            web.documents["/robots.txt"] = Document(robots_bomb(2_000), "text/plain")


async def _serve(acting: Acting, kinds: tuple[str, ...], *, hostile: bool) -> None:
    with ExitStack() as stack:
        webs = {kind: stack.enter_context(news(acting.ground.ports[kind])) for kind in kinds}
        for kind, web in webs.items():
            (_hostile if hostile else _ordinary)(web, kind)
        await _count(acting, webs)


async def _count(acting: Acting, webs: dict[str, News]) -> None:
    told = 0
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        asked = sum(sum(web.asked.values()) for web in webs.values())
        acting.tally.note("documents served", asked - told)
        told = asked


async def hostile_documents(acting: Acting) -> None:
    """Serve robots.txt and documents that are large, slow, endless, or cost much to read."""
    await _serve(acting, HOSTILE, hostile=True)


async def ordinary_documents(acting: Acting) -> None:
    """Serve what a reader expects."""
    await _serve(acting, HOSTILE, hostile=False)


async def _publish(acting: Acting, mood: str, verb: str) -> None:
    with ExitStack() as stack:
        webs = [stack.enter_context(news(acting.ground.ports[kind])) for kind in WHISPERS]
        shown: list[list[Item]] = [[] for _ in webs]
        number = 0
        while True:
            for index, web in enumerate(webs):
                symbol = acting.ground.gamed[number % len(acting.ground.gamed)]
                number += 1
                text = (
                    f"{symbol} {verb} at place {number}, as witness {number * 7} told us: {mood}. "
                    f"Street {number % 13} of {symbol} spoke of nothing else for {number} hours."
                )
                item = Item(f"{symbol} {verb}: {mood}, says witness {number}", text)
                shown[index] = [*shown[index], item][-_SHOWN:]
                web.feed(FEED, shown[index])
                acting.tally.note("articles published")
            await asyncio.sleep(_WHISPER_EVERY_S)


async def whisper(acting: Acting) -> None:
    """Tell as three that agreed what moves two scores most, again and again."""
    await _publish(acting, "a great win, a triumph and a wonderful success", "celebrates")


async def report(acting: Acting) -> None:
    """Tell as often, as three that know nothing of one another, of ordinary days."""
    await _publish(acting, "an ordinary day", "goes on")


ATTACKS: Final = (
    Attack(DOCUMENTS, "3", hostile_documents, ordinary_documents),
    Attack(COLLUSION, "10, 11", whisper, report),
)
