"""The pricing engine: records of exchange, governance and reality in, prices out."""

from collections.abc import Sequence
from typing import Final

from engines.kernel import Grouping
from engines.pricing import inputs
from engines.pricing.prices import Working
from engines.pricing.state import LOAD, Kept, State
from schemas import events as all_events
from schemas import subjects
from schemas.codec import encode
from schemas.errors import UnknownRecord
from schemas.events.pricing import Event, PressureChanged
from schemas.limits import MAX_GROUP_EVENTS
from schemas.stored import Stored

DECIDER: Final = "pricing/1"


class PricingEngine:
    """Follow every symbol's MarketPrice, FinalPrice and pressure.

    MarketPrice is the EWMA over trades in log order, whatever time lies between them.
    Before any trade it is the mid, or without one the score that the market was listed at:
    RealityScore moves FinalPrice through its own weight only, never through both.
    A trade's volume enters the windows at the time of the exchange's record; pressure is
    stated as of this engine's own record. A symbol's pressure is stated when it trades,
    once for a group of inputs, and when a bucket leaves a window: at most once a second.
    """

    name = subjects.PRICING
    decider = DECIDER
    grouping = Grouping()

    def __init__(self, shard: str = subjects.DEFAULT_SHARD) -> None:
        self.reads = (
            subjects.events(shard, subjects.GOVERNANCE),
            subjects.events(shard, subjects.EXCHANGE),
            subjects.events(shard, subjects.REALITY),
        )

    def initial(self) -> State:
        """Return the state before any market is listed."""
        return State(Kept())

    def decide(self, state: State, message: Stored, now_ns: int) -> Sequence[Event]:
        """Return what one record changes; `now_ns` plays no part in it.

        Raises UnknownRecord for a record that cannot be read or does not fit the past.
        """
        given = inputs.read(message)
        if not given.events:
            return ()
        working = Working(state, message.sequence, given.time_ns)
        for event in given.events:
            working.take(event)
        return working.events()

    def on_group_end(
        self, state: State, inputs: Sequence[Stored], now_ns: int
    ) -> Sequence[PressureChanged]:
        """State the pressure of symbols that traded, and of those that time has changed."""
        names = list(state.kept.fresh)
        for due in sorted(due for due in state.due if due <= now_ns):
            names += sorted(name for name in state.due[due] if name not in state.kept.fresh)
        return [_pressure(state, name, now_ns) for name in names[:MAX_GROUP_EVENTS]]

    def weight(self, event: all_events.Event) -> int:
        return 1

    def evolve(self, state: State, event: all_events.Event) -> None:
        """Apply one of the pricing events. Raises UnknownRecord for another engine's."""
        if not isinstance(event, Event):
            raise UnknownRecord(f"pricing does not decide {type(event).__name__}")
        state.evolve(event)

    def next_due_ns(self, state: State) -> int | None:
        """Return when the next bucket leaves a window."""
        if state.kept.fresh:
            return 0  # more than one group had room for
        return min(state.due, default=None)

    def dump(self, state: State) -> bytes:
        """Return the kept state as canonical JSON; its dicts keep the order of the events."""
        return encode(state.kept)

    def load(self, data: bytes) -> State:
        """Return the state that `dump` wrote."""
        return State(LOAD(data))


def _pressure(state: State, name: str, now_ns: int) -> PressureChanged:
    symbol = state.symbols[name]
    buy_1m, sell_1m = symbol.minute.sums(now_ns)
    buy_1h, sell_1h = symbol.hour.sums(now_ns)
    return PressureChanged(symbol.traded_in, name, buy_1m, sell_1m, buy_1h, sell_1h)
