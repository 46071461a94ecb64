"""What the pricing engine remembers. `evolve.py` says how its own events change that."""

from typing import Final

import msgspec

from engines.pricing.swings import Swings
from engines.pricing.windows import VolumeWindow
from schemas.codec import encode
from schemas.events.pricing import Basis
from schemas.policy import PriceBounds
from schemas.units import MINUTE_NS, SECOND_NS


class Price(msgspec.Struct, frozen=True):
    """The fields of the symbol's last PriceChanged."""

    basis: Basis
    ewma_e6: int
    market_price_e2: int
    final_price_e2: int
    last_trade_ticks: int | None


class PricedSymbol(msgspec.Struct):
    """One market: its blend, its price, the recent volume of takers, and who moved the price.

    `traded_in` is the sequence of the message with its last trades: the cause of the pressure
    that they leave.
    """

    market_weight_bp: int
    reality_weight_bp: int
    reality_score_e2: int
    listing_score_e2: int
    """The RealityScore that the market was listed at."""
    price: Price | None = None
    traded_in: int = 0
    minute: VolumeWindow = msgspec.field(default_factory=lambda: VolumeWindow(SECOND_NS))
    hour: VolumeWindow = msgspec.field(default_factory=lambda: VolumeWindow(MINUTE_NS))
    swings: Swings = {}

    def due_ns(self) -> int | None:
        """Return when time alone will change the symbol's pressure."""
        first, second = self.minute.due_ns(), self.hour.due_ns()
        if first is None or second is None:
            return first if second is None else second
        return min(first, second)


class PersistedPricingState(msgspec.Struct):
    """The part of the state that a snapshot holds.

    `fresh` holds the symbols whose volume changed since their last PressureChanged.
    """

    ewma_alpha_bp: int | None = None
    bounds: PriceBounds | None = None
    symbols: dict[str, PricedSymbol] = {}
    fresh: dict[str, None] = {}


class State:
    """The persisted state, and an index of the symbols by when they are due.

    All due times are bounds of buckets, so the index has at most about 120 of them.
    """

    def __init__(self, persisted: PersistedPricingState) -> None:
        self.persisted = persisted
        self.symbols = persisted.symbols
        self.due: dict[int, dict[str, None]] = {}
        for name, symbol in persisted.symbols.items():
            self.index(name, symbol)

    def index(self, name: str, symbol: PricedSymbol) -> None:
        """Enter when `symbol` is due, if it is."""
        due = symbol.due_ns()
        if due is not None:
            self.due.setdefault(due, {})[name] = None

    def unindex(self, name: str, symbol: PricedSymbol) -> None:
        """Take `symbol` out of the index, before what it is due by changes."""
        due = symbol.due_ns()
        if due is not None:
            names = self.due[due]
            del names[name]
            if not names:
                del self.due[due]


_decode: Final = msgspec.json.Decoder(PersistedPricingState).decode


def dump(state: State) -> bytes:
    """Return the persisted state as canonical JSON; dicts keep the order of the events.

    The codec and the field names stay as they are: hashes of these bytes stand on logs.
    """
    return encode(state.persisted)


def load(data: bytes) -> State:
    """Return the state that `dump` wrote."""
    return State(_decode(data))
