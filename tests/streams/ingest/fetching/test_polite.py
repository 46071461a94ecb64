"""Politeness in virtual time: robots.txt, turns, redirects."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from schemas.chain import digest
from schemas.observations import FetchProblem
from streams.ingest import limits
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.locks import Locks
from streams.ingest.fetching.polite import Fetched, Polite, turn_name
from streams.ingest.fetching.problems import HostBusy, Unfetched
from streams.ingest.fetching.robots_file import Allowance, read_robots
from tests.simulated.virtual_time import VirtualClock, simulate
from tests.streams.ingest.fetching.web import (
    Page,
    Wires,
    fails,
    html,
    redirect,
    robots_read_here,
    site,
    source,
)

A = "http://a.example"


def robots(text: str, **headers: str) -> Page:
    return Page(text.encode(), 200, {"Content-Type": "text/plain", **headers})


class PoliteWorld:
    """A polite client in virtual time."""

    def __init__(self, pages: dict[str, Page], addresses: list[str] | None = None) -> None:
        self.wires = Wires(pages, addresses)
        self.clock = VirtualClock()
        self.polite = Polite(
            Agent(), self.wires.resolve, self.clock, self._read_robots, self.wires.dial
        )
        self.unreadable: Unfetched | None = None

    async def _read_robots(self, body: bytes, product: str) -> Allowance:
        if self.unreadable is not None:
            raise self.unreadable
        return read_robots(body, product)

    async def get(self, url: str, who: str = "job", **told: object) -> Fetched:
        return await self.polite.get(source(f"{A}/feed", **told), url, who=who)

    def times(self, name: str) -> list[int]:
        return [round(at) for asked, at in self.wires.asked if asked == name]


def run(work: Coroutine[Any, Any, None]) -> None:
    simulate(work)


# -- robots.txt ------------------------------------------------------------------------------


def test_what_is_disallowed_is_not_asked_for() -> None:
    async def work() -> None:
        text = "User-agent: *\nDisallow: /private\n"
        world = PoliteWorld({"a.example/robots.txt": robots(text), "a.example/open": html("x")})
        fetched = await world.get(f"{A}/open")
        assert fetched.robots_hash == digest(text.encode())
        with fails("robots"):
            await world.get(f"{A}/private/x")
        assert [name for name, _ in world.wires.asked] == ["a.example/robots.txt", "a.example/open"]

    run(work())


def test_rules_for_us_by_name_win() -> None:
    async def work() -> None:
        text = "User-agent: *\nAllow: /\nUser-agent: EverythingMarketBot\nDisallow: /\n"
        world = PoliteWorld({"a.example/robots.txt": robots(text)})
        with fails("robots"):
            await world.get(f"{A}/open")

    run(work())


@pytest.mark.parametrize(
    ("page", "allowed"),
    [(Page(status=404), True), (Page(status=403), True), (Page(status=410), True),
     (Page(status=429), False), (Page(status=500), False), (Page(status=503), False),
     (Page(b"x", stalls_s=60), False), (redirect("/robots2.txt"), True),
     (redirect("javascript:x"), True)],
)  # fmt: skip
def test_a_robots_txt_that_is_none(page: Page, *, allowed: bool) -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/robots.txt": page, "a.example/open": html("x")})
        if allowed:
            await world.get(f"{A}/open")
        else:
            with fails("robots"):
                await world.get(f"{A}/open")

    run(work())


def test_robots_txt_is_remembered_and_asked_for_again() -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/open": html("x")})
        for _ in range(3):
            await asyncio.sleep(31)
            await world.get(f"{A}/open")
        assert len(world.times("a.example/robots.txt")) == 1
        await asyncio.sleep(limits.ROBOTS_LIFE_S)
        await world.get(f"{A}/open")
        assert len(world.times("a.example/robots.txt")) == 2

    run(work())


def test_a_server_that_could_not_say_is_asked_again_sooner() -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/robots.txt": Page(status=503), "a.example/open": html("x")})
        with fails("robots"):
            await world.get(f"{A}/open")
        world.wires.pages["a.example/robots.txt"] = robots("")
        with fails("robots"):
            await world.get(f"{A}/open")
        await asyncio.sleep(limits.ROBOTS_RETRY_S)
        await world.get(f"{A}/open")

    run(work())


def test_a_robots_txt_that_cannot_be_read_forbids_all_until_it_is_asked_for_again() -> None:
    async def work() -> None:
        page = robots("User-agent: *\nAllow: /\n")
        world = PoliteWorld({"a.example/robots.txt": page, "a.example/open": html("x")})
        world.unreadable = Unfetched(FetchProblem.TOO_LARGE, "takes too much to read")
        with pytest.raises(Unfetched) as refused:
            await world.get(f"{A}/open")
        assert refused.value.problem is FetchProblem.ROBOTS
        assert refused.value.detail == "unreadable: takes too much to read"
        world.unreadable = None
        with fails("robots"):
            await world.get(f"{A}/open")
        await asyncio.sleep(limits.ROBOTS_RETRY_S)
        await world.get(f"{A}/open")

    run(work())


def test_why_a_robots_txt_did_not_come_is_said() -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/robots.txt": Page(status=503)})
        with pytest.raises(Unfetched) as refused:
            await world.get(f"{A}/open")
        assert refused.value.detail == "unreadable: HTTP 503"

    run(work())


def test_the_rules_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of all origins together; the oldest are asked for again."""
    monkeypatch.setattr("streams.ingest.fetching.robots.MAX_REMEMBERED_ROBOTS_RULES", 5)

    async def work() -> None:
        text = "User-agent: *\nDisallow: /1\nDisallow: /2\n"
        names = ("a.example", "b.example", "c.example", "a.example")
        world = PoliteWorld({f"{name}/robots.txt": robots(text) for name in names})
        for name in names:
            await world.polite.robots.rules(f"http://{name}/open", None)
        asked = [name for name, _ in world.wires.asked]
        assert asked == [f"{name}/robots.txt" for name in names]

    run(work())


