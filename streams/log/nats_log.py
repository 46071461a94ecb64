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
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from schemas import subjects as names
from schemas.codec import encode
from schemas.errors import (
    LogDiverged,
    LogGap,
    LogUnavailable,
    OperatingError,
)
from schemas.limits import (
    CONNECT_ATTEMPTS,
    CONNECT_PAUSE_S,
    LOG_REQUEST_ATTEMPTS,
)
from schemas.stored import Stored
from streams.log.nats_appends import Appends
from streams.log.nats_reader import NatsReader
from streams.log.nats_wire import Reply, Wire, header_value
from streams.log.ports import Fence

_FIRST_PAUSE_S: Final = 0.05
_NO_MESSAGE: Final = 10037
_MAY_BE_EMPTY: Final = (0, 404)
"""What a direct get answers for a message without payload, and where there is none."""
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
    dense: bool = True,
) -> "NatsLog":
    """Connect to the log of `shard`, trying CONNECT_ATTEMPTS times.

    `seed` is an nkey's, `token` a session's. Raises LogUnavailable when the server or the
    stream is not there, LogGap when the stream has lost messages; not so without `dense`,
    which is for those who look where they were lost.
    """
    dial = _dialler(url, name=name, seed=seed, token=token, inbox_prefix=inbox_prefix)
    log = NatsLog(dial, shard, names.log_stream(shard), f"{shard}.", dense=dense)
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


