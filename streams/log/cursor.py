"""The cursor: a position on the log, and the one way to read on from it.

    read_to(sequence)   ends at a message that is known to be on the log
    follow()            never ends

Both yield messages in batches, in the order of the log, and an empty batch whenever nothing
came for READ_POLL_S: a caller looks up from the log then. Errors:

    LogUnavailable      `read_to`: READ_PATIENCE empty polls in a row, although there is more
    LogGap              a message that must be there was passed over
    LogDiverged         the log was opened again and no longer holds the last message
"""

import contextlib
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Protocol, Self, TypeVar

import structlog

from schemas.errors import LogDiverged, LogGap, LogUnavailable, OperatingError
from schemas.limits import READ_BATCH
from schemas.stored import Stored
from streams.log.limits import READ_PATIENCE, READ_POLL_S, REOPEN_ATTEMPTS, REOPEN_PAUSE_S
from streams.log.ports import Clock, Reader

T = TypeVar("T")

_logger = structlog.get_logger(__name__)


class ReadableLog(Protocol):
    """The part of `ports.Log` that a cursor needs."""

    @property
    def shard(self) -> str: ...
    async def open_reader(self, subjects: Sequence[str], after: int) -> Reader: ...
    async def get(self, sequence: int) -> Stored | None: ...
    async def last(self, subject: str, at: int | None = None) -> Stored | None: ...


async def retried(ask: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """Return what `ask` returns, asking again after an OperatingError.

    It is asked REOPEN_ATTEMPTS times at most, REOPEN_PAUSE_S apart.
    """
    for attempt in count(1):
        try:
            return await ask()
        except OperatingError as error:
            if attempt >= REOPEN_ATTEMPTS:
                raise
            _logger.warning("log interrupted", error=str(error), attempt=attempt)
        await clock.sleep(REOPEN_PAUSE_S)
    raise AssertionError("unreachable")


class Batches:
    """An asynchronous iterator over batches.

    It holds nothing, so a loop over it may be left at any point. A generator would be
    finalized later, by a task of the event loop.
    """

    def __init__(self, step: Callable[[], Awaitable[list[Stored] | None]]) -> None:
        self._step = step

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Stored]:
        batch = await self._step()
        if batch is None:
            raise StopAsyncIteration
        return batch


class Cursor:
    """Reads what matches any of `subjects` behind sequence `after`.

    As a context manager it opens its reader at once, otherwise at the first read. `batch`
    bounds the messages of a batch; it is READ_BATCH by default. A cursor over the whole log
    (`<shard>.>`) also checks that sequences are dense.
    """

    def __init__(
        self, log: ReadableLog, subjects: Sequence[str], after: int = 0, *, batch: int | None = None
    ) -> None:
        self._log = log
        self._subjects = tuple(subjects)
        self._is_dense = f"{log.shard}.>" in self._subjects
        self._batch = batch or READ_BATCH
        self._reader: Reader | None = None
        self._last: Stored | None = None
        self._ahead: list[Stored] = []
        """Messages that were read behind the sequence that a `read_to` asked for."""
        self.position = after
        """Every message up to this sequence has been yielded."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the reader, if it is not open. Raises what `ports.Log.open_reader` raises."""
        if self._reader is not None:
            return
        if self._last is not None and await self._log.get(self._last.sequence) != self._last:
            raise LogDiverged(f"sequence {self._last.sequence}: another message stands there now")
        self._reader = await self._log.open_reader(self._subjects, self.position)

    async def close(self) -> None:
        """Close the reader. The next read opens another one behind `position`."""
        reader, self._reader = self._reader, None
        self._ahead = []
        if reader is not None:
            with contextlib.suppress(OperatingError):
                await reader.close()

    async def end(self) -> int:
        """Return the sequence of the last message on the subjects now, 0 for none.

        The subjects must have no wildcards.
        """
        ends = [await self._log.last(subject) for subject in self._subjects]
        return max((end.sequence for end in ends if end is not None), default=0)

    def has_read(self, sequence: int) -> bool:
        """Tell whether a message at `sequence` or behind it has been read already."""
        return bool(self._ahead) and self._ahead[-1].sequence >= sequence

    def read_to(self, sequence: int, *, exact: bool = True) -> Batches:
        """Yield the messages up to `sequence`.

        With `exact` the message at `sequence` matches the subjects and is on the log, so
        LogGap is raised if a later one comes instead. Without it the later one ends the
        iteration. Messages behind `sequence` are kept for the next call.
        """
        silences = 0

        async def step() -> list[Stored] | None:
            nonlocal silences
            if self.position >= sequence:
                return None
            messages = self._ahead or await self._poll()
            if not messages:
                silences += 1
                if silences >= READ_PATIENCE:
                    raise LogUnavailable(
                        f"nothing comes behind sequence {self.position}, "
                        f"and {sequence} is on the log"
                    )
                return []
            silences = 0
            messages = self._split(messages, sequence)
            if messages:
                self._note(messages)
            elif exact:
                raise LogGap(
                    f"sequence {self._ahead[0].sequence} comes behind {self.position}, "
                    f"and {sequence} does not"
                )
            if self._ahead and not exact:
                self.position = sequence
            return messages

        return Batches(step)

    def follow(self, *, retry: Clock | None = None) -> Batches:
        """Yield messages without end.

        With `retry`, an OperatingError has the log opened again, REOPEN_ATTEMPTS times in a
        row at most and REOPEN_PAUSE_S apart by that clock. Otherwise it is raised at once.
        """

        async def step() -> list[Stored]:
            messages, self._ahead = self._ahead, []
            if not messages and retry is None:
                messages = await self._poll()
            elif not messages and retry is not None:
                messages = await retried(self._poll, retry)
            if messages:
                self._note(messages)
            return messages

        return Batches(step)

    async def _poll(self) -> list[Stored]:
        """Return the next messages of the reader. A reader that failed is not used again."""
        if self._reader is None:
            await self.open()
            assert self._reader is not None
        try:
            messages = await self._reader.poll(self._batch, READ_POLL_S)
        except OperatingError:
            await self.close()
            raise
        if self._is_dense:
            self._check_dense(messages)
        return messages

    def _check_dense(self, messages: Sequence[Stored]) -> None:
        expected = self.position + 1
        if not messages or messages[-1].sequence == self.position + len(messages):
            return  # sequences ascend, so there is no room for a gap
        for message in messages:
            if message.sequence != expected:
                raise LogGap(f"sequence {message.sequence} follows {expected - 1}")
            expected += 1

    def _split(self, messages: list[Stored], sequence: int) -> list[Stored]:
        """Return the messages up to `sequence` and keep the others."""
        if messages[-1].sequence <= sequence:
            self._ahead = []
            return messages
        count = bisect_right(messages, sequence, key=lambda message: message.sequence)
        self._ahead = messages[count:]
        return messages[:count]

    def _note(self, messages: Sequence[Stored]) -> None:
        self._last = messages[-1]
        self.position = self._last.sequence
