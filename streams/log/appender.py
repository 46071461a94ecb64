"""Many callers, one log: appends that wait at the same time share an atomic batch.

`append_all` is the same for one caller with messages that belong together.

While up to APPEND_SINGLES appends wait, each goes out alone, which is acked soonest. While
more wait, up to MAX_ATOMIC_BATCH of them share one batch and one sync to disk. At most
MAX_APPENDS_IN_FLIGHT groups are under way, so under load the next group grows.

What comes next is the queue's to say: an `Appender` has one for callers that wait, first come
first served; the relay's is fair to accounts.

A caller that awaits each append before the next one keeps its order. Appends that are under
way at the same time are stored in the order of the queue, unless the server refuses a batch:
its messages are then sent again one by one, behind other groups.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from schemas.errors import (
    AppendFailed,
    AppendUnknown,
    BatchesFull,
    EverythingError,
    LogUnavailable,
)
from schemas.limits import MAX_ATOMIC_BATCH, MAX_PAYLOAD_BYTES
from streams.log.limits import APPEND_SINGLES, MAX_APPEND_QUEUE, MAX_APPENDS_IN_FLIGHT
from streams.log.ports import Log

MAX_GROUP_BYTES: Final = MAX_PAYLOAD_BYTES


async def append_all(log: Log, messages: Sequence[tuple[str, bytes]]) -> None:
    """Append `messages` as one batch, or one by one while the log has no room for a batch.

    Strangers can open batches, too, and must not stop ours. Raises what
    `ports.Log.append_batch` raises but BatchesFull. One by one they are stored in their order, and
    an error leaves some of them on the log: for messages whose readers know doubles.
    """
    try:
        await log.append_batch(messages)
    except BatchesFull:
        for start in range(0, len(messages), APPEND_SINGLES):
            sent = [log.send(*one) for one in messages[start : start + APPEND_SINGLES]]
            outcomes = await asyncio.gather(*sent, return_exceptions=True)
            failures = [one for one in outcomes if isinstance(one, BaseException)]
            if failures:
                raise failures[0] from None


class Append(Protocol):
    """One message that somebody wants on the log, and who is told what became of it."""

    @property
    def subject(self) -> str: ...

    @property
    def payload(self) -> bytes: ...

    def succeed(self, sequence: int) -> None:
        """Take the sequence of the message, which is durable. The first outcome counts."""

    def fail(self, error: EverythingError) -> None:
        """Take why it is not known to be on the log. The first outcome counts."""


class AppendQueue(Protocol):
    """What waits to be appended."""

    def take(self) -> Sequence[Append]:
        """Remove and return the next group, within the bounds of a batch; none if none waits."""


class GroupAppender:
    """Appends to `log` what `queue` gives, group after group, a few of them at once."""

    def __init__(self, log: Log, queue: AppendQueue) -> None:
        self._log = log
        self._queue = queue
        self._under_way: set[asyncio.Task[None]] = set()
        self._launching = False

    def wake(self) -> None:
        """Say that the queue holds something."""
        if not self._launching:
            # Launch after all callers that are ready now, so that they share a group.
            self._launching = True
            asyncio.get_running_loop().call_soon(self._launch)

    async def finish(self) -> None:
        """Wait until the queue is empty and nothing is under way."""
        self._launch()
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _launch(self) -> None:
        self._launching = False
        while len(self._under_way) < MAX_APPENDS_IN_FLIGHT and (group := self._queue.take()):
            task = asyncio.get_running_loop().create_task(self._carry(group))
            self._under_way.add(task)
            task.add_done_callback(self._carried)

    def _carried(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._launch()

    async def _carry(self, group: Sequence[Append]) -> None:
        try:
            if len(group) <= APPEND_SINGLES:
                await self._one_by_one(group)
            else:
                await self._together(group)
        finally:
            for one in group:  # none is left unless this was cancelled
                one.fail(AppendUnknown("the append was cut short"))

    async def _together(self, group: Sequence[Append]) -> None:
        try:
            last = await self._log.append_batch([(one.subject, one.payload) for one in group])
        except AppendFailed:
            # One bad message fails the whole batch. Sent one by one, only that one fails.
            for start in range(0, len(group), APPEND_SINGLES):
                await self._one_by_one(group[start : start + APPEND_SINGLES])
        except EverythingError as error:
            for one in group:
                one.fail(error)
        else:
            for sequence, one in enumerate(group, last - len(group) + 1):
                one.succeed(sequence)

    async def _one_by_one(self, group: Sequence[Append]) -> None:
        """Send each message alone, in order and without waiting, and settle each alone."""
        sent: list[tuple[Append, Awaitable[int]]] = []
        for one in group:
            try:
                sent.append((one, self._log.send(one.subject, one.payload)))
            except EverythingError as error:
                one.fail(error)
        for one, answer in sent:
            try:
                sequence = await answer
            except EverythingError as error:
                one.fail(error)
            else:
                one.succeed(sequence)


class _Waiting:
    """An append whose caller waits for it."""

    __slots__ = ("done", "payload", "subject")

    def __init__(self, subject: str, payload: bytes) -> None:
        self.subject = subject
        self.payload = payload
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def succeed(self, sequence: int) -> None:
        if not self.done.done():
            self.done.set_result(sequence)

    def fail(self, error: EverythingError) -> None:
        """Raise a copy of `error`: an exception shared by callers would collect tracebacks."""
        if not self.done.done():
            own = type(error)(str(error))
            own.__cause__ = error
            self.done.set_exception(own)


class _Callers:
    """The callers that wait, first come first served."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()

    def take(self) -> list[_Waiting]:
        """Return the next appends, up to a batch's bounds, without those given up."""
        group: list[_Waiting] = []
        size = 0
        while self.waiting and len(group) < MAX_ATOMIC_BATCH:
            if self.waiting[0].done.done():
                self.waiting.popleft()
                continue
            size += len(self.waiting[0].payload)
            if group and size > MAX_GROUP_BYTES:
                break
            group.append(self.waiting.popleft())
        return group


class Appender:
    """Appends to `log` for any number of concurrent callers."""

    def __init__(self, log: Log) -> None:
        self._line = _Callers()
        self._groups = GroupAppender(log, self._line)
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many appends are not under way yet."""
        return len(self._line.waiting)

    async def append(self, subject: str, payload: bytes) -> int:
        """Append one message and return its sequence once it is durable.

        Raises LogUnavailable at once when MAX_APPEND_QUEUE appends already wait, and what
        `ports.Log.send` raises.
        """
        if self._closed:
            raise LogUnavailable("the appender is closed")
        if self.waiting >= MAX_APPEND_QUEUE:
            raise LogUnavailable("busy: too many appends are waiting")
        one = _Waiting(subject, payload)
        self._line.waiting.append(one)
        self._groups.wake()
        return await one.done

    async def close(self) -> None:
        """Refuse the appends that wait, and wait for those under way."""
        self._closed = True
        while self._line.waiting:
            self._line.waiting.popleft().fail(LogUnavailable("the appender is closed"))
        await self._groups.finish()
