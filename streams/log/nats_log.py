"""The log on JetStream: `ports.Log` over nats-server.

An append goes out as protocol bytes at the moment of the call. It is done when the server
acks it, which with fsync-always means that it is on disk. If no ack comes, or the server
says that the fence did not hold, the log itself is read (see `nats_appends`). What is on the
log is the truth and an error code is not: a retry after a lost ack looks like a conflict.

A lost connection takes every message with it that had no ack. No message is kept and sent
later. The client makes a new connection by itself, but it refuses a fence that was used on
the lost one: otherwise a record could follow one that did not arrive. The writer then reads
the log and acquires leadership again.

What a user must be permitted, for `<stream>` and the inbox prefix: to publish
`$JS.API.STREAM.INFO.<stream>`, `$JS.API.STREAM.MSG.GET.<stream>`,
`$JS.API.CONSUMER.CREATE.<stream>.>`, `$JS.API.CONSUMER.MSG.NEXT.<stream>.>`,
`$JS.API.CONSUMER.DELETE.<stream>.>` and what it appends; to subscribe `<prefix>.>`.
"""

from collections.abc import Awaitable, Sequence

from schemas import subjects as names
from schemas.stored import Stored
from streams.log.nats_appends import PendingAppends
from streams.log.nats_reader import NatsReader
from streams.log.nats_stream import Dial, NatsStream
from streams.log.nats_wire import Wire
from streams.log.ports import Fence


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
    stream is not there, LogGap when the stream has lost messages. Without `dense` there is no
    LogGap, for callers that look for what was lost.
    """
    dial = dialler(url, name=name, seed=seed, token=token, inbox_prefix=inbox_prefix)
    stream = NatsStream(dial, names.log_stream(shard), f"{shard}.", dense=dense)
    return await _opened(NatsLog(stream, shard))


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
    dial = dialler(url, name=name, seed=seed, token=token, inbox_prefix=inbox_prefix)
    stream = NatsStream(dial, names.feed_stream(shard), names.feed(shard, ""), dense=False)
    return await _opened(NatsLog(stream, shard))


def dialler(
    url: str,
    *,
    name: str,
    seed: str | None = None,
    token: str | None = None,
    inbox_prefix: str | None = None,
) -> Dial:
    """Return a function that makes one connection to `url`."""

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

    def __init__(self, stream: NatsStream, shard: str) -> None:
        self.stream = stream
        self._shard = shard
        self._appends = PendingAppends(stream, self)

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
        reader = NatsReader(self.stream, subjects, after)
        await reader.attach()
        return reader

    async def get(self, sequence: int) -> Stored | None:
        """Return the message at `sequence`, or None if there is none."""
        return await self.stream.get(sequence)

    async def last(self, subject: str, at: int | None = None) -> Stored | None:
        """Return the last message on exactly `subject`; see `NatsStream.last` about `at`."""
        return await self.stream.last(subject, at)

    async def last_sequence(self) -> int:
        """Return the sequence of the last message, 0 for an empty log."""
        return await self.stream.last_sequence()

    async def close(self) -> None:
        """Close the connection. Appends without an ack end in AppendUnknown."""
        await self.stream.stop_dialling()
        await self._appends.close()
        await self.stream.close()
