"""One connection to nats-server, from its handshake to its loss. It never comes back.

nats-py does the handshake (TLS, nkey, token), the pings and the reading of the socket.
Publishing and the messages of our own subscriptions go past it, because bytes written
by hand and a parser without regular expressions are several times as fast.

Only this module relies on the inside of nats-py. `tests/streams/log/test_nats_wire.py` checks
each of these:

- `Client._ps` is the parser: the read loop awaits its `parse(data)` with what arrived.
- `Parser.parse` may be called with any whole number of protocol operations.
- `Client._transport.write` puts bytes on the socket in the order of the calls.
- without `allow_reconnect`, a lost connection ends in the `closed_cb`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple

from nats import errors as nats_errors
from nats.aio.client import Client
from nats.nuid import NUID
from nats.protocol.parser import Parser

from schemas.errors import LogUnavailable
from schemas.limits import (
    CONNECT_TIMEOUT_S,
    LOG_REQUEST_TIMEOUT_S,
    WIRE_PING_S,
)

Handler = Callable[[bytes, bytes, bytes, bytes], None]
"""Takes subject, reply subject, header (b"" if none) and payload. It must not block."""

DEFAULT_INBOX_PREFIX: Final = "_INBOX"
_NO_PUBLISH: Final = 'permissions violation for publish to "'
_NO_SUBSCRIBE: Final = "permissions violation for subscription to"
_CRLF: Final = b"\r\n"
_M, _H = b"MH"
SEQUENCE_HEADER: Final = b"Nats-Sequence"
"""The server puts it on each message that a direct get has found."""
_OUR_SID: Final = b"e"
"""First letter of our subscription ids; nats-py's are numbers."""


class Reply(NamedTuple):
    """The answer to a request; `status` is 0 unless the server answered with one alone.

    A direct get answers with the header that is stored, and its sender chose that:
    its first line, too. The server adds its own lines at the end. So what it says of a
    message it has found counts before a status, and a name's last line before others.
    """

    status: int
    header: bytes
    payload: bytes


def status_of(header: bytes) -> int:
    """Return the number in a header's first line (`NATS/1.0 404 …`), 0 if it has none."""
    code = header[9:12]
    return int(code) if header[8:9] == b" " and code.isdigit() else 0


def header_value(header: bytes, name: bytes) -> str:
    """Return a header's last value, "" if it is absent. What came before may be a stranger's."""
    _, found, rest = header.rpartition(b"\r\n%b: " % name)
    return rest.partition(_CRLF)[0].decode() if found else ""


class _Splitter(Parser):
    """Hands messages of our subscriptions to their handlers, and all else to nats-py."""

    def __init__(
        self, client: Client, handlers: dict[bytes, Handler], failed: Callable[[Exception], None]
    ) -> None:
        self._handlers = handlers
        self._failed = failed
        self._parts: list[bytes] = []
        self._held = 0
        self._wanted = 0
        super().__init__(client)

    def reset(self) -> None:
        super().reset()
        self._parts, self._held, self._wanted = [], 0, 0

    async def parse(self, data: bytes = b"") -> None:
        """Parse what arrived, and keep a message that is not whole for the next call.

        The parts of a large message are joined once, after its last byte came.
        """
        if self._parts:
            self._parts.append(data)
            self._held += len(data)
            if self._held < self._wanted:
                return
            data = b"".join(self._parts)
            self._parts = []
        try:
            position, wanted = await self._split(data)
        except Exception as error:
            # The read loop of nats-py would log this and stop reading with the socket open.
            self._failed(error)
            return
        if position < len(data):
            rest = data[position:]
            self._parts, self._held, self._wanted = [rest], len(rest), wanted

    async def _split(self, data: bytes) -> tuple[int, int]:
        """Return how much of `data` was parsed, and how many bytes the rest needs."""
        handlers = self._handlers
        position, end = 0, len(data)
        while position < end:
            line_end = data.find(_CRLF, position)
            if line_end < 0:
                return position, 0
            first = data[position]
            if first != _M and first != _H:
                await super().parse(data[position : line_end + 2])
                position = line_end + 2
                continue
            words = data[position:line_end].split(b" ")
            start = line_end + 2
            stop = start + int(words[-1])
            if stop + 2 > end:
                return position, stop + 2 - position
            handler = handlers.get(words[2])
            if handler is not None:
                if first == _H:
                    middle = start + int(words[-2])
                    reply = words[3] if len(words) == 6 else b""
                    handler(words[1], reply, data[start:middle], data[middle:stop])
                else:
                    reply = words[3] if len(words) == 5 else b""
                    handler(words[1], reply, b"", data[start:stop])
            elif not words[2].startswith(_OUR_SID):
                await super().parse(data[position : stop + 2])
            position = stop + 2
        return position, 0


