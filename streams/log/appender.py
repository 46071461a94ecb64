"""Many callers, one log: appends that wait at the same time share an atomic batch.

`append_all` is the same for one caller with messages that belong together.

While up to APPEND_SINGLES appends wait, each goes out alone, which is acked soonest. While
more wait, up to MAX_ATOMIC_BATCH of them share one batch and one sync to disk. At most
MAX_APPENDS_IN_FLIGHT groups are under way, so under load the next group grows.

A caller that awaits each append before the next one keeps its order. Appends that are under
way at the same time are stored in the order of the calls, unless the server refuses a batch:
its messages are then sent again one by one, behind other groups.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Final, NamedTuple

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


class _Waiting(NamedTuple):
    subject: str
    payload: bytes
    done: "asyncio.Future[int]"


class Appender:
    """Appends to `log` for any number of concurrent callers."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._queue: deque[_Waiting] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._launching = False
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many appends are not under way yet."""
        return len(self._queue)

    async def append(self, subject: str, payload: bytes) -> int:
        """Append one message and return its sequence once it is durable.

        Raises LogUnavailable at once when MAX_APPEND_QUEUE appends already wait, and what
        `ports.Log.send` raises.
        """
        if self._closed:
            raise LogUnavailable("the appender is closed")
        if len(self._queue) >= MAX_APPEND_QUEUE:
            raise LogUnavailable("busy: too many appends are waiting")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(subject, payload, loop.create_future())
        self._queue.append(waiting)
        if not self._launching:
            # Launch after all callers that are ready now, so that they share a group.
            self._launching = True
            loop.call_soon(self._launch)
        return await waiting.done

    async def close(self) -> None:
        """Refuse the appends that wait, and wait for those under way."""
        self._closed = True
        while self._queue:
            _fail(self._queue.popleft(), LogUnavailable("the appender is closed"))
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _launch(self) -> None:
        self._launching = False
        while self._queue and len(self._under_way) < MAX_APPENDS_IN_FLIGHT:
            group = self._take()
            if group:
                task = asyncio.get_running_loop().create_task(self._carry(group))
                self._under_way.add(task)
                task.add_done_callback(self._carried)

    def _carried(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._launch()

    def _take(self) -> list[_Waiting]:
        """Return the next appends, up to a batch's bounds, without those given up."""
        group: list[_Waiting] = []
        size = 0
        while self._queue and len(group) < MAX_ATOMIC_BATCH:
            size += len(self._queue[0].payload)
            if group and size > MAX_GROUP_BYTES:
                break
            waiting = self._queue.popleft()
            if not waiting.done.done():
                group.append(waiting)
        return group

    async def _carry(self, group: Sequence[_Waiting]) -> None:
        try:
            if len(group) <= APPEND_SINGLES:
                await self._one_by_one(group)
            else:
                await self._together(group)
        finally:
            for waiting in group:  # none is left unless this was cancelled
                _fail(waiting, AppendUnknown("the append was cut short"))

    async def _together(self, group: Sequence[_Waiting]) -> None:
        try:
            last = await self._log.append_batch([(one.subject, one.payload) for one in group])
        except AppendFailed:
            # One bad message fails the whole batch. Sent one by one, only that one fails.
            for start in range(0, len(group), APPEND_SINGLES):
                await self._one_by_one(group[start : start + APPEND_SINGLES])
        except EverythingError as error:
            for waiting in group:
                _fail(waiting, error)
        else:
            for sequence, waiting in enumerate(group, last - len(group) + 1):
                if not waiting.done.done():
                    waiting.done.set_result(sequence)

    async def _one_by_one(self, group: Sequence[_Waiting]) -> None:
        """Send each message alone, in order and without waiting, and settle each alone."""
        sent: list[tuple[_Waiting, Awaitable[int]]] = []
        for waiting in group:
            try:
                sent.append((waiting, self._log.send(waiting.subject, waiting.payload)))
            except EverythingError as error:
                _fail(waiting, error)
        for waiting, answer in sent:
            try:
                sequence = await answer
            except EverythingError as error:
                _fail(waiting, error)
            else:
                if not waiting.done.done():
                    waiting.done.set_result(sequence)


def _fail(waiting: _Waiting, error: EverythingError) -> None:
    """Raise a copy of `error` for one caller: a shared exception would collect tracebacks."""
    if not waiting.done.done():
        own = type(error)(str(error))
        own.__cause__ = error
        waiting.done.set_exception(own)