class NatsLog:
    """Implements `ports.Log`; made by `connect`. One connection, any number of readers."""

    def __init__(self, dial: Dial, shard: str, stream: str, prefix: str, *, dense: bool) -> None:
        self._dial = dial
        self._shard = shard
        self.stream = stream
        self.prefix = prefix
        self.dense = dense
        self._wire: Wire | None = None
        self._dialling: asyncio.Task[Wire] | None = None
        self._appends = Appends(self)
        self.floor = 0
        """The highest sequence that this client knows to be taken."""
        self._closed = False

    @property
    def shard(self) -> str:
        return self._shard

    # -- appending -----------------------------------------------------------------

    def send(self, subject: str, payload: bytes, fence: Fence | None = None) -> Awaitable[int]:
        """Put one message on the wire now. See `ports.Log`."""
        return self._appends.send(subject, payload, fence)

    async def append_batch(
        self, messages: Sequence[tuple[str, bytes]], fence: Fence | None = None
    ) -> int:
        """Append up to MAX_ATOMIC_BATCH messages, all or none. See `ports.Log`.

        A `fence` is checked for the batch as a whole.
        """
        return await self._appends.batch(messages, fence)

    async def found(self, subject: str, payload: bytes) -> int:
        """Append the first message of an empty log. Raises AppendFailed if it is not empty."""
        return await self._appends.found(subject, payload)

    # -- reading ---------------------------------------------------------------------

    async def open_reader(self, subjects: Sequence[str], after: int) -> NatsReader:
        """Read what matches any of `subjects` behind sequence `after`. See `ports.Log`."""
        reader = NatsReader(self, subjects, after)
        await reader.attach()
        return reader

    async def get(self, sequence: int) -> Stored | None:
        """Return the message at `sequence`, or None if there is none."""
        return await self._get({"seq": sequence}) if sequence > 0 else None

    async def last(self, subject: str, at: int | None = None) -> Stored | None:
        """Return the last message on exactly `subject`, or that as of sequence `at`.

        Only a direct get knows `at`. On a cluster any replica may answer it, and one that lags
        says that there is none; so nothing that decides may rely on it.
        """
        if at is None:
            found = await self._get({"last_by_subj": subject})
            return found if found is not None and found.subject == subject else None  # no wildcards
        if at < 1:
            return None
        found = await self._direct({"multi_last": [subject], "up_to_seq": at})
        if found is None:  # or the log ends before `at`: then it says so, too
            newest = await self.last(subject)
            return newest if newest is not None and newest.sequence <= at else None
        return found if found.subject == subject else None

    async def _direct(self, which: dict[str, object]) -> Stored | None:
        """Return the first message that a direct get finds."""
        subject = f"$JS.API.DIRECT.GET.{self.stream}"
        reply = await self._reply(subject, encode(which), _MAY_BE_EMPTY)
        sequence = header_value(reply.header, b"Nats-Sequence")
        if not sequence:
            return None
        return Stored(int(sequence), header_value(reply.header, b"Nats-Subject"), reply.payload)

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

    async def size(self) -> dict[str, int]:
        """Return how many messages and bytes the stream holds."""
        state = await self._state()
        return {"messages": int(state["messages"]), "bytes": int(state["bytes"])}

    async def check_past(self, after: int, anchor: Stored | None) -> None:
        """Raise LogDiverged unless the log reaches `after` and `anchor` stands where it stood."""
        end = await self.last_sequence()
        if end < after:
            raise LogDiverged(f"{self.stream} ends at {end}, but {after} was on it")
        if anchor is not None:
            found = await self.get(anchor.sequence)
            if found is None and not self.dense:
                return  # aged away
            if found != anchor:
                raise LogDiverged(f"{self.stream}: sequence {anchor.sequence} is not what it was")

    async def _state(self) -> dict[str, Any]:
        """Return the stream's state, checked: nothing lost, and no end that moved back."""
        known = self.floor  # an append may be acked before the answer comes
        answer = await self.ask(f"$JS.API.STREAM.INFO.{self.stream}")
        error = answer.get("error")
        if error is not None:
            raise LogUnavailable(f"{self.stream}: {error.get('description')}")
        state: dict[str, Any] = answer["state"]
        end, held = state["last_seq"], state["messages"]
        if end < known:
            raise LogDiverged(f"{self.stream} ends at {end}, but {known} was on it")
        self.floor = max(self.floor, end)
        if self.dense and held != end:
            raise LogGap(f"{self.stream} has {held} messages up to sequence {end}")
        return state

    async def ask(self, subject: str, payload: bytes = b"") -> dict[str, Any]:
        """Ask the JetStream API, again on a new connection if need be.

        Only questions that may be asked twice. Raises LogUnavailable after
        LOG_REQUEST_ATTEMPTS.
        """
        answer: dict[str, Any] = _decode((await self._reply(subject, payload)).payload)
        return answer

    async def _reply(self, subject: str, payload: bytes, empty: Sequence[int] = ()) -> Reply:
        """Return the answer to a question, which has content or one of the statuses `empty`."""
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
            if reply.payload or reply.status in empty:
                return reply
            failure = LogUnavailable(f"{subject}: status {reply.status}")
            if reply.status == 403:
                break
        raise failure or LogUnavailable(subject)

    # -- the connection ----------------------------------------------------------------

    @property
    def live_wire(self) -> Wire | None:
        """The connection, None while there is none."""
        return None if self._wire is None or self._wire.lost else self._wire

    async def wire(self) -> Wire:
        """Return the live connection, waiting for a new one if it was lost.

        Raises LogUnavailable after CONNECT_ATTEMPTS.
        """
        if self._closed:
            raise LogUnavailable("the log is closed")
        live = self.live_wire
        return live if live is not None else await asyncio.shield(self.redial())

    def redial(self) -> "asyncio.Task[Wire]":
        """Have a new connection made, if that is not under way."""
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
            wire.when_lost(self._lost)
            return wire
        raise LogUnavailable("no attempt to connect was made")

    def _lost(self) -> None:
        if not self._closed:
            self.redial()
        self._appends.connection_lost()

    async def close(self) -> None:
        """Hang up. Appends without an ack end in AppendUnknown."""
        self._closed = True
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)
        await self._appends.close()
        if self._wire is not None:
            await self._wire.close()
