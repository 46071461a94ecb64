"""The pricing engine: records of exchange, governance and reality in, prices out."""

from collections.abc import Sequence
from typing import Final

from engines.kernel import Grouping, apply_event
from engines.pricing import decide, inputs
from engines.pricing.evolve import EVENT_HANDLERS
from engines.pricing.state import PersistedPricingState, State, dump, load
from schemas import events as all_events
from schemas import subjects
from schemas.events.pricing import Event, PressureChanged
from schemas.stored import Stored

DECIDER: Final = "pricing/2"


class PricingEngine:
    """Follow every symbol's MarketPrice, FinalPrice and pressure.

    MarketPrice is the EWMA over trades in log order, from the score that the market was listed
    at; `steps.py` has what the policy's bounds make of it. A policy without bounds has the EWMA
    over every trade as it is, from the first one's price, and before that the mid, if there
    is one. RealityScore moves FinalPrice through its own weight only, never through both.
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
        return State(PersistedPricingState())

    def decide(self, state: State, message: Stored, now_ns: int) -> Sequence[Event]:
        """Return what one record changes; `now_ns` plays no part in it.

        Raises UnknownRecord for a record that cannot be read or does not fit the past.
        """
        return decide.judge(state, message.sequence, inputs.read(message))

    def on_group_end(
        self, state: State, inputs: Sequence[Stored], now_ns: int
    ) -> Sequence[PressureChanged]:
        """State the pressure of symbols that traded, and of those that time has changed."""
        return decide.pressures(state, now_ns)

    def weight(self, event: all_events.Event) -> int:
        return 1

    def evolve(self, state: State, event: all_events.Event) -> None:
        apply_event(self.name, EVENT_HANDLERS, state, event)

    def next_due_ns(self, state: State) -> int | None:
        return decide.next_due_ns(state)

    def dump(self, state: State) -> bytes:
        return dump(state)

    def load(self, data: bytes) -> State:
        return load(data)
