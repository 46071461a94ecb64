"""What the pricing engine remembers, and how its own events change that."""

from typing import Final, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from engines.pricing.windows import Window
from schemas.errors import BrokenInvariant
from schemas.events.pricing import (
    Basis,
    BlendSet,
    Event,
    PressureChanged,
    PriceChanged,
    ProposalPriced,
    SmoothingSet,
    VolumeTraded,
)
from schemas.units import MINUTE_NS, SECOND_NS


class Price(msgspec.Struct, frozen=True):
    """What PriceChanged last said."""

    basis: Basis
    ewma_e6: int
    market_price_e2: int
    final_price_e2: int
    last_trade_ticks: int | None


class Symbol(msgspec.Struct):
    """One market: its blend, its price, and what takers traded lately.

    `traded_in` is the message of its last trades: the cause of all pressure they leave.
    `listed_at_e2` is the RealityScore before it first moved, and not in the dump until it
    has: hashes of states from when it could not move stand on the log.
    """

    market_weight_bp: int
    reality_weight_bp: int
    reality_score_e2: int
    price: Price | None = None
    traded_in: int = 0
    minute: Window = msgspec.field(default_factory=lambda: Window(SECOND_NS))
    hour: Window = msgspec.field(default_factory=lambda: Window(MINUTE_NS))
    listed_at_e2: int | UnsetType = UNSET

    @property
    def listing_score_e2(self) -> int:
        """The score that the market was listed at."""
        listed_at_e2 = self.listed_at_e2
        return self.reality_score_e2 if isinstance(listed_at_e2, UnsetType) else listed_at_e2

    def due_ns(self) -> int | None:
        """Return when time alone will change the symbol's pressure."""
        first, second = self.minute.due_ns(), self.hour.due_ns()
        if first is None or second is None:
            return first if second is None else second
        return min(first, second)


class Kept(msgspec.Struct):
    """The part of the state that a snapshot keeps.

    `fresh` holds the symbols whose volume changed since their pressure was last stated.
    """

    ewma_alpha_bp: int | None = None
    symbols: dict[str, Symbol] = {}
    fresh: dict[str, None] = {}


class State:
    """The kept state, and an index of when which symbols are due.

    All due times are bounds of buckets, so there are never more than some 120 of them.
    """

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.symbols = kept.symbols
        self.due: dict[int, dict[str, None]] = {}
        for name, symbol in kept.symbols.items():
            self._index(name, symbol)

    def _index(self, name: str, symbol: Symbol) -> None:
        due = symbol.due_ns()
        if due is not None:
            self.due.setdefault(due, {})[name] = None

    def _unindex(self, name: str, symbol: Symbol) -> None:
        due = symbol.due_ns()
        if due is not None:
            names = self.due[due]
            del names[name]
            if not names:
                del self.due[due]

    def evolve(self, event: Event) -> None:
        """Apply one event of the pricing engine."""
        match event:
            case SmoothingSet():
                self.kept.ewma_alpha_bp = event.ewma_alpha_bp
            case BlendSet():
                self._blend(event)
            case PriceChanged():
                self.symbols[event.symbol].price = Price(
                    event.basis,
                    event.ewma_e6,
                    event.market_price_e2,
                    event.final_price_e2,
                    event.last_trade_ticks,
                )
            case VolumeTraded():
                self._enter(event)
            case PressureChanged():
                self._state_pressure(event)
            case ProposalPriced():
                pass  # it is said for those who decide; no price follows from it
            case _:
                assert_never(event)

    def _blend(self, event: BlendSet) -> None:
        weights = (event.market_weight_bp, event.reality_weight_bp, event.reality_score_e2)
        symbol = self.symbols.get(event.symbol)
        if symbol is None:
            self.symbols[event.symbol] = Symbol(*weights)
        else:
            if event.reality_score_e2 != symbol.reality_score_e2:
                symbol.listed_at_e2 = symbol.listing_score_e2
            symbol.market_weight_bp, symbol.reality_weight_bp, symbol.reality_score_e2 = weights

    def _enter(self, event: VolumeTraded) -> None:
        name = event.symbol
        symbol = self.symbols[name]
        self._unindex(name, symbol)
        symbol.minute.add(event.at_ns, event.buy_lots, event.sell_lots)
        symbol.hour.add(event.at_ns, event.buy_lots, event.sell_lots)
        self._index(name, symbol)
        symbol.traded_in = event.cause
        self.kept.fresh[name] = None

    def _state_pressure(self, event: PressureChanged) -> None:
        name = event.symbol
        symbol = self.symbols[name]
        self._unindex(name, symbol)
        minute = symbol.minute.shrink(event.buy_lots_1m, event.sell_lots_1m)
        hour = symbol.hour.shrink(event.buy_lots_1h, event.sell_lots_1h)
        if not (minute and hour):
            raise BrokenInvariant(f"the pressure stated for {name} is not what was traded")
        self._index(name, symbol)
        self.kept.fresh.pop(name, None)


LOAD: Final = msgspec.json.Decoder(Kept).decode