class Wire:
    """One connection, made by `open`. After it is `lost` nothing can be sent on it."""

    def __init__(self) -> None:
        self._client = Client()
        self._handlers: dict[bytes, Handler] = {}
        self._client._ps = _Splitter(self._client, self._handlers, self._break)
        self._answers: dict[bytes, tuple[str, Callable[[bytes, bytes], None]]] = {}
        self._numbers = 0
        self._lost = False
        self._reason = "the connection is lost"
        self._on_lost: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.inbox = ""
        self.max_payload = 0
        self.server_id = ""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        name: str,
        seed: str | None = None,
        token: str | None = None,
        inbox_prefix: str | None = None,
    ) -> "Wire":
        """Connect to `url`, or to one of several between commas.

        Raises LogUnavailable when no server can be reached or lets us in.
        """
        wire = cls()
        try:
            await wire._client.connect(
                servers=url.split(","),
                name=name,
                nkeys_seed_str=seed,
                token=token,
                allow_reconnect=False,
                # The fewest tries that nats-py can make: the caller has a bound of its own.
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=CONNECT_TIMEOUT_S,
                ping_interval=WIRE_PING_S,
                error_cb=wire._error,
                closed_cb=wire._closed,
            )
        except (nats_errors.Error, OSError, TimeoutError) as error:
            await wire.close()
            raise LogUnavailable(f"{name}: cannot connect: {error or 'timed out'}") from error
        except BaseException:
            await wire.close()
            raise
        info = wire._client._server_info
        wire.max_payload = int(info["max_payload"])
        wire.server_id = str(info["server_id"])
        # Permissions keep others from listening under the prefix. Each connection has an inbox.
        wire.inbox = f"{inbox_prefix or DEFAULT_INBOX_PREFIX}.{NUID().next().decode()}"
        wire.subscribe(f"{wire.inbox}.*", wire._answered)
        return wire

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, url: str, **login: Any) -> AsyncIterator["Wire"]:
        """Give a connection, as `open` makes it, and close it."""
        wire = await cls.open(url, **login)
        try:
            yield wire
        finally:
            await wire.close()

    @property
    def lost(self) -> bool:
        return self._lost

    def when_lost(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the connection is lost, at once if it already is."""
        if self._lost:
            callback()
        else:
            self._on_lost.append(callback)

    def not_when_lost(self, callback: Callable[[], None]) -> None:
        """Do not call `callback` any more."""
        if callback in self._on_lost:
            self._on_lost.remove(callback)

    def write(self, data: bytes) -> None:
        """Put protocol bytes on the socket, behind all bytes written before.

        No bytes are kept for a later connection. Raises LogUnavailable after this one is lost.
        """
        transport = self._client._transport
        if self._lost or transport is None or not self._client.is_connected:
            raise LogUnavailable(self._reason)
        transport.write(data)

    async def drain(self) -> None:
        """Wait until the socket has taken most of what was written."""
        transport = self._client._transport
        if self._lost or transport is None:
            raise LogUnavailable(self._reason)
        try:
            await transport.drain()  # type: ignore[no-untyped-call]  # nats-py's is bare
        except OSError as error:
            raise LogUnavailable(self._reason) from error

    def subscribe(self, subject: str, handler: Handler, queue: str = "") -> bytes:
        """Listen on `subject`, sharing it with others of the group `queue`; return the id."""
        self._numbers += 1
        sid = b"%b%d" % (_OUR_SID, self._numbers)
        self._handlers[sid] = handler
        where = f"{subject} {queue}" if queue else subject
        self.write(b"SUB %b %b\r\n" % (where.encode(), sid))
        return sid

    def unsubscribe(self, sid: bytes) -> None:
        """Stop listening. Messages that are still on their way are dropped."""
        if self._handlers.pop(sid, None) is not None and not self._lost:
            with contextlib.suppress(LogUnavailable):
                self.write(b"UNSUB %b\r\n" % sid)

    async def flush(self) -> None:
        """Wait until the server has taken in all that was written, and all it sent was handled.

        Raises LogUnavailable when it does not say so in time.
        """
        try:
            await self._client.flush(LOG_REQUEST_TIMEOUT_S)
        except (nats_errors.Error, OSError, TimeoutError) as error:
            raise LogUnavailable(f"{self._reason}: {error!r}") from error

    async def leave(self, sid: bytes) -> None:
        """Stop listening, after everything that the server has sent by now was handled.

        Raises LogUnavailable as `flush` does.
        """
        self.write(b"UNSUB %b\r\n" % sid)
        try:
            await self.flush()
        finally:
            self._handlers.pop(sid, None)

    def expect(self, asked: str, callback: Callable[[bytes, bytes], None]) -> bytes:
        """Return a reply subject whose one answer goes to `callback(header, payload)`.

        `asked` is the subject of the question: if the server says that we may not publish
        to it, the answer is a 403.
        """
        self._numbers += 1
        reply = f"{self.inbox}.{self._numbers:x}".encode()
        self._answers[reply] = (asked, callback)
        return reply

    def forget(self, reply: bytes) -> None:
        """Expect no answer on `reply` any more."""
        self._answers.pop(reply, None)

    async def request(
        self, subject: str, payload: bytes = b"", timeout_s: float = LOG_REQUEST_TIMEOUT_S
    ) -> Reply:
        """Ask, and wait for the one answer. Raises LogUnavailable when none comes."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def answered(header: bytes, body: bytes) -> None:
            if not answer.done():
                stored = body or header_value(header, SEQUENCE_HEADER)
                answer.set_result(Reply(0 if stored else status_of(header), header, body))

        def lost() -> None:
            if not answer.done():
                answer.set_exception(LogUnavailable(f"{subject}: {self._reason}"))

        reply = self.expect(subject, answered)
        try:
            self.write(b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply, len(payload), payload))
            self._on_lost.append(lost)
            # Not wait_for: in Python 3.11 it loses a cancellation that comes with the answer.
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as error:
            raise LogUnavailable(f"{subject}: no answer within {timeout_s} s") from error
        finally:
            self.forget(reply)
            self.not_when_lost(lost)

    async def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(nats_errors.Error, OSError):
            await self._client.close()
        self._lose()

    def _answered(self, subject: bytes, _reply: bytes, header: bytes, payload: bytes) -> None:
        expected = self._answers.pop(subject, None)
        if expected is not None:
            expected[1](header, payload)

    async def _error(self, error: Exception) -> None:
        """Answer a request that permissions forbid; a forbidden subscription ends the wire.

        The server names only the subject of a forbidden publish, so the oldest request to it
        counts as the refused one. Nats-py gives the text in lower case. Without its
        subscription the connection gets no answers and is useless. Other errors end in
        `closed_cb`.
        """
        text = str(error)
        if _NO_SUBSCRIBE in text:
            self._break(error)
            return
        if _NO_PUBLISH not in text:
            return
        refused = text.partition(_NO_PUBLISH)[2].partition('"')[0]
        for reply, (asked, callback) in self._answers.items():
            if asked.lower() == refused:
                del self._answers[reply]
                callback(b"NATS/1.0 403 Not Permitted\r\n\r\n", b"")
                return

    async def _closed(self) -> None:
        self._lose()

    def _break(self, error: Exception) -> None:
        """Close the connection because it is useless now."""
        self._reason = f"the connection is lost: {error}"
        task = asyncio.get_running_loop().create_task(self._client.close())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._lose()

    def _lose(self) -> None:
        if self._lost:
            return
        self._lost = True
        self._handlers.clear()
        self._answers.clear()
        callbacks, self._on_lost = self._on_lost, []
        for callback in callbacks:
            callback()
