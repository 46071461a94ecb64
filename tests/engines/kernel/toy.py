"""A toy engine: it counts the bytes it was sent, closes when told, and wakes once."""

from collections.abc import Sequence

import msgspec

from engines.kernel import Grouping
from schemas import events as all_events
from schemas.codec import encode
from schemas.errors import UnknownRecord
from schemas.events.exchange import BookClosed, BookHalted, BookOpened
from schemas.events.notary import Sealed
from schemas.stored import Stored

WAKE_AFTER_NS = 100


class Tally(msgspec.Struct):
    """How many bytes have come, how many groups were concluded, and when to wake."""

    total: int = 0
    groups: int = 0
    closed: bool = False
    due_ns: int | None = None


class ToyEngine:
    """One event (BookOpened) for every byte of an input; the bytes `end` close it."""

    name = "toy"
    decider = "toy/1"
    reads = ("main.cmd.toy",)
    grouping = Grouping()

    def initial(self) -> Tally:
        return Tally()

    def decide(self, state: Tally, message: Stored, now_ns: int) -> Sequence[all_events.Event]:
        if state.closed:
            return ()
        if message.payload == b"end":
            return [BookClosed(message.sequence, "T")]
        # what it says depends on what the inputs before it in the group have left
        return [
            BookOpened(message.sequence, f"T{state.total}", position)
            for position in range(len(message.payload))
        ]

    def on_group_end(
        self, state: Tally, inputs: Sequence[Stored], now_ns: int
    ) -> Sequence[all_events.Event]:
        if inputs:
            return [Sealed(inputs[-1].sequence, now_ns, str(len(inputs)), "")]
        if state.due_ns is not None and state.due_ns <= now_ns:
            return [BookHalted(0, "T")]
        return ()

    def weight(self, event: all_events.Event) -> int:
        return 1

    def evolve(self, state: Tally, event: all_events.Event) -> None:
        match event:
            case BookOpened():
                state.total += 1
            case BookClosed():
                state.closed = True
            case Sealed():
                state.groups += 1
                state.due_ns = event.through + WAKE_AFTER_NS
            case BookHalted():
                state.due_ns = None
            case _:
                raise UnknownRecord(type(event).__name__)

    def next_due_ns(self, state: Tally) -> int | None:
        return state.due_ns

    def dump(self, state: Tally) -> bytes:
        return encode(state)

    def load(self, data: bytes) -> Tally:
        return msgspec.json.decode(data, type=Tally)
