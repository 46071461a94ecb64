"""Appends on the wire: sent in order, matched with their acks, looked for when none comes.

    in flight
      | the server acked it ..................................... its sequence
      | the server refused it, and not for its fence ............ AppendFailed
      | the server has too many batches open .................... BatchesFull
      |
      | the server says that the fence did not hold, no ack came within
      | APPEND_TIMEOUT_S, or the connection was lost
      v
    unknown
      | it is on the log, or a late ack comes ................... its sequence
      | it is not there, and another writer's Epoch is .......... Fenced
      | it is not there, and the server had refused it .......... AppendFailed
      | it is not there, and its connection is lost ............. AppendUnknown
      | RESOLVE_WITHIN_S are over, or the log is closed ......... AppendUnknown
      |
      | it is not there, and its connection lives: it may still arrive
      +-> look at the log again after APPEND_TIMEOUT_S

Only the log settles an unknown append, never an error code.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from secrets import token_hex

from schemas.errors import (
    AppendFailed,
    AppendUnknown,
    BatchesFull,
    EverythingError,
    Fenced,
    LogDiverged,
    LogUnavailable,
    OperatingError,
)
from schemas.limits import APPEND_TIMEOUT_S
from schemas.stored import Stored
from streams.log import publishing
from streams.log.cursor import Cursor, ReadableLog
from streams.log.limits import MAX_SENDS_IN_FLIGHT, RESOLVE_WITHIN_S
from streams.log.nats_stream import NatsStream
from streams.log.nats_wire import Wire, status_of
from streams.log.ports import Fence


class InFlightAppend:
    """An append without an answer yet: a message, or the first and last of a batch."""

    __slots__ = (
        "count",
        "done",
        "fence",
        "first",
        "floor",
        "founding",
        "payload",
        "refused",
        "replies",
        "subject",
        "timer",
        "wire",
    )

    def __init__(
        self,
        wire: Wire,
        first: tuple[str, bytes],
        last: tuple[str, bytes],
        count: int,
        fence: Fence | None,
        floor: int,
        founding: bool = False,
    ) -> None:
        self.wire = wire
        self.first = first
        self.subject, self.payload = last
        self.count = count
        self.fence = fence
        self.floor = floor
        self.founding = founding
        self.refused = ""
        self.replies: list[bytes] = []
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.timer: asyncio.TimerHandle | None = None


class PendingAppends:
    """The appends of one connection to `stream` that are in flight or unknown.

    `log` is the same stream, and reads back what became of an unknown append.
    """

    def __init__(self, stream: NatsStream, log: ReadableLog) -> None:
        self._stream = stream
        self._log = log
        self._in_flight: set[InFlightAppend] = set()
        self._resolving: set[asyncio.Task[None]] = set()
        self._fenced_on: tuple[Fence, Wire] | None = None
        """The fence that was used last, and its connection."""
        stream.when_lost(self._connection_lost)

    def send(self, subject: str, payload: bytes, fence: Fence | None) -> "asyncio.Future[int]":
        """Put one message on the wire now, or return why not as a failed future."""
        try:
            header = publishing.fence_header(fence)
            return self._send(subject, payload, header, fence, founding=False)
        except EverythingError as error:
            return _failed(error)

    async def batch(self, messages: Sequence[tuple[str, bytes]], fence: Fence | None) -> int:
        """Append all of `messages` or none. One alone is no batch: it needs none of the server."""
        if len(messages) == 1:
            subject, payload = messages[0]
            return await self.send(subject, payload, fence)
        wire = self._live_wire()
        coded = [
            (publishing.check_subject(subject, self._stream.prefix), payload)
            for subject, payload in messages
        ]
        for _, payload in coded:
            publishing.check_size(payload, wire.max_payload)
        if not coded:
            raise AppendFailed("an empty batch")
        self._check_fence(wire, fence)
        append = InFlightAppend(
            wire, messages[0], messages[-1], len(messages), fence, self._stream.floor
        )
        first, last = self._expect_first(append), self._expect_ack(append)
        try:
            data = publishing.batch(
                coded,
                # The id counts for the whole stream. Who guessed it could commit our batch early.
                token_hex(12).encode(),
                first,
                last,
                publishing.fence_header(fence),
            )
            self._launch(append, data)
        except EverythingError:
            self._flush_landed(append)
            raise
        with contextlib.suppress(LogUnavailable):  # then `_connection_lost` settles it
            await wire.drain()
        return await append.done

    async def found(self, subject: str, payload: bytes) -> int:
        """Append the first message of an empty log."""
        header = publishing.EMPTY_LOG_HEADER
        return await self._send(subject, payload, header, None, founding=True)

    def _send(
        self, subject: str, payload: bytes, header: bytes, fence: Fence | None, *, founding: bool
    ) -> "asyncio.Future[int]":
        wire = self._live_wire()
        coded = publishing.check_subject(subject, self._stream.prefix)
        publishing.check_size(payload, wire.max_payload)
        self._check_fence(wire, fence)
        message = (subject, payload)
        append = InFlightAppend(wire, message, message, 1, fence, self._stream.floor, founding)
        reply = self._expect_ack(append)
        try:
            self._launch(append, publishing.single(coded, reply, payload, header))
        except EverythingError:
            self._flush_landed(append)
            raise
        return append.done

    def _live_wire(self) -> Wire:
        """Return the connection; raise AppendFailed if there is none, and start to make one."""
        wire = self._stream.live_wire
        if wire is None:
            self._stream.redial()
            raise AppendFailed("not connected; nothing was sent")
        return wire

    def _check_fence(self, wire: Wire, fence: Fence | None) -> None:
        """Refuse a fence that was used on a connection that is gone.

        A record on that connection may not have arrived. No later record of the same writer
        may be stored without it.
        """
        if fence is None:
            return
        if self._fenced_on is None or self._fenced_on[0] != fence:
            self._fenced_on = (fence, wire)
        elif self._fenced_on[1] is not wire:
            raise AppendFailed("the connection of this fence is gone: read the log")

    def _launch(self, append: InFlightAppend, data: bytes) -> None:
        if len(self._in_flight) >= MAX_SENDS_IN_FLIGHT:
            raise AppendFailed(f"{MAX_SENDS_IN_FLIGHT} appends have no answer yet")
        try:
            append.wire.write(data)
        except LogUnavailable as error:
            raise AppendFailed("not connected; nothing was sent") from error
        self._in_flight.add(append)
        append.timer = asyncio.get_running_loop().call_later(
            APPEND_TIMEOUT_S, self._resolve_unknown, append
        )

    def _expect_first(self, append: InFlightAppend) -> bytes:
        """Expect the answer to a batch's first message: empty, or the reason of a refusal."""

        def answered(header: bytes, payload: bytes) -> None:
            if payload or status_of(header):
                self._settle(append, publishing.read_ack(status_of(header), payload))

        reply = append.wire.expect(append.first[0], answered)
        append.replies.append(reply)
        return reply

    def _expect_ack(self, append: InFlightAppend) -> bytes:
        def answered(header: bytes, payload: bytes) -> None:
            self._settle(append, publishing.read_ack(status_of(header), payload))

        reply = append.wire.expect(append.subject, answered)
        append.replies.append(reply)
        return reply

    def _settle(self, append: InFlightAppend, ack: publishing.Ack) -> None:
        if append.done.done():
            return
        if not ack.error:
            self._succeed(append, ack.sequence)
        elif ack.error == publishing.WRONG_LAST_SEQUENCE and append.fence is not None:
            append.refused = ack.text
            self._resolve_unknown(append)
        else:
            kind = BatchesFull if ack.error == publishing.BATCHES_FULL else AppendFailed
            self._fail(append, kind(f"{ack.error}: {ack.text}"))

    def _succeed(self, append: InFlightAppend, sequence: int) -> None:
        """Accept a sequence; raise LogDiverged if another message is known to have it."""
        if sequence - append.count < append.floor:
            self._fail(
                append,
                LogDiverged(f"{self._stream.name} gives sequence {sequence} after {append.floor}"),
            )
            return
        self._stream.floor = max(self._stream.floor, sequence)
        self._flush_landed(append)
        if not append.done.done():
            append.done.set_result(sequence)

    def _fail(self, append: InFlightAppend, error: EverythingError) -> None:
        self._flush_landed(append)
        if not append.done.done():
            append.done.set_exception(error)

    def _flush_landed(self, append: InFlightAppend) -> None:
        self._in_flight.discard(append)
        if append.timer is not None:
            append.timer.cancel()
        for reply in append.replies:
            append.wire.forget(reply)

    # -- appends without a clear answer ----------------------------------------------

    def _resolve_unknown(self, append: InFlightAppend) -> None:
        """Start to look for `append` on the log. A late ack still settles it."""
        if append not in self._in_flight:
            return
        self._in_flight.discard(append)
        if append.timer is not None:
            append.timer.cancel()
        task = asyncio.get_running_loop().create_task(self._resolve(append))
        self._resolving.add(task)
        task.add_done_callback(self._resolving.discard)

    async def _resolve(self, append: InFlightAppend) -> None:
        try:
            async with asyncio.timeout(RESOLVE_WITHIN_S):
                while not await self._look(append):
                    # The connection lives, so the append may still be on its way.
                    await asyncio.wait([append.done], timeout=APPEND_TIMEOUT_S)
        except (OperatingError, TimeoutError) as error:
            self._fail(append, AppendUnknown(f"no ack, and the log cannot be read: {error}"))
        except EverythingError as error:
            self._fail(append, error)
        except asyncio.CancelledError:
            self._fail(append, AppendUnknown("no ack, and the log is being closed"))
            raise

    async def _look(self, append: InFlightAppend) -> bool:
        """Settle `append` by what is on the log; return False if that may still change."""
        sequence = await self._find(append)
        fence = append.fence
        holder = await self._log.last(fence.subject) if fence else None
        if append.done.done():
            return True
        if sequence is not None:
            self._succeed(append, sequence)
        elif fence is not None and (holder is None or holder.sequence != fence.sequence):
            self._fail(append, _fenced(fence, holder))
        elif append.refused:
            self._fail(append, AppendFailed(append.refused))
        elif append.wire.lost:
            self._fail(append, AppendUnknown("no ack, and not on the log so far"))
        return append.done.done()

    async def _find(self, append: InFlightAppend) -> int | None:
        """Return the sequence of the last message of `append`, None if it is not on the log.

        A message is recognized by subject and bytes, among those behind the newest sequence
        that was known when it was sent. Of equal messages the first one counts, because
        commands and records execute once.
        """
        last = await self._log.last(append.subject)
        if last is None or last.sequence <= append.floor:
            return None
        async with Cursor(self._log, [append.subject], append.floor) as cursor:
            async for messages in cursor.read_to(last.sequence):
                for sequence, _, payload in messages:
                    if payload == append.payload and await self._starts(append, sequence):
                        return sequence
        return None

    async def _starts(self, append: InFlightAppend, sequence: int) -> bool:
        """Tell whether the batch that ends at `sequence` begins with the first of `append`."""
        if append.count == 1:
            return True
        first = await self._log.get(sequence - append.count + 1)
        return first is not None and (first.subject, first.payload) == append.first

    def _connection_lost(self) -> None:
        for append in [one for one in self._in_flight if one.wire.lost]:
            self._resolve_unknown(append)

    async def close(self) -> None:
        """End each append without an ack in AppendUnknown."""
        tasks = list(self._resolving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for append in list(self._in_flight):
            self._fail(append, AppendUnknown("no ack, and the log is closed"))


def _failed(error: EverythingError) -> "asyncio.Future[int]":
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


def _fenced(fence: Fence, holder: Stored | None) -> Fenced:
    at = holder.sequence if holder else 0
    return Fenced(f"the last message on {fence.subject} is {at}, not {fence.sequence}")
