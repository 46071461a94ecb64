"""All four engines on one log in memory, scheduled by chance: what each says must fit.

No host and no server here: the log is a list, and an engine takes as many of its inputs
at a time as the dice say. Whatever they say, every record must be decidable again from the
log alone, the chain of seals must hold, and prices must follow from the trades.
"""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from everything.engines.exchange.engine import ExchangeEngine
from everything.engines.governance import GovernanceEngine
from everything.engines.kernel import Engine
from everything.engines.notary import NotaryEngine
from everything.engines.pricing import PricingEngine
from everything.engines.pricing.arithmetic import smooth
from everything.schemas import commands, signatures, subjects
from everything.schemas.chain import GENESIS_HASH, digest, link
from everything.schemas.codec import encode
from everything.schemas.decisions import AnyDecision, ListMarket, Mint, ResolveMarket
from everything.schemas.events import Event
from everything.schemas.events.exchange import (
    CashCredited,
    CommandRefused,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
    Traded,
)
from everything.schemas.events.notary import Sealed
from everything.schemas.events.pricing import PressureChanged, PriceChanged
from everything.schemas.stored import Stored
from everything.schemas.units import HOUR_NS, SECOND_NS
from tests.engines.driver import Driver, check_decides_again, check_folds, decoded
from tests.engines.governance.people import ROOT, START_NS, genesis

ACCOUNTS = ("ann", "ben", "cleo")
SYMBOLS = ("RAIN", "SNOW")


class Venue:
    """The log, and four engines that each know how far they have read."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now_ns = START_NS
        self.log: list[Stored] = []
        engines: list[Engine[Any]] = [
            GovernanceEngine(),
            ExchangeEngine(),
            PricingEngine(),
            NotaryEngine(),
        ]
        self.drivers: dict[str, Driver[Any]] = {
            engine.name: Driver(engine, START_NS) for engine in engines
        }
        self.read = dict.fromkeys(self.drivers, 0)
        self.venue_id = digest(encode(genesis()))
        self.counter = 0

    def append(self, subject: str, payload: bytes) -> int:
        self.log.append(Stored(len(self.log) + 1, subject, payload))
        return len(self.log)

    def decide(self, kind: type[AnyDecision], **fields: Any) -> None:
        self.counter += 1
        common: dict[str, Any] = {
            "venue_id": self.venue_id,
            "counter": self.counter,
            "expires_ns": self.now_ns + HOUR_NS,
        }
        self.append(f"main.cmd.admin.{ROOT.key}", ROOT.sign(encode(kind(**common, **fields))))

    def open_account(self, account: str) -> None:
        seed = signatures.seed_from(account.ljust(32, "x").encode())
        key = signatures.public_key(seed)
        opening = commands.AccountOpening(
            account=account, public_key=key, client_time_ns=self.now_ns, venue_id=self.venue_id
        )
        signature = signatures.sign(seed, encode(opening))
        command = commands.OpenAccount(self.now_ns, key, signature)
        self.append(subjects.account_command("main", account), encode(command))

    def found(self) -> None:
        self.append(f"main.cmd.admin.{ROOT.key}", ROOT.sign(encode(genesis())))
        for symbol in SYMBOLS:
            self.decide(ListMarket, symbol=symbol, name=symbol, market_type="social")
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


def session(seed: int, orders: int) -> Venue:
    venue = Venue(seed)
    venue.found()
    for number in range(orders):
        venue.order(number)
        venue.now_ns += venue.dice.choice((0, 1, SECOND_NS // 10, SECOND_NS, 9 * SECOND_NS))
        if venue.dice.random() < 0.5:
            venue.step(venue.dice.choice([*venue.drivers]))
    venue.decide(ResolveMarket, symbol="SNOW", value_ticks=7_000, reason="it snowed")
    venue.settle()
    venue.now_ns += 2 * HOUR_NS
    venue.settle()
    return venue


@pytest.fixture(scope="module", params=range(6))
def venue(request: pytest.FixtureRequest) -> Venue:
    return session(request.param, 150)


@pytest.mark.parametrize("name", subjects.ENGINES)
def test_every_record_folds_and_is_decided_again_to_the_same_bytes(venue: Venue, name: str) -> None:
    check_folds(venue.drivers[name])
    check_decides_again(venue.drivers[name])


def test_the_same_dice_give_the_same_log() -> None:
    assert session(1, 60).log == session(1, 60).log


def test_there_was_something_to_see(venue: Venue) -> None:
    counts = {type(event) for event in venue.events(subjects.EXCHANGE)}
    assert {OrderPlaced, OrdersCancelled, CommandRefused, Traded, CashCredited} <= counts


def test_every_command_has_one_outcome(venue: Venue) -> None:
    commands_in = [one.sequence for one in venue.log if one.subject.startswith("main.cmd.order.")]
    kinds = (OrderPlaced, OrderRejected, OrdersCancelled, CommandRefused)
    outcomes = [
        event.cause for event in venue.events(subjects.EXCHANGE) if isinstance(event, kinds)
    ]
    assert sorted(outcomes) == commands_in


def test_prices_follow_from_the_trades(venue: Venue) -> None:
    ewma: dict[str, int] = {}
    for event in venue.events(subjects.EXCHANGE):
        if isinstance(event, Traded):
            ewma[event.symbol] = smooth(ewma.get(event.symbol), event.price_ticks, 2_500)
    last = {
        event.symbol: event
        for event in venue.events(subjects.PRICING)
        if isinstance(event, PriceChanged)
    }
    assert last["RAIN"].basis == "trades"
    assert last["RAIN"].ewma_e6 == ewma["RAIN"]
    assert (last["SNOW"].basis, last["SNOW"].final_price_e2) == ("resolution", 7_000)


def test_all_pressure_fades(venue: Venue) -> None:
    last = {
        event.symbol: event
        for event in venue.events(subjects.PRICING)
        if isinstance(event, PressureChanged)
    }
    assert set(last) == set(SYMBOLS)
    for event in last.values():
        assert (event.buy_lots_1h, event.sell_lots_1h) == (0, 0)


def test_seals_cover_the_log(venue: Venue) -> None:
    chain, at = bytes.fromhex(GENESIS_HASH), {}
    for message in venue.log:
        chain = link(chain, *message)
        at[message.sequence] = chain.hex()
    seals = [event for event in venue.events(subjects.NOTARY) if isinstance(event, Sealed)]
    assert seals
    assert all(at[seal.through] == seal.chain for seal in seals)
    # behind the last one there is nothing but its own record
    assert all(one.subject.endswith("notary") for one in venue.log[seals[-1].through :])
