"""Ports: what processes need of the world, so that a simulated world can replace it.

The real ones are `nats_log.NatsLog` and `clock.SystemClock`. The simulated log passes the
same contract suite (`tests/contract`) as the real server.
"""

from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol

from schemas.stored import Stored


class Fence(NamedTuple):
    """A fencing token: append only while the last message on `subject` has `sequence`.

    That message is the Epoch of the writer, so the Epoch of another writer ends its fence.
    """

    subject: str
    sequence: int


class Clock(Protocol):
    """Time, for processes only. Engines get the time of their group as an argument."""

    def now_ns(self) -> int:
        """Return nanoseconds since 1970 UTC."""

    async def sleep(self, seconds: float) -> None: ...


class Reader(Protocol):
    """Reads the log in order and without gaps, and waits at its end. Use a `Cursor` on it."""

    async def poll(self, max_messages: int, timeout_s: float) -> list[Stored]:
        """Return the next messages in sequence order, [] if none came within `timeout_s`.

        Raises LogGap when the server skipped any, LogDiverged when the log's end moved
        back, LogUnavailable when it cannot be reached within its bounds.
        """

    async def close(self) -> None: ...


class Log(Protocol):
    """One shard's log."""

    @property
    def shard(self) -> str: ...

    def send(self, subject: str, payload: bytes, fence: Fence | None = None) -> Awaitable[int]:
        """Put one message on the wire now; the result is its sequence once it is durable.

        Messages sent by one writer are stored in the order of the calls. The result raises
        Fenced when the fence did not hold, AppendFailed when the log refused, and
        AppendUnknown when no answer came. Only reading the log tells what became of it.
        """

    async def append_batch(
        self, messages: Sequence[tuple[str, bytes]], fence: Fence | None = None
    ) -> int:
        """Append up to MAX_ATOMIC_BATCH messages, all or none; return the last's sequence.

        They get consecutive sequences; `fence` is checked for all at once. Raises as
        `send` does, and BatchesFull while others hold as many batches open as the log takes.
        One message alone is appended as `send` does it.
        """

    async def found(self, subject: str, payload: bytes) -> int:
        """Append the first message of an empty log. Raises AppendFailed if it is not empty."""

    async def open_reader(self, subjects: Sequence[str], after: int) -> Reader:
        """Read what matches any of `subjects` (wildcards allowed) behind sequence `after`."""

    async def get(self, sequence: int) -> Stored | None:
        """Return the message at `sequence`, or None if there is none."""

    async def last(self, subject: str, at: int | None = None) -> Stored | None:
        """Return the last message on exactly `subject`, or that as of sequence `at`."""

    async def last_sequence(self) -> int:
        """Return the sequence of the last message, 0 for an empty log."""

    async def close(self) -> None: ...