def test_many_at_once_ask_for_robots_txt_once() -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/robots.txt": Page(status=404, stalls_s=1)})
        rules = [world.polite.robots.rules(f"{A}/{number}", None) for number in range(10)]
        await asyncio.gather(*rules)
        assert len(world.times("a.example/robots.txt")) == 1

    run(work())


def test_robots_txt_on_a_forbidden_address_is_no_robots_txt() -> None:
    async def work() -> None:
        world = PoliteWorld({}, ["10.0.0.1"])
        with fails("forbidden_address"):
            await world.get(f"{A}/open")

    run(work())


def test_a_robots_txt_made_to_be_slow_is_not() -> None:
    """Wildcards upon wildcards, against a long address."""

    async def work() -> None:
        lines = [f"Disallow: /{'*a' * 200}{number}" for number in range(500)]
        for count, problem in ((100, "http_status"), (500, "robots")):
            text = "\n".join(["User-agent: *", *lines[:count]])
            world = PoliteWorld({"a.example/robots.txt": robots(text)})
            with fails(problem):
                await world.get(f"{A}/{'a' * 2_000}")

    run(work())


# -- turns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "delay_s"),
    [("", 30), ("User-agent: *\nCrawl-delay: 5\n", 30), ("User-agent: *\nCrawl-delay: 100\n", 100),
     ("User-agent: *\nRequest-rate: 1/2m\n", 120), ("User-agent: *\nCrawl-delay: nan\n", 30),
     ("User-agent: *\nCrawl-delay: 1e300\n", limits.MAX_OBEYED_DELAY_S)],
)  # fmt: skip
def test_the_larger_delay_wins(text: str, delay_s: int) -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/robots.txt": robots(text), "a.example/open": html("x")})
        await world.get(f"{A}/open", "one")
        with pytest.raises(HostBusy) as busy:
            await world.get(f"{A}/open", "two")
        assert busy.value.seconds == pytest.approx(delay_s, abs=1)
        await asyncio.sleep(busy.value.seconds)
        await world.get(f"{A}/open", "two")
        first, second = world.times("a.example/open")
        assert second - first == delay_s

    run(work())


def test_each_waits_for_its_own_turn_once() -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/open": html("x")})
        busy = 0

        async def job(name: str) -> None:
            nonlocal busy
            while True:
                try:
                    await world.get(f"{A}/open", name)
                except HostBusy as error:
                    busy += 1
                    await asyncio.sleep(error.seconds)
                else:
                    return

        await asyncio.gather(*[job(str(number)) for number in range(10)])
        assert world.times("a.example/open") == [30 * number for number in range(10)]
        assert busy == 9

    run(work())


def test_a_short_wait_is_waited_here() -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/open": html("x")})
        await world.get(f"{A}/open", "one")
        await asyncio.sleep(15)
        await world.get(f"{A}/open", "two")
        assert world.times("a.example/open") == [0, 30]

    run(work())


def test_hosts_do_not_wait_for_each_other() -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/open": html("x"), "b.example/open": html("x")})
        await world.get(f"{A}/open", "one")
        await world.get("http://b.example/open", "two")
        assert world.times("b.example/open") == [0]

    run(work())


def test_a_host_that_asks_to_be_left_alone_is() -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/open": Page(status=429, headers={"Retry-After": "600"})})
        with pytest.raises(Unfetched) as caught:
            await world.get(f"{A}/open", "one")
        assert (caught.value.status, caught.value.passing) == (429, True)
        with pytest.raises(HostBusy) as busy:
            await world.get(f"{A}/open", "two")
        assert busy.value.seconds == pytest.approx(600, abs=1)

    run(work())


