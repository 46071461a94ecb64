"""An ordered reader of a stream, by an ephemeral pull consumer that acks nothing.

Pulls ask the server for messages. A callback checks that no message is missing and keeps
what came; `poll` returns it. At most READ_PULLS x READ_BATCH messages are asked for or kept
at once. When the consumer is gone (a lost connection, a restarted server), the reader makes
another one behind the last message. It first checks that this message is still the same,
because a truncated store uses its sequences again.

A consumer has one filter, which covers all subjects that are wanted, and the reader drops
the rest. Nats-server 2.15.1 delivers old messages to a consumer with several filters at
12,000 messages/s, with one filter at 70,000 or more, with none at 170,000.

A damaged block makes the server skip its messages silently, or stop delivering. A reader of
all subjects sees it by the sequences. A reader with a filter sees gaps anyway and relies on
the server's count: each delivery says how many are still to come. If the server is idle and
some of them never came, the reader has them counted again, and missing ones stop it.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from secrets import token_hex
from typing import Final

from schemas import subjects as names
from schemas.codec import encode
from schemas.errors import (
    EverythingError,
    LogDiverged,
    LogGap,
    LogUnavailable,
    OperatingError,
)
from schemas.limits import LOG_REQUEST_ATTEMPTS, READ_BATCH
from schemas.stored import Stored
from schemas.units import SECOND_NS
from streams.log.limits import (
    MAX_PULL_BYTES,
    READ_HEARTBEAT_S,
    READ_PULL_LIFE_S,
    READ_PULLS,
    READER_IDLE_S,
)
from streams.log.nats_stream import NatsStream
from streams.log.nats_wire import Wire, header_value, status_of

_HEARTBEAT: Final = 100
_SHORT: Final = 0.05
_PULL: Final = encode(
    {
        "batch": READ_BATCH,
        "expires": READ_PULL_LIFE_S * SECOND_NS,
        "idle_heartbeat": READ_HEARTBEAT_S * SECOND_NS,
        "max_bytes": MAX_PULL_BYTES,
    }
)


class NatsReader:
    """Implements `ports.Reader`; made by `NatsLog.open_reader`."""

    def __init__(self, stream: NatsStream, subjects: Sequence[str], after: int) -> None:
        self._stream = stream
        self._subjects = tuple(subjects)
        self._filter = names.covering(self._subjects)
        # every subject of a log has at least two tokens behind the shard's name
        self._everything = self._filter in (f"{stream.prefix}>", f"{stream.prefix}*.>")
        self._dense = stream.dense and self._everything
        self._wanted: dict[bytes, str] = {}
        """The subjects that came, as text; empty text for those that nobody asked for."""
        self._after = after
        """The sequence of the last message that came, returned by `poll` or not."""
        self._last: Stored | None = None
        self._next_number = 1
        self._began_after = after
        self._last_reply = b""
        self._left_at_first = 0
        self._suspicious = False
        self._wire: Wire | None = None
        self._sid = b""
        self.consumer = ""
        """The consumer's name on the server."""
        self._inbox = b""
        self._arrived: list[Stored] = []
        self._asked = 0
        self._heard = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._failure: EverythingError | None = None
        self._closed = False

    async def poll(self, max_messages: int, timeout_s: float) -> list[Stored]:
        """Return the next messages in order, [] if none came in time. See `ports.Reader`."""
        now = asyncio.get_running_loop().time
        deadline = now() + timeout_s
        waited = False
        while not self._arrived:
            if self._failure is not None:
                raise self._failure
            if self._wire is None or self._wire.lost:
                await self._attach()
                continue
            if self._suspicious:
                await self._recount()
                continue
            self._pull()
            left = deadline - now()
            if left <= 0 and waited:
                return []
            await self._wait(max(0.0, min(left, READ_HEARTBEAT_S)))
            waited = True
            if not self._arrived and now() - self._heard > 3 * READ_HEARTBEAT_S:
                self._detach()
        return self._take(max_messages)

    async def close(self) -> None:
        """Delete the consumer at once; without this the server deletes it after some time."""
        consumer = self.consumer if self._wire is not None else ""
        self._closed = True
        self._detach()
        self._failure = LogUnavailable("the reader is closed")
        if consumer:
            await self._forget_consumer(consumer)

    async def attach(self) -> None:
        """Make the first consumer, so that `open_reader` fails and not the first poll."""
        await self._attach()

    def _take(self, max_messages: int) -> list[Stored]:
        taken = self._arrived
        if len(taken) <= max_messages:
            self._arrived = []
        else:
            self._arrived = taken[max_messages:]
            taken = taken[:max_messages]
        if self._failure is None and self._wire is not None and not self._wire.lost:
            self._pull()
        return taken

    async def _wait(self, seconds: float) -> None:
        """Return when a message or status came, or `seconds` are over."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _pull(self) -> None:
        """Ask for more while there is room for it."""
        room = READ_BATCH * (READ_PULLS - 1)
        while self._asked + len(self._arrived) <= room:
            if self._wire is None or self._wire.lost:
                return
            self._asked += READ_BATCH
            self._wire.write(
                b"PUB $JS.API.CONSUMER.MSG.NEXT.%b.%b %b %d\r\n%b\r\n"
                % (
                    self._stream.name.encode(),
                    self.consumer.encode(),
                    self._inbox,
                    len(_PULL),
                    _PULL,
                )
            )

    def _detach(self) -> None:
        if self._wire is not None:
            self._wire.unsubscribe(self._sid)
            self._wire.not_when_lost(self._wake)
        self._wire = None
        self._asked = 0

    async def _attach(self) -> None:
        """Make a consumer behind the last message.

        Raises LogUnavailable after LOG_REQUEST_ATTEMPTS.
        """
        self._detach()
        for attempt in range(LOG_REQUEST_ATTEMPTS):
            try:
                await self._create()
                return
            except OperatingError as error:
                if self._closed or attempt + 1 == LOG_REQUEST_ATTEMPTS:
                    raise
                last = error
            await asyncio.sleep(_SHORT * 2**attempt)
        raise LogUnavailable("no consumer could be made") from last

    async def _create(self) -> None:
        await self._stream.check_past(self._after, self._last)
        consumer, self._left_at_first = await self._new_consumer(self._after)
        wire = await self._stream.wire()
        self._wire, self.consumer = wire, consumer
        # The subscription for answers takes one token and this one two: no message comes twice.
        self._inbox = f"{wire.inbox}.{consumer}.m".encode()
        self._next_number = 1
        self._began_after = self._after
        self._last_reply = b""
        self._suspicious = False
        self._heard = asyncio.get_running_loop().time()
        self._sid = wire.subscribe(self._inbox.decode(), self._receive)
        wire.when_lost(self._wake)
        self._pull()

    async def _new_consumer(self, after: int) -> tuple[str, int]:
        """Return the name of a new consumer, and how many messages it has to deliver."""
        name = f"r{token_hex(8)}"
        created = await self._stream.ask(
            self._create_subject(name), self._consumer_config(name, after)
        )
        if created.get("error"):
            raise LogUnavailable(f"consumer: {created['error'].get('description')}")
        return name, int(created["num_pending"])

    async def _forget_consumer(self, name: str) -> None:
        """Delete a consumer; without this the server deletes it after some time."""
        wire = self._stream.live_wire
        if wire is not None:
            with contextlib.suppress(OperatingError):
                await wire.request(f"$JS.API.CONSUMER.DELETE.{self._stream.name}.{name}")

    async def _recount(self) -> None:
        """Compare what came with a fresh count, after an idle server still owed messages.

        Raises LogGap when fewer came. The server's count may also have been too high.
        """
        self._suspicious = False
        delivered, after = self._next_number - 1, self._after
        name, counted = await self._new_consumer(self._began_after)
        await self._forget_consumer(name)
        if self._after != after or self._wire is None or self._wire.lost:
            return  # deliveries go on: look again at the next idle moment
        if counted > delivered:
            self._fail(
                LogGap(
                    f"{counted - delivered} of the {counted} messages behind sequence "
                    f"{self._began_after} were not delivered up to {after}"
                )
            )
        self._left_at_first, self._last_reply = 0, b""

    def _create_subject(self, consumer: str) -> str:
        """Return the request's subject. It holds the filter, so permissions can bound it."""
        subject = f"$JS.API.CONSUMER.CREATE.{self._stream.name}.{consumer}"
        return subject if self._everything else f"{subject}.{self._filter}"

    def _consumer_config(self, consumer: str, after: int) -> bytes:
        config: dict[str, object] = {
            "name": consumer,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": after + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_deliver": -1,
            "inactive_threshold": READER_IDLE_S * SECOND_NS,
            "num_replicas": 1,
            "mem_storage": True,
        }
        if not self._everything:
            config["filter_subject"] = self._filter
        return encode({"stream_name": self._stream.name, "config": config, "action": "create"})

    def _receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Keep one message; `reply` is `$JS.ACK.…` and holds its sequence and number."""
        if not reply:
            self._receive_status(header)
            return
        words = reply.split(b".")
        if len(words) == 9:
            sequence, number = int(words[5]), int(words[6])
        else:  # with domain and account hash, as newer servers may say it
            sequence, number = int(words[7]), int(words[8])
        after = self._after
        if number != self._next_number or sequence <= after:
            self._fail(LogGap(f"delivery {number} (sequence {sequence}) follows {after}"))
            return
        if self._dense and sequence != after + 1:
            self._fail(LogGap(f"sequences {after + 1} to {sequence - 1} are missing"))
            return
        self._next_number = number + 1
        self._last_reply = reply
        self._after = sequence
        self._asked -= 1
        name = self._wanted.get(subject)
        if name is None:
            name = self._wanted[subject] = self._wanted_subject(subject.decode())
        if not name:
            self._last = Stored(sequence, subject.decode(), payload)
            self._pull()
            return
        message = Stored(sequence, name, payload)
        self._last = message
        self._arrived.append(message)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            self._heard = asyncio.get_running_loop().time()
            waiter.set_result(None)

    def _wanted_subject(self, subject: str) -> str:
        asked_for = any(names.matches(pattern, subject) for pattern in self._subjects)
        return subject if asked_for else ""

    def _receive_status(self, header: bytes) -> None:
        """Subtract a pull that ended, or notice that the consumer is gone.

        Status 408 and most 409 say how many messages the pull still had to bring. Any other
        status (the consumer was deleted, nobody answers, 423) means that the consumer is gone.
        """
        self._heard = asyncio.get_running_loop().time()
        if status_of(header) == _HEARTBEAT:
            if self._stream.dense and self._left() > 0:
                self._suspicious = True
                self._wake()
            return
        pending = header_value(header, b"Nats-Pending-Messages")
        if pending.isdigit():
            self._asked = max(0, self._asked - int(pending))
        else:
            self._detach()
        self._wake()

    def _left(self) -> int:
        """Return how many messages were still to come at the last delivery."""
        if not self._last_reply:
            return self._left_at_first
        words = self._last_reply.split(b".")
        return int(words[8 if len(words) == 9 else 10])

    def _fail(self, error: LogGap | LogDiverged) -> None:
        """Stop reading: `poll` first returns what came before and then raises `error`."""
        if self._failure is None:
            self._failure = error
            self._detach()
            self._wake()
