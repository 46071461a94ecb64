"""The input buffer: inputs that were read and not decided yet, and when they make a group."""

from schemas.stored import Stored
from streams.host.limits import FILL_GROUP_INPUTS, MAX_WAITING_BYTES, MAX_WAITING_INPUTS


class InputBuffer:
    """Holds inputs in order and tells how many of them to decide now.

    With `linger_ns` 0, a group is all that has arrived, and it is decided at once if no
    record is in flight. Behind a record in flight a group first grows to
    FILL_GROUP_INPUTS, so that load makes records larger instead of more. With another
    `linger_ns`, a group is decided when it is full or has been open for that time.
    Messages on the subjects `own` never open a group.
    """

    def __init__(
        self,
        max_inputs: int,
        linger_ns: int,
        own: tuple[str, ...] = (),
        narrowed_to: int | None = None,
    ) -> None:
        self._widest = max_inputs
        self._max_inputs = narrowed_to or max_inputs
        self._linger_ns = linger_ns
        self._own = own
        self._waiting: list[Stored] = []
        self._bytes = 0
        self._opened_ns: int | None = None
        self.last_seen = 0
        """The sequence of the newest input that was read."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether reading should pause."""
        return len(self._waiting) >= MAX_WAITING_INPUTS or self._bytes >= MAX_WAITING_BYTES

    def add(self, messages: list[Stored], now_ns: int) -> None:
        """Append the next messages."""
        if not messages:
            return
        self._waiting += messages
        self._bytes += sum([len(message.payload) for message in messages])
        self.last_seen = messages[-1].sequence
        if self._opened_ns is None and self._opens(messages):
            self._opened_ns = now_ns

    def ready(self, now_ns: int, in_flight: int) -> int:
        """Return how many inputs to decide now, 0 for none."""
        waiting = len(self._waiting)
        if self._opened_ns is None and not self.full:
            return 0
        if self._linger_ns:
            closed = waiting >= self._max_inputs or self.full
            if not closed and self._opened_ns is not None:
                closed = now_ns >= self._opened_ns + self._linger_ns
        else:
            closed = not in_flight or waiting >= min(FILL_GROUP_INPUTS, self._max_inputs)
        return min(waiting, self._max_inputs) if closed else 0

    def ready_at_ns(self) -> int | None:
        """Return when a lingering group closes by itself."""
        return self._opened_ns + self._linger_ns if self._opened_ns is not None else None

    def first(self, count: int) -> list[Stored]:
        """Return the first `count` inputs and keep them."""
        return self._waiting[:count]

    def drop(self, count: int, now_ns: int) -> None:
        """Remove the first `count` inputs, which are decided."""
        self._bytes -= sum([len(message.payload) for message in self._waiting[:count]])
        del self._waiting[:count]
        self._opened_ns = now_ns if self._opens(self._waiting) else None

    def widen(self) -> None:
        """Let groups grow again after they had been narrowed."""
        self._max_inputs = min(2 * self._max_inputs, self._widest)

    def _opens(self, messages: list[Stored]) -> bool:
        if not self._own:
            return bool(messages)
        return any(message.subject not in self._own for message in messages)
