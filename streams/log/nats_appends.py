"""Appends on the wire: sent in order, matched with their acks, looked for when none comes.

An append that the server acked or plainly refused is settled by that. One whose fence
did not hold, whose ack does not come in time or whose connection is lost is settled by
reading the log: it is there, or another writer holds the office, or nobody can say yet.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from secrets import token_hex
from typing import TYPE_CHECKING

from schemas.errors import (
    AppendFailed,
    AppendUnknown,
    EverythingError,
    Fenced,
    LogDiverged,
    LogUnavailable,
    OperatingError,
)
from schemas.limits import APPEND_TIMEOUT_S, READ_BATCH
from schemas.stored import Stored
from streams.log import publishing
from streams.log.limits import MAX_SENDS_IN_FLIGHT, RESOLVE_WITHIN_S
from streams.log.nats_wire import Wire, status_of
from streams.log.ports import Fence

if TYPE_CHECKING:
    from streams.log.nats_log import NatsLog


class _Flight:
    """One append that has no answer yet: a message, or a batch named by its first and last."""

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


class Appends:
    """What one `NatsLog` has appended and not heard of yet."""

    def __init__(self, log: "NatsLog") -> None:
        self._log = log
        self._flights: set[_Flight] = set()
        self._resolving: set[asyncio.Task[None]] = set()
        self._office: tuple[Fence, Wire] | None = None

    def send(self, subject: str, payload: bytes, fence: Fence | None) -> "asyncio.Future[int]":
        """Put one message on the wire now, or return why not as a failed future."""
        try:
            header = publishing.fence_header(fence)
            return self._send(subject, payload, header, fence, founding=False)
        except EverythingError as error:
            return _failed(error)

    async def batch(self, messages: Sequence[tuple[str, bytes]], fence: Fence | None) -> int:
        """Append all of `messages` or none."""
        wire = self._live_wire()
        coded = [
            (publishing.check_subject(subject, self._log.prefix), payload)
            for subject, payload in messages
        ]
        for _, payload in coded:
            publishing.check_size(payload, wire.max_payload)
        if not coded:
            raise AppendFailed("an empty batch")
        self._check_office(wire, fence)
        flight = _Flight(wire, messages[0], messages[-1], len(messages), fence, self._log.floor)
        first, last = self._expect_first(flight), self._expect_ack(flight)
        try:
            data = publishing.batch(
                coded,
                # stream-wide, and stored: whoever could guess one could commit our batch early
                token_hex(12).encode(),
                first,
                last,
                publishing.fence_header(fence),
            )
            self._launch(flight, data)
        except EverythingError:
            self._land(flight)
            raise
        with contextlib.suppress(LogUnavailable):  # if it is lost, the flight will say so
            await wire.drain()
        return await flight.done

    async def found(self, subject: str, payload: bytes) -> int:
        """Append the first message of an empty log."""
        header = publishing.EMPTY_LOG_HEADER
        return await self._send(subject, payload, header, None, founding=True)

    def _send(
        self, subject: str, payload: bytes, header: bytes, fence: Fence | None, *, founding: bool
    ) -> "asyncio.Future[int]":
        wire = self._live_wire()
        coded = publishing.check_subject(subject, self._log.prefix)
        publishing.check_size(payload, wire.max_payload)
        self._check_office(wire, fence)
        message = (subject, payload)
        flight = _Flight(wire, message, message, 1, fence, self._log.floor, founding)
        reply = self._expect_ack(flight)
        try:
            self._launch(flight, publishing.single(coded, reply, payload, header))
        except EverythingError:
            self._land(flight)
            raise
        return flight.done

    def _live_wire(self) -> Wire:
        """Return the connection; without one, have it made, and send nothing now."""
        wire = self._log.live_wire
        if wire is None:
            self._log.redial()
            raise AppendFailed("not connected; nothing was sent")
        return wire

    def _check_office(self, wire: Wire, fence: Fence | None) -> None:
        """Refuse a fence that was used on a connection that is gone.

        What was on that connection may or may not have arrived, and what came after it
        must not arrive without it.
        """
        if fence is None:
            return
        if self._office is None or self._office[0] != fence:
            self._office = (fence, wire)
        elif self._office[1] is not wire:
            raise AppendFailed("the connection of this office is gone: read the log")

    def _launch(self, flight: _Flight, data: bytes) -> None:
        if len(self._flights) >= MAX_SENDS_IN_FLIGHT:
            raise AppendFailed(f"{MAX_SENDS_IN_FLIGHT} appends have no answer yet")
        try:
            flight.wire.write(data)
        except LogUnavailable as error:
            raise AppendFailed("not connected; nothing was sent") from error
        self._flights.add(flight)
        flight.timer = asyncio.get_running_loop().call_later(APPEND_TIMEOUT_S, self._doubt, flight)

    def _expect_first(self, flight: _Flight) -> bytes:
        """Expect the answer to a batch's first message: nothing, or why there is no batch."""

        def answered(header: bytes, payload: bytes) -> None:
            if payload or status_of(header):
                self._settle(flight, publishing.read_ack(status_of(header), payload))

        reply = flight.wire.expect(flight.first[0], answered)
        flight.replies.append(reply)
        return reply

    def _expect_ack(self, flight: _Flight) -> bytes:
        def answered(header: bytes, payload: bytes) -> None:
            self._settle(flight, publishing.read_ack(status_of(header), payload))

        reply = flight.wire.expect(flight.subject, answered)
        flight.replies.append(reply)
        return reply

    def _settle(self, flight: _Flight, ack: publishing.Ack) -> None:
        if flight.done.done():
            return
        if not ack.error:
            self._succeed(flight, ack.sequence)
        elif ack.error == publishing.WRONG_LAST_SEQUENCE and flight.fence is not None:
            flight.refused = ack.text
            self._doubt(flight)
        else:
            self._fail(flight, AppendFailed(f"{ack.error}: {ack.text}"))

    def _succeed(self, flight: _Flight, sequence: int) -> None:
        """Accept a sequence, unless the past says that it was given away before."""
        if sequence - flight.count < flight.floor:
            self._fail(
                flight,
                LogDiverged(f"{self._log.stream} gives sequence {sequence} after {flight.floor}"),
            )
            return
        self._log.floor = max(self._log.floor, sequence)
        self._land(flight)
        if not flight.done.done():
            flight.done.set_result(sequence)

    def _fail(self, flight: _Flight, error: EverythingError) -> None:
        self._land(flight)
        if not flight.done.done():
            flight.done.set_exception(error)

    def _land(self, flight: _Flight) -> None:
        self._flights.discard(flight)
        if flight.timer is not None:
            flight.timer.cancel()
        for reply in flight.replies:
            flight.wire.forget(reply)

    # -- appends without a clear answer ----------------------------------------------

    def _doubt(self, flight: _Flight) -> None:
        """Have the log say what became of `flight`. An ack that still comes is welcome."""
        if flight not in self._flights:
            return
        self._flights.discard(flight)
        if flight.timer is not None:
            flight.timer.cancel()
        task = asyncio.get_running_loop().create_task(self._resolve(flight))
        self._resolving.add(task)
        task.add_done_callback(self._resolving.discard)

    async def _resolve(self, flight: _Flight) -> None:
        try:
            async with asyncio.timeout(RESOLVE_WITHIN_S):
                while not await self._look(flight):
                    # The connection stands, so the append may still be on its way.
                    await asyncio.wait([flight.done], timeout=APPEND_TIMEOUT_S)
        except (OperatingError, TimeoutError) as error:
            self._fail(flight, AppendUnknown(f"no ack, and the log does not tell: {error}"))
        except EverythingError as error:
            self._fail(flight, error)
        except asyncio.CancelledError:
            self._fail(flight, AppendUnknown("no ack, and the log is being closed"))
            raise

    async def _look(self, flight: _Flight) -> bool:
        """Settle `flight` by what stands on the log; return False if that may change yet."""
        sequence = await self._find(flight)
        fence = flight.fence
        holder = await self._log.last(fence.subject) if fence else None
        if flight.done.done():
            return True
        if sequence is not None:
            self._succeed(flight, sequence)
        elif fence is not None and (holder is None or holder.sequence != fence.sequence):
            self._fail(flight, _fenced(fence, holder))
        elif flight.refused:
            self._fail(flight, AppendFailed(flight.refused))
        elif flight.wire.lost:
            self._fail(flight, AppendUnknown("no ack, and not on the log so far"))
        return flight.done.done()

    async def _find(self, flight: _Flight) -> int | None:
        """Return where `flight`'s last message stands, None if it does not.

        It is known by subject and bytes, behind the sequence that was the last one known
        when it was sent. Of equal messages the first is taken: it is the one that counts,
        because commands and records execute once.
        """
        last = await self._log.last(flight.subject)
        if last is None or last.sequence <= flight.floor:
            return None
        reader = await self._log.open_reader([flight.subject], flight.floor)
        try:
            at = flight.floor
            while at < last.sequence:
                for message in await reader.poll(READ_BATCH, APPEND_TIMEOUT_S):
                    at = message.sequence
                    if message.payload == flight.payload and await self._starts(flight, at):
                        return at
        finally:
            await reader.close()
        return None

    async def _starts(self, flight: _Flight, sequence: int) -> bool:
        """Tell whether the batch that ends at `sequence` begins as `flight` does."""
        if flight.count == 1:
            return True
        first = await self._log.get(sequence - flight.count + 1)
        return first is not None and (first.subject, first.payload) == flight.first

    def connection_lost(self) -> None:
        """Look for what had no ack when the connection went."""
        for flight in [one for one in self._flights if one.wire.lost]:
            self._doubt(flight)

    async def close(self) -> None:
        """End what has no ack in AppendUnknown."""
        tasks = list(self._resolving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for flight in list(self._flights):
            self._fail(flight, AppendUnknown("no ack, and the log is closed"))


def _failed(error: EverythingError) -> "asyncio.Future[int]":
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


def _fenced(fence: Fence, holder: Stored | None) -> Fenced:
    at = holder.sequence if holder else 0
    return Fenced(f"the last message on {fence.subject} is {at}, not {fence.sequence}")
