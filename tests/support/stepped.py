"""A venue without hosts and servers: a list is its log, and dice say which engine goes on."""

import random
from collections.abc import Iterator
from typing import Any

from engines.exchange.engine import ExchangeEngine
from engines.governance import GovernanceEngine
from engines.kernel import Engine
from engines.notary import NotaryEngine
from engines.pricing import PricingEngine
from engines.reality import RealityEngine
from schemas import commands, signatures, subjects
from schemas.chain import digest
from schemas.codec import encode
from schemas.decisions import (
    AddSource,
    AnyDecision,
    ApproveReview,
    EnrolKey,
    ListMarket,
    Mint,
    RejectReview,
    ResolveMarket,
)
from schemas.events import Event
from schemas.events.reality import (
    LlmRequested,
    ReviewOpened,
)
from schemas.policy import SEED_PLAN, Policy
from schemas.stored import Stored
from schemas.units import HOUR_NS, SECOND_NS
from tests.engines.driver import Driver, decoded
from tests.engines.governance.people import ANNA, ROOT, START_NS, Person, genesis, rss
from tests.engines.press import Press, answered, available

ACCOUNTS = ("ann", "ben", "cleo", "boss")
"""The boss is who also answers reviews."""
SOURCES = ("daily", "weekly", "monthly")
SYMBOLS = ("RAIN", "SNOW")


