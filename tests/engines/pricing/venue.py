"""A small stand-in for the other three engines: it writes the records that pricing reads."""

from typing import Any

from msgspec import UNSET, UnsetType

from engines.pricing.engine import PricingEngine
from engines.pricing.state import State
from schemas.chain import GENESIS_HASH
from schemas.events import Event
from schemas.events.exchange import Top, TopsChanged, Traded
from schemas.events.governance import MarketListed, PolicySet
from schemas.events.pricing import PressureChanged, PriceChanged
from schemas.events.reality import Proposal, ReviewOpened, ScoreChanged
from schemas.policy import Policy, PriceBounds, PricingPolicy
from schemas.records import Record, seal
from schemas.stored import Stored
from schemas.units import HOUR_NS
from tests.engines.driver import Driver

START_NS = 1_700_000_000_000_000_000 // HOUR_NS * HOUR_NS


def record(engine: str, time_ns: int, *events: Event) -> tuple[str, bytes]:
    """Return subject and bytes of a record of another engine."""
    data, _ = seal(
        Record(engine, f"{engine}/1", 1, 1, 1, 1, time_ns, False, [*events], None, GENESIS_HASH)
    )
    return f"main.evt.{engine}", data


def listed(symbol: str = "RAIN", **fields: Any) -> MarketListed:
    common: dict[str, Any] = {
        "cause": 1,
        "symbol": symbol,
        "name": symbol,
        "description": "",
        "market_type": "social",
        "subtype": "",
        "region": "global",
        "risk_level": "low",
        "aliases": [],
        "market_weight_bp": 5_000,
        "reality_weight_bp": 5_000,
        "initial_score_e2": 6_000,
        "tick_ticks": 1,
        "min_price": "0",
        "max_price": "100",
        "created_by": "root",
    }
    return MarketListed(**(common | fields))


def policy(alpha_bp: int = 2_500, bounds: PriceBounds | UnsetType = UNSET) -> PolicySet:
    """Return a policy; without `bounds` it is as those signed before there were any."""
    smoothing = PricingPolicy(ewma_alpha_bp=alpha_bp)
    return PolicySet(1, 1, Policy(name="p", pricing=smoothing, price_bounds=bounds), "")


def traded(
    price: int,
    lots: int = 1,
    side: Any = "buy",
    symbol: str = "RAIN",
    taker: str = "ann",
    maker: str = "bob",
) -> Traded:
    return Traded(1, 1, symbol, price, lots, side, 100, taker, 200, maker, 0)


def tops(bid: int | None, ask: int | None, symbol: str = "RAIN") -> TopsChanged:
    return TopsChanged(1, [Top(symbol, bid, int(bid is not None), ask, int(ask is not None))])


def scored(new_e2: int, symbol: str = "RAIN", old_e2: int = 6_000) -> ScoreChanged:
    return ScoreChanged(
        cause=1, symbol=symbol, cluster=1, article=1, source="daily", old_score_e2=old_e2,
        new_score_e2=new_e2, delta_e2=new_e2 - old_e2, confidence_bp=5_000, review="", at_ns=1,
    )  # fmt: skip


def review(approved_e2: int, symbol: str = "RAIN") -> ReviewOpened:
    """Return a review of a move to `approved_e2`; its other fields move no price."""
    proposal = Proposal(
        symbol=symbol, cluster=1, articles=[1], sources=["daily"], cause=1, policy_version=1,
        quick_bp=0, weight_e4=0, points_e2=0, delta_e2=0, score_now_e2=0,
        score_if_approved_e2=approved_e2, confidence_bp=0, llm="skipped",
    )  # fmt: skip
    return ReviewOpened(1, "f" * 64, proposal, ["suspicious_delta"], "", "daily", 1)


class Prices:
    """A pricing engine that has seen a policy and, unless told otherwise, one listing."""

    def __init__(
        self,
        *symbols: str,
        alpha_bp: int = 2_500,
        bounds: PriceBounds | UnsetType = UNSET,
        **fields: Any,
    ) -> None:
        self.driver: Driver[State] = Driver(PricingEngine(), START_NS)
        listings = [listed(symbol, **fields) for symbol in symbols or ("RAIN",)]
        self.first = self.governance(policy(alpha_bp, bounds), *listings)

    def governance(self, *events: Event) -> list[Event]:
        return self.driver.feed(record("governance", self.driver.now_ns, *events))

    def exchange(self, *events: Event, time_ns: int | None = None) -> list[Event]:
        now_ns = self.driver.now_ns if time_ns is None else time_ns
        return self.driver.feed(record("exchange", now_ns, *events))

    def reality(self, *events: Event) -> list[Event]:
        return self.driver.feed(record("reality", self.driver.now_ns, *events))

    def at(self, offset_ns: int) -> None:
        self.driver.at(START_NS + offset_ns)

    def tick(self) -> list[Event]:
        return self.driver.take([])

    def due_ns(self) -> int | None:
        due = self.driver.engine.next_due_ns(self.driver.state)
        return None if due is None else due - START_NS

    def stored(self, *events: Event) -> Stored:
        return self.driver.stored(*record("exchange", self.driver.now_ns, *events))


def prices(events: list[Event]) -> list[PriceChanged]:
    return [event for event in events if isinstance(event, PriceChanged)]


def one_price(events: list[Event]) -> PriceChanged:
    (price,) = prices(events)
    return price


def pressures(events: list[Event]) -> list[tuple[int, int, int, int]]:
    """Return the lots of the last minute and hour; `accounts` has whose they are."""
    return [
        (event.buy_lots_1m, event.sell_lots_1m, event.buy_lots_1h, event.sell_lots_1h)
        for event in events
        if isinstance(event, PressureChanged)
    ]


def accounts(events: list[Event]) -> list[tuple[int | None, ...]]:
    """Return how many bought and sold in the last minute and hour."""
    return [
        (event.buyers_1m, event.sellers_1m, event.buyers_1h, event.sellers_1h)
        for event in events
        if isinstance(event, PressureChanged)
    ]
