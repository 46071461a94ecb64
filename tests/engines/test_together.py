"""All engines on one log in memory, scheduled by chance: what each says must fit.

No host and no server here: the log is a list, and an engine takes as many of its inputs
at a time as the dice say. Whatever they say, every record must be decidable again from the
log alone, the chain of seals must hold, and prices must follow from trades and articles.
"""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from engines.exchange.engine import ExchangeEngine
from engines.governance import GovernanceEngine
from engines.kernel import Engine
from engines.notary import NotaryEngine
from engines.pricing import PricingEngine
from engines.pricing.arithmetic import smooth
from engines.reality import RealityEngine
from schemas import commands, signatures, subjects
from schemas.chain import GENESIS_HASH, digest, link
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
from schemas.events.exchange import (
    CashCredited,
    CommandRefused,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
    ReviewersChecked,
    Traded,
)
from schemas.events.governance import ReviewAnswered
from schemas.events.notary import Sealed
from schemas.events.pricing import (
    BlendSet,
    PressureChanged,
    PriceChanged,
    ProposalPriced,
)
from schemas.events.reality import (
    ArticleDropped,
    ArticleGrouped,
    ClusterOpened,
    LlmAnswered,
    LlmRequested,
    ReviewAnswerRefused,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
    ScoreOpened,
)
from schemas.stored import Stored
from schemas.units import HOUR_NS, SECOND_NS
from tests.engines.driver import Driver, check_decides_again, check_folds, decoded
from tests.engines.governance.people import ANNA, ROOT, START_NS, Person, genesis, rss
from tests.engines.press import Press, answered, available

ACCOUNTS = ("ann", "ben", "cleo", "boss")
"""The boss is who also answers reviews."""
SOURCES = ("daily", "weekly", "monthly")
SYMBOLS = ("RAIN", "SNOW")


class Venue:
    """The log, and engines that each know how far they have read."""

    def __init__(self, seed: int) -> None:
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
        self.venue_id = digest(encode(genesis()))
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
        self.append(f"main.cmd.admin.{ROOT.key}", ROOT.sign(encode(genesis())))
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


def session(seed: int, orders: int) -> Venue:
    venue = Venue(seed)
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
    counts = {type(event) for event in venue.events(subjects.REALITY)}
    assert {ArticleDropped, ClusterOpened, ArticleGrouped, LlmRequested, LlmAnswered} <= counts
    assert {ScoreChanged, ReviewOpened, ReviewClosed} <= counts


def test_every_command_has_one_outcome(venue: Venue) -> None:
    commands_in = [one.sequence for one in venue.log if one.subject.startswith("main.cmd.order.")]
    kinds = (OrderPlaced, OrderRejected, OrdersCancelled, CommandRefused)
    outcomes = [
        event.cause for event in venue.events(subjects.EXCHANGE) if isinstance(event, kinds)
    ]
    assert sorted(outcomes) == commands_in


def test_every_measurement_has_one_outcome(venue: Venue) -> None:
    measured = [one.sequence for one in venue.log if one.subject == subjects.signals("main")]
    kinds = (ArticleDropped, ClusterOpened, ArticleGrouped)
    outcomes = [event.cause for event in venue.events(subjects.REALITY) if isinstance(event, kinds)]
    assert sorted(outcomes) == measured


def test_every_approval_is_checked_and_then_carried_out_or_refused(venue: Venue) -> None:
    approved = [
        event.proposal_hash
        for event in venue.events(subjects.GOVERNANCE)
        if isinstance(event, ReviewAnswered) and event.approve
    ]
    checked = {
        event.proposal_hash: event
        for event in venue.events(subjects.EXCHANGE)
        if isinstance(event, ReviewersChecked)
    }
    assert list(checked) == approved
    closed = {
        event.proposal_hash
        for event in venue.events(subjects.REALITY)
        if isinstance(event, ReviewClosed) and event.outcome == "approved"
    }
    refused = {
        event.proposal_hash: event.code
        for event in venue.events(subjects.REALITY)
        if isinstance(event, ReviewAnswerRefused)
    }
    assert closed <= checked.keys()
    for hash_, check in checked.items():
        assert (hash_ in closed) != (hash_ in refused)
        if check.barred:
            assert check.barred == ["boss"]
            assert refused[hash_] == "holds_the_symbol"


def test_scores_move_by_what_was_said_and_prices_know_them(venue: Venue) -> None:
    scores: dict[str, int] = {}
    for event in venue.events(subjects.REALITY):
        if isinstance(event, ScoreOpened):
            scores[event.symbol] = event.score_e2
        elif isinstance(event, ScoreChanged):
            assert event.old_score_e2 == scores[event.symbol]
            assert event.new_score_e2 == event.old_score_e2 + event.delta_e2
            assert 0 <= event.new_score_e2 <= 10_000
            scores[event.symbol] = event.new_score_e2
    priced = {
        event.symbol: event.reality_score_e2
        for event in venue.events(subjects.PRICING)
        if isinstance(event, BlendSet)
    }
    assert priced["RAIN"] == scores["RAIN"]


def test_every_review_is_priced(venue: Venue) -> None:
    opened = [
        (event.proposal_hash, event.proposal.symbol)
        for event in venue.events(subjects.REALITY)
        if isinstance(event, ReviewOpened)
    ]
    priced = [
        (event.proposal_hash, event.symbol)
        for event in venue.events(subjects.PRICING)
        if isinstance(event, ProposalPriced)
    ]
    assert priced == opened


def test_the_final_price_is_what_the_weights_make_of_both(venue: Venue) -> None:
    prices = [e for e in venue.events(subjects.PRICING) if isinstance(e, PriceChanged)]
    blends = [e for e in venue.events(subjects.PRICING) if isinstance(e, BlendSet)]
    price = [e for e in prices if e.symbol == "RAIN"][-1]
    by = [e for e in blends if e.symbol == "RAIN"][-1]
    assert abs(2 * price.final_price_e2 - price.market_price_e2 - by.reality_score_e2) <= 1


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