def test_a_sources_own_document_goes_before_what_another_feed_links_to() -> None:
    """200 links to another host would otherwise hold it up for 6,000 s."""

    async def work() -> None:
        pages = {f"b.example/{name}": html("x") for name in ("feed", "own", *range(200))}
        world = PoliteWorld(pages)
        feeds = {host: source(f"http://{host}.example/feed", source=host) for host in "ab"}

        async def job(name: object, of: str, after_s: float = 0) -> None:
            await asyncio.sleep(after_s)
            url = f"http://b.example/{name}"
            while True:
                try:
                    await world.polite.get(feeds[of], url, who=f"{of}@{url}")
                except HostBusy as busy:
                    await asyncio.sleep(busy.seconds)
                else:
                    return

        links = [job(number, "a") for number in range(200)]
        await asyncio.gather(*links, job("own", "b", 95), job("feed", "b", 100))
        assert world.times("b.example/feed") == [120]
        assert world.times("b.example/own") == [150]
        asked = [round(at) for name, at in world.wires.asked if "robots" not in name]
        assert asked == [30 * number for number in range(202)]

    run(work())


def test_the_parts_of_a_document_go_as_it_does() -> None:
    async def work() -> None:
        pages = {f"b.example/{name}": html("x") for name in ("map", "part", *range(20))}
        world = PoliteWorld(pages)
        own = source("http://b.example/map", kind="sitemap")

        async def job(name: object, who: str, after_s: float = 0) -> None:
            await asyncio.sleep(after_s)
            while True:
                try:
                    await world.polite.get(own, f"http://b.example/{name}", who=who)
                except HostBusy as busy:
                    await asyncio.sleep(busy.seconds)
                else:
                    return

        pages_of_it = [job(number, f"wire@{number}") for number in range(20)]
        document = turn_name(own.source, own.url)
        await asyncio.gather(*pages_of_it, job("part", document, 95))
        assert world.times("b.example/part") == [120]

    run(work())


async def test_locks_are_forgotten() -> None:
    locks = Locks()
    async with locks.of("a"), locks.of("b"):
        assert len(locks) == 2
    assert len(locks) == 0


# -- redirects -------------------------------------------------------------------------------


def test_a_redirect_within_a_host_is_one_visit() -> None:
    async def work() -> None:
        world = PoliteWorld({"a.example/old": redirect("/new"), "a.example/new": html("x")})
        fetched = await world.get(f"{A}/old")
        assert fetched.response.url == f"{A}/new"
        assert world.times("a.example/new") == [0]

    run(work())


def test_a_redirect_elsewhere_waits_for_its_turn_and_obeys_its_robots() -> None:
    async def work() -> None:
        pages = {
            "a.example/old": redirect("http://b.example/new"),
            "b.example/new": html("x"),
            "b.example/robots.txt": robots("User-agent: *\nDisallow: /no\n"),
            "a.example/no": redirect("http://b.example/no"),
        }
        world = PoliteWorld(pages)
        await world.get("http://b.example/new", "one")
        await world.get(f"{A}/old", "two")
        assert world.times("b.example/new") == [0, 30]
        await asyncio.sleep(60)
        with fails("robots"):
            await world.get(f"{A}/no", "three")

    run(work())


@pytest.mark.parametrize(
    "to",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://u:p@a.example/",
        "http://a.example:25/",
        "",
    ],
)
def test_a_redirect_to_what_is_no_web_address(to: str) -> None:
    async def work() -> None:
        with fails("bad_url"):
            await PoliteWorld({"a.example/old": redirect(to)}).get(f"{A}/old")

    run(work())


def test_redirects_without_end() -> None:
    async def work() -> None:
        pages = {f"a.example/{n}": redirect(f"/{n + 1}") for n in range(20)}
        world = PoliteWorld(pages)
        with fails("too_many_redirects"):
            await world.get(f"{A}/0")
        assert len(world.wires.asked) == limits.MAX_REDIRECTS + 2  # and robots.txt

    run(work())


def test_slow_hops_share_one_bound() -> None:
    async def work() -> None:
        pages = {f"a.example/{n}": redirect(f"/{n + 1}") for n in range(5)}
        for page in pages.values():
            page.stalls_s = 20
        with fails("too_slow"):
            await PoliteWorld(pages).get(f"{A}/0")

    run(work())


async def test_a_redirect_to_this_machine_is_refused() -> None:
    """Over real sockets: the source's own server sends us to another one on loopback."""
    async with site({"/": html("secret")}) as honeypot:
        async with site({"/old": redirect(f"{honeypot.url}/")}) as it:
            polite = Polite(Agent(), _numbers, VirtualClock(), robots_read_here)
            with fails("forbidden_address"):
                await polite.get(source(f"{it.url}/old"), f"{it.url}/old", who="job")
        assert honeypot.connections == 0


async def _numbers(host: str, port: int) -> list[str]:
    return [host]
