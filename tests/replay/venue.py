"""A venue that lived: the real engines under their hosts, on a simulated log."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

from engines.exchange.engine import ExchangeEngine
from engines.governance.engine import GovernanceEngine
from engines.kernel import Engine
from engines.notary.engine import NotaryEngine
from engines.pricing.engine import PricingEngine
from engines.reality import RealityEngine
from schemas import signatures, subjects
from schemas.decisions import (
    AddSource,
    ApproveReview,
    EnrolKey,
    HaltMarket,
    Mint,
    RejectReview,
    ResolveMarket,
    ResumeMarket,
)
from schemas.events.reality import ReviewOpened
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from schemas.units import SECOND_NS
from tests.engines.governance.people import ANNA, NOTARY, rss
from tests.engines.press import Press, available
from tests.projections.real import RealVenue
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import START_NS, simulate
from tests.streams.host.rig import Running

QUIET_S = 4_000.0
"""Longer than any window or memory of an engine, so that all of them tick."""


def engines() -> list[Engine[Any]]:
    """Return one fresh instance of every engine."""
    return [
        GovernanceEngine(),
        ExchangeEngine(),
        RealityEngine(),
        PricingEngine(),
        NotaryEngine(),
    ]


Engines = Callable[[], list[Engine[Any]]]


class HostedVenue(RealVenue):
    """Sends what people send and what ingest observes; the hosts decide."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._press: Press | None = None
        self._answered = 0
        """Up to which sequence reviews have been answered."""

    def add_sources(self, *names: str) -> None:
        """Have articles come from `names` about the markets that there are."""
        for name in names:
            self.decide(AddSource, source=rss(name, trust_bp=8_500))
        self._press = Press(self.dice, names, tuple(self.symbols))
        self._send(subjects.llm("main"), available(self.now_ns))

    def report(self, articles: int) -> None:
        """Observe and measure articles."""
        assert self._press is not None
        for _ in range(articles):
            article = self._send(subjects.articles("main"), b"not read by any engine")
            self._send(subjects.signals("main"), self._press.measured(article, self.now_ns))

    def answer_reviews(self) -> None:
        """Approve or reject what was opened since the last time."""
        for message in self.server.messages()[self._answered :]:
            if message.subject != subjects.events("main", subjects.REALITY):
                continue
            for event in EVENT_MESSAGES.decode(message.payload).events:
                if isinstance(event, ReviewOpened):
                    kind = self.dice.choice((ApproveReview, RejectReview))
                    hash_, symbol = event.proposal_hash, event.proposal.symbol
                    self.decide(kind, proposal_hash=hash_, symbol=symbol, reason="seen")
        self._answered = self.server.last_sequence

    def run(self) -> None:
        """Leave the deciding to the hosts."""

    def hosts(self, name: str, engines: Engines = engines) -> list[Running]:
        """Start a host for each engine."""
        return [
            Running(
                self.server,
                engine,
                writer=f"{name}-{engine.name}",
                sign=_notary_signature if engine.name == "notary" else None,
            )
            for engine in engines()
        ]

    async def settle(self, seconds: float = 8.0) -> None:
        """Let time pass until the engines have nothing left to say."""
        before = -1
        while before != self.server.last_sequence:
            before = self.server.last_sequence
            await asyncio.sleep(seconds)
        self.now_ns = START_NS + round(asyncio.get_running_loop().time() * SECOND_NS)


def _notary_signature(data: bytes) -> str:
    return signatures.sign(NOTARY.seed, data)


async def live(
    commands: int, seed: int, symbols: int = 3, accounts: int = 8, first_engines: Engines = engines
) -> SimulatedServer:
    """Return the log of a venue on which most things have happened, and hosts were killed.

    Those that were killed ran `first_engines`.
    """
    venue = HostedVenue(seed)
    venue.now_ns = START_NS
    first = venue.hosts("first", first_engines)
    await venue.settle()
    venue.list_markets([f"M{number}" for number in range(symbols)])
    venue.open_accounts([f"trader{number}" for number in range(accounts)])
    venue.decide(EnrolKey, key=ANNA.key, holder="anna", role="editor")
    venue.add_sources("daily", "weekly")
    await venue.settle()
    venue.report(30)
    venue.trade(commands // 2, step_ns=0)
    await asyncio.sleep(0.01)
    for host in first:
        await host.killed()
    second = venue.hosts("second")
    await venue.settle()
    venue.decide(Mint, account="trader0", amount_cents=12_345)
    venue.decide(Mint, account="nobody", amount_cents=1)
    venue.decide(HaltMarket, symbol="M0", reason="news")
    venue.answer_reviews()
    await venue.settle()
    venue.trade(20, step_ns=0)
    venue.decide(ResumeMarket, symbol="M0")
    venue.decide(ResumeMarket, symbol="M0")
    await venue.settle()
    venue.trade(commands // 2, step_ns=0)
    await venue.settle()
    venue.report(10)
    await venue.settle()
    venue.answer_reviews()
    venue.decide(ResolveMarket, symbol="M1", value_ticks=10_000, reason="it rained")
    venue.trade(20, step_ns=0)
    await venue.settle(QUIET_S)
    for host in second:
        await host.stopped()
    return venue.server


@cache
def history(commands: int = 300, seed: int = 1) -> tuple[Stored, ...]:
    """Return the messages of one such log."""
    return tuple(simulate(live(commands, seed)).messages())


def server_with(messages: list[Stored] | tuple[Stored, ...]) -> SimulatedServer:
    """Return a store that holds these messages, at sequences from 1."""
    server = SimulatedServer()
    server.store([(message.subject, message.payload) for message in messages])
    return server