class SteppedVenue:
    """The log, and engines that each know how far they have read."""

    def __init__(self, seed: int, policy: Policy = SEED_PLAN) -> None:
        self.dice = random.Random(seed)
        self.now_ns = START_NS
        self.log: list[Stored] = []
        engines: list[Engine[Any]] = [
            GovernanceEngine(),
            ExchangeEngine(),
            RealityEngine(),
            PricingEngine(),
            NotaryEngine(),
        ]
        self.drivers: dict[str, Driver[Any]] = {
            engine.name: Driver(engine, START_NS) for engine in engines
        }
        self.read = dict.fromkeys(self.drivers, 0)
        self._genesis = encode(genesis(policy=policy))
        self.venue_id = digest(self._genesis)
        self.counters = {ROOT.key: 0, ANNA.key: 0}
        self.press = Press(self.dice, SOURCES, SYMBOLS)
        self._heard = 0
        """Of reality's records, those that the world has reacted to."""

    def append(self, subject: str, payload: bytes) -> int:
        self.log.append(Stored(len(self.log) + 1, subject, payload))
        return len(self.log)

    def decide(self, kind: type[AnyDecision], by: Person = ROOT, **fields: Any) -> None:
        self.counters[by.key] += 1
        common: dict[str, Any] = {
            "venue_id": self.venue_id,
            "counter": self.counters[by.key],
            "expires_ns": self.now_ns + HOUR_NS,
        }
        self.append(f"main.cmd.admin.{by.key}", by.sign(encode(kind(**common, **fields))))

    def open_account(self, account: str) -> None:
        boss = account == "boss"
        seed = ROOT.seed if boss else signatures.seed_from(account.ljust(32, "x").encode())
        key = signatures.public_key(seed)
        opening = commands.AccountOpening(
            account=account, public_key=key, client_time_ns=self.now_ns, venue_id=self.venue_id
        )
        signature = signatures.sign(seed, encode(opening))
        command = commands.OpenAccount(self.now_ns, key, signature)
        self.append(subjects.account_command("main", account), encode(command))

    def found(self) -> None:
        self.append(f"main.cmd.admin.{ROOT.key}", ROOT.sign(self._genesis))
        for symbol in SYMBOLS:
            self.decide(ListMarket, symbol=symbol, name=symbol, market_type="social")
        self.decide(EnrolKey, key=ANNA.key, holder="anna", role="admin")
        for source in SOURCES:
            self.decide(AddSource, source=rss(source, trust_bp=self.dice.randint(3_000, 9_000)))
        self.append(subjects.llm("main"), available(self.now_ns))
        self.settle()
        for account in ACCOUNTS:
            self.open_account(account)
        self.settle()
        for account in ACCOUNTS:
            self.decide(Mint, account=account, amount_cents=50_000_000)
        self.settle()

    def order(self, number: int) -> None:
        dice = self.dice
        account = dice.choice(ACCOUNTS)
        roll = dice.random()
        command: commands.OrderCommand
        if roll < 0.05:
            self.append(subjects.order_command("main", account), dice.randbytes(20))
            return
        if roll < 0.15:
            command = commands.CancelAll(f"c{number}", self.now_ns, dice.choice((None, *SYMBOLS)))
        elif roll < 0.25:
            command = commands.CancelOrder(
                f"c{number}", self.now_ns, dice.randint(1, len(self.log)) * 100
            )
        else:
            command = commands.PlaceOrder(
                f"o{number}",
                self.now_ns,
                dice.choice(SYMBOLS),
                dice.choice(("buy", "sell")),
                dice.randint(1, 50),
                price_ticks=dice.randint(4_950, 5_050),
            )
        self.append(subjects.order_command("main", account), encode(command))

    def report(self) -> None:
        """Have an article come, and the world react to some of what reality said."""
        article = self.append(subjects.articles("main"), b"not read by any engine")
        measured = self.press.measured(article, self.now_ns)
        self.append(subjects.signals("main"), measured)
        records = self.drivers[subjects.REALITY].records
        for data in records[self._heard :]:
            for event in decoded(data).events:
                self._react(event)
        self._heard = len(records)

    def _react(self, event: Event) -> None:
        roll = self.dice.random()
        if isinstance(event, LlmRequested) and roll < 0.8:
            payload = answered(self.dice, event, self.now_ns)
            self.append(subjects.llm("main"), payload)
        if isinstance(event, ReviewOpened) and roll < 0.8:
            kind = ApproveReview if roll < 0.6 else RejectReview
            symbol, hash_ = event.proposal.symbol, event.proposal_hash
            by = self.dice.choice((ROOT, ANNA))
            self.decide(kind, by, proposal_hash=hash_, symbol=symbol, reason="")

    def step(self, name: str) -> bool:
        """Let one engine take some of what waits for it, or a tick; tell whether it wrote."""
        driver = self.drivers[name]
        waiting = list(self._waiting(name))
        if name == subjects.NOTARY and all(one.subject.endswith("notary") for one in waiting):
            return False
        taken = waiting[: self.dice.randint(1, len(waiting))] if waiting else []
        if taken:
            self.read[name] = taken[-1].sequence
        driver.at(max(self.now_ns, driver.now_ns))
        if not driver.take(taken):
            return bool(taken)
        self.append(subjects.events("main", name), driver.records[-1])
        return True

    def _waiting(self, name: str) -> Iterator[Stored]:
        reads = self.drivers[name].engine.reads
        for message in self.log[self.read[name] :]:
            if any(subjects.matches(pattern, message.subject) for pattern in reads):
                yield message

    def settle(self) -> None:
        """Let all engines go on until none has anything to say."""
        for _ in range(10_000):
            names = [*self.drivers]
            self.dice.shuffle(names)
            if not any(self.step(name) for name in names):
                return
        raise AssertionError("the engines never come to rest")

    def events(self, name: str) -> list[Event]:
        return [event for data in self.drivers[name].records for event in decoded(data).events]


def session(seed: int, orders: int) -> SteppedVenue:
    venue = SteppedVenue(seed)
    venue.found()
    for number in range(orders):
        venue.order(number)
        if number % 2:
            venue.report()
        venue.now_ns += venue.dice.choice((0, 1, SECOND_NS // 10, SECOND_NS, 9 * SECOND_NS))
        if venue.dice.random() < 0.5:
            venue.step(venue.dice.choice([*venue.drivers]))
    venue.decide(ResolveMarket, symbol="SNOW", value_ticks=7_000, reason="it snowed")
    venue.settle()
    venue.now_ns += 2 * HOUR_NS
    venue.settle()
    return venue
