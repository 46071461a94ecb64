"""The log on JetStream: `ports.Log` over nats-server.

An append goes out as protocol bytes at the moment of the call and is done when the server
acks it, which with fsync-always means that it is on disk. Where the ack does not come, or
says that the fence did not hold, the log itself is read: what stands on it is the truth,
an error code is not (a retry after a lost ack looks like a conflict).

A lost connection takes everything with it that had no ack; nothing is kept back and sent
later. A new connection is made by itself, but a fence that was used on the lost one is
dead: a record that arrived would otherwise follow one that did not. The writer reads the
log and takes office anew.

What a user must be permitted, for `<stream>` and the inbox prefix: to publish
`$JS.API.STREAM.INFO.<stream>`, `$JS.API.STREAM.MSG.GET.<stream>`,
`$JS.API.CONSUMER.CREATE.<stream>.>`, `$JS.API.CONSUMER.MSG.NEXT.<stream>.>`,
`$JS.API.CONSUMER.DELETE.<stream>.>` and what it appends; to subscribe `<prefix>.>`.
"""

import asyncio
import contextlib
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from secrets import token_hex
from typing import Any, Final

import msgspec

from everything.schemas import subjects as names
from everything.schemas.codec import encode
from everything.schemas.errors import (
    AppendFailed,
    AppendUnknown,
    EverythingError,
    Fenced,
    LogDiverged,
    LogGap,
    LogUnavailable,
    OperatingError,
)
from everything.schemas.limits import (
    APPEND_TIMEOUT_S,
    CONNECT_ATTEMPTS,
    CONNECT_PAUSE_S,
    LOG_REQUEST_ATTEMPTS,
    MAX_SENDS_IN_FLIGHT,
    READ_BATCH,
    RESOLVE_WITHIN_S,
)
from everything.schemas.stored import Stored
from everything.streams.log import publishing
from everything.streams.log.nats_reader import NatsReader, reduce_filters
from everything.streams.log.nats_wire import Wire, status_of
from everything.streams.log.ports import Fence

_FIRST_PAUSE_S: Final = 0.05
_NO_MESSAGE: Final = 10037
_decode: Final = msgspec.json.Decoder().decode

Dial = Callable[[], Awaitable[Wire]]


async def connect(
    url: str,
    shard: str,
    *,
    name: str,
    seed: str | None = None,
    token: str | None = None,
    inbox_prefix: str | None = None,
) -> "NatsLog":
    """Connect to the log of `shard`, trying CONNECT_ATTEMPTS times.

    `seed` is an nkey's, `token` a session's. Raises LogUnavailable when the server or the
    stream is not there, LogGap when the stream has lost messages.
    """
    dial = _dialler(url, name=name, seed=seed, token=token, inbox_prefix=inbox_prefix)
    log = NatsLog(dial, shard, names.log_stream(shard), f"{shard}.", dense=True)
    return await _opened(log)


async def connect_feed(
    url: str,
    shard: str,
    *,
    name: str,
    seed: str | None = None,
    token: str | None = None,
    inbox_prefix: str | None = None,
) -> "NatsLog":
    """Connect to the FEED of `shard`, whose old messages go away. Otherwise as `connect`."""
    dial = _dialler(url, name=name, seed=seed, token=token, inbox_prefix=inbox_prefix)
    log = NatsLog(dial, shard, names.feed_stream(shard), names.feed(shard, ""), dense=False)
    return await _opened(log)


def _dialler(
    url: str, *, name: str, seed: str | None, token: str | None, inbox_prefix: str | None
) -> Dial:
    async def dial() -> Wire:
        return await Wire.open(url, name=name, seed=seed, token=token, inbox_prefix=inbox_prefix)

    return dial


async def _opened(log: "NatsLog") -> "NatsLog":
    try:
        await log.last_sequence()
    except BaseException:
        await log.close()
        raise
    return log


class _Flight:
    """One append that has no answer yet: a message, or a batch named by its first and last."""

    __slots__ = (
        "count",
        "done",
        "fence",
        "first",
        "floor",
        "founding",
        "refused",
        "replies",
        "subject",
        "timer",
        "wire",
        "payload",
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


class NatsLog:
    """Implements `ports.Log`; made by `connect`. One connection, any number of readers."""

    def __init__(self, dial: Dial, shard: str, stream: str, prefix: str, *, dense: bool) -> None:
        self._dial = dial
        self._shard = shard
        self.stream = stream
        self._prefix = prefix
        self._dense = dense
        self._wire: Wire | None = None
        self._dialling: asyncio.Task[Wire] | None = None
        self._flights: set[_Flight] = set()
        self._resolving: set[asyncio.Task[None]] = set()
        self._floor = 0
        """The highest sequence that this client knows to be taken."""
        self._office: tuple[Fence, Wire] | None = None
        self._batches = 0
        self._batch_name = token_hex(6)
        self._closed = False

    @property
    def shard(self) -> str:
        return self._shard

    # -- appending -----------------------------------------------------------------

    def send(self, subject: str, payload: bytes, fence: Fence | None = None) -> Awaitable[int]:
        """Put one message on the wire now. See `ports.Log`."""
        try:
            header = publishing.fence_header(fence)
            return self._send(subject, payload, header, fence, founding=False)
        except EverythingError as error:
            return _failed(error)

    async def append_batch(
        self, messages: Sequence[tuple[str, bytes]], fence: Fence | None = None
    ) -> int:
        """Append up to MAX_ATOMIC_BATCH messages, all or none. See `ports.Log`.

        A `fence` is checked for the batch as a whole.
        """
        wire = await self.wire()
        coded = [
            (publishing.check_subject(subject, self._prefix), payload)
            for subject, payload in messages
        ]
        for _, payload in coded:
            publishing.check_size(payload, wire.max_payload)
        if not coded:
            raise AppendFailed("an empty batch")
        self._check_office(wire, fence)
        flight = _Flight(wire, messages[0], messages[-1], len(messages), fence, self._floor)
        self._batches += 1
        first, last = self._expect_first(flight), self._expect_ack(flight)
        try:
            data = publishing.batch(
                coded,
                f"{self._batch_name}{self._batches:x}".encode(),
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
        """Append the first message of an empty log. Raises AppendFailed if it is not empty."""
        await self.wire()
        header = publishing.EMPTY_LOG_HEADER
        return await self._send(subject, payload, header, None, founding=True)

    def _send(
        self, subject: str, payload: bytes, header: bytes, fence: Fence | None, *, founding: bool
    ) -> "asyncio.Future[int]":
        wire = self._wire
        if wire is None or wire.lost:
            raise AppendFailed("not connected; nothing was sent")
        coded = publishing.check_subject(subject, self._prefix)
        publishing.check_size(payload, wire.max_payload)
        self._check_office(wire, fence)
        message = (subject, payload)
        flight = _Flight(wire, message, message, 1, fence, self._floor, founding)
        reply = self._expect_ack(flight)
        try:
            self._launch(flight, publishing.single(coded, reply, payload, header))
        except EverythingError:
            self._land(flight)
            raise
        return flight.done

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
                LogDiverged(f"{self.stream} gives sequence {sequence} after {flight.floor}"),
            )
            return
        self._floor = max(self._floor, sequence)
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
                sequence = await self._find(flight)
                holder = await self.last(flight.fence.subject) if flight.fence else None
        except (OperatingError, TimeoutError) as error:
            self._fail(flight, AppendUnknown(f"no ack, and the log cannot be read: {error}"))
            return
        except EverythingError as error:
            self._fail(flight, error)
            return
        except asyncio.CancelledError:
            self._fail(flight, AppendUnknown("no ack, and the log is being closed"))
            raise
        if flight.done.done():
            return
        if sequence is not None:
            self._succeed(flight, sequence)
        elif flight.fence is not None and (
            holder is None or holder.sequence != flight.fence.sequence
        ):
            self._fail(flight, _fenced(flight.fence, holder))
        elif flight.refused:
            self._fail(flight, AppendFailed(flight.refused))
        else:
            self._fail(flight, AppendUnknown("no ack, and not on the log so far"))

    async def _find(self, flight: _Flight) -> int | None:
        """Return where `flight`'s last message stands, None if it does not.

        It is known by subject and bytes, behind the sequence that was the last one known
        when it was sent. Of equal messages the first is taken: it is the one that counts,
        because commands and records execute once.
        """
        last = await self.last(flight.subject)
        if last is None or last.sequence <= flight.floor:
            return None
        reader = await self.open_reader([flight.subject], flight.floor)
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
        first = await self.get(sequence - flight.count + 1)
        return first is not None and (first.subject, first.payload) == flight.first

    # -- reading ---------------------------------------------------------------------

    async def open_reader(self, subjects: Sequence[str], after: int) -> NatsReader:
        """Read what matches any of `subjects` behind sequence `after`. See `ports.Log`."""
        filters = reduce_filters(subjects)
        everything = filters == [f"{self._prefix}>"]
        reader = NatsReader(self, filters, after, everything, self._dense and everything)
        await reader.attach()
        return reader

    async def get(self, sequence: int) -> Stored | None:
        """Return the message at `sequence`, or None if there is none."""
        return await self._get({"seq": sequence}) if sequence > 0 else None

    async def last(self, subject: str) -> Stored | None:
        """Return the last message on exactly `subject`."""
        return await self._get({"last_by_subj": subject})

    async def _get(self, which: dict[str, object]) -> Stored | None:
        """Ask the stream's leader, never a replica that may lag."""
        answer = await self.ask(f"$JS.API.STREAM.MSG.GET.{self.stream}", encode(which))
        error = answer.get("error")
        if error is None:
            message = answer["message"]
            return Stored(message["seq"], message["subject"], b64decode(message.get("data", "")))
        if error.get("err_code") == _NO_MESSAGE:
            return None
        raise LogUnavailable(f"{self.stream}: {error.get('description')}")

    async def last_sequence(self) -> int:
        """Return the sequence of the last message, 0 for an empty log."""
        state = await self._state()
        return int(state["last_seq"])

    async def check_past(self, after: int, anchor: Stored | None) -> None:
        """Raise LogDiverged unless the log reaches `after` and `anchor` stands where it stood."""
        end = await self.last_sequence()
        if end < after:
            raise LogDiverged(f"{self.stream} ends at {end}, but {after} was on it")
        if anchor is not None:
            found = await self.get(anchor.sequence)
            if found is None and not self._dense:
                return  # aged away
            if found != anchor:
                raise LogDiverged(f"{self.stream}: sequence {anchor.sequence} is not what it was")

    async def _state(self) -> dict[str, Any]:
        """Return the stream's state, checked: nothing lost, and no end that moved back."""
        known = self._floor  # an append may be acked before the answer comes
        answer = await self.ask(f"$JS.API.STREAM.INFO.{self.stream}")
        error = answer.get("error")
        if error is not None:
            raise LogUnavailable(f"{self.stream}: {error.get('description')}")
        state: dict[str, Any] = answer["state"]
        end, held = state["last_seq"], state["messages"]
        if end < known:
            raise LogDiverged(f"{self.stream} ends at {end}, but {known} was on it")
        self._floor = max(self._floor, end)
        if self._dense and held != end:
            raise LogGap(f"{self.stream} has {held} messages up to sequence {end}")
        return state

    async def ask(self, subject: str, payload: bytes = b"") -> dict[str, Any]:
        """Ask the JetStream API, again on a new connection if need be.

        Only questions that may be asked twice. Raises LogUnavailable after
        LOG_REQUEST_ATTEMPTS.
        """
        failure: OperatingError | None = None
        for attempt in range(LOG_REQUEST_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_FIRST_PAUSE_S * 2**attempt)
            wire = await self.wire()
            try:
                reply = await wire.request(subject, payload)
            except LogUnavailable as error:
                failure = error
                continue
            if reply.payload:
                answer: dict[str, Any] = _decode(reply.payload)
                return answer
            failure = LogUnavailable(f"{subject}: status {reply.status}")
            if reply.status == 403:
                break
        raise failure or LogUnavailable(subject)

    # -- the connection ----------------------------------------------------------------

    async def wire(self) -> Wire:
        """Return the live connection, waiting for a new one if it was lost.

        Raises LogUnavailable after CONNECT_ATTEMPTS.
        """
        if self._closed:
            raise LogUnavailable("the log is closed")
        if self._wire is not None and not self._wire.lost:
            return self._wire
        return await asyncio.shield(self._redial())

    def _redial(self) -> "asyncio.Task[Wire]":
        if self._dialling is None or self._dialling.done():
            self._dialling = asyncio.get_running_loop().create_task(self._connect())
            # Whoever waits sees the failure; with nobody waiting it is none.
            self._dialling.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._dialling

    async def _connect(self) -> Wire:
        pause = _FIRST_PAUSE_S
        for attempt in range(CONNECT_ATTEMPTS):
            try:
                wire = await self._dial()
            except LogUnavailable:
                if attempt + 1 == CONNECT_ATTEMPTS:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, CONNECT_PAUSE_S)
                continue
            self._wire = wire
            wire.when_lost(lambda: self._lost(wire))
            return wire
        raise LogUnavailable("no attempt to connect was made")

    def _lost(self, wire: Wire) -> None:
        if not self._closed:
            self._redial()
        for flight in [one for one in self._flights if one.wire is wire]:
            self._doubt(flight)

    async def close(self) -> None:
        """Hang up. Appends without an ack end in AppendUnknown."""
        self._closed = True
        tasks = [*self._resolving, *([self._dialling] if self._dialling else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for flight in list(self._flights):
            self._fail(flight, AppendUnknown("no ack, and the log is closed"))
        if self._wire is not None:
            await self._wire.close()


def _failed(error: EverythingError) -> "asyncio.Future[int]":
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


def _fenced(fence: Fence, holder: Stored | None) -> Fenced:
    at = holder.sequence if holder else 0
    return Fenced(f"the last message on {fence.subject} is {at}, not {fence.sequence}")
