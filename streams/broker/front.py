"""The front: where strangers connect. It passes bytes on to nats-server and reads none of them.

nats-server has one bound for all connections, counts those that have not logged in, and
knows no addresses: enough sockets that say nothing lock everybody out, the venue's own
processes too. So a venue that strangers can reach keeps the server's own listener to itself,
and they come by here, at most `most` of them and `per_address` from one address (of IPv6,
from one /64). What is left of the server's bound is the venue's.

TLS ends at the server. A side that does not take its bytes stops the other one's, so that
a stranger who does not read is the server's to drop, and costs two buffers here.
"""

import asyncio
import time
from collections import Counter
from typing import cast

import msgspec
import structlog

from schemas.errors import ConfigDrift, LogUnavailable
from schemas.networks import client_share
from streams.broker import limits
from streams.broker.config import LOOPBACK
from streams.broker.logins import Budget

_log = structlog.get_logger(__name__)


class Front:
    """Listens for strangers until closed."""

    def __init__(
        self,
        server_host: str,
        server_port: int,
        *,
        most: int = limits.MAX_STRANGERS,
        per_address: int = limits.CONNECTIONS_PER_ADDRESS,
    ) -> None:
        self.server = (server_host, server_port)
        self.turned_away = 0
        self._most = most
        self._per_address = per_address
        self._open: Counter[str] = Counter()
        self._dials = Budget(limits.DIALS_PER_S, per_address)
        self._sides: set[_Side] = set()
        self._listener: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many strangers are connected, logged in or not."""
        return self._open.total()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Listen on `host` and `port`. Raises LogUnavailable if that is not to be had.

        Raises ConfigDrift for an address beyond loopback before a server without TLS.
        """
        if host not in LOOPBACK and not await self._server_has_tls():
            raise ConfigDrift(f"strangers are heard on {host or 'all addresses'} only with TLS")
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                lambda: _Stranger(self), host, port, backlog=limits.FRONT_BACKLOG
            )
        except OSError as error:
            raise LogUnavailable(f"strangers cannot be heard on {host}:{port}: {error}") from error

    async def close(self) -> None:
        """Stop listening and hang up on everyone."""
        if self._listener is not None:
            self._listener.close()
        for side in tuple(self._sides):
            side.hang_up()
        if self._listener is not None:
            await self._listener.wait_closed()

    async def _server_has_tls(self) -> bool:
        """Ask the server, whose first line says so, if a client must use TLS."""
        try:
            async with asyncio.timeout(limits.LOGIN_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(*self.server)
                try:
                    line = await reader.readline()
                finally:
                    writer.close()
                    await writer.wait_closed()
        except (OSError, TimeoutError) as error:
            raise LogUnavailable(f"nats-server does not say how it listens: {error}") from error
        return bool(msgspec.json.decode(line.removeprefix(b"INFO ")).get("tls_required"))

    def admit(self, address: str) -> bool:
        """Count one connection of `address`, and tell whether it may stay."""
        allowed = (
            self._dials.take(address, time.monotonic())
            and self.connections < self._most
            and self._open[address] < self._per_address
        )
        if allowed:
            self._open[address] += 1
        else:
            self.turned_away += 1
        return allowed

    def release(self, address: str) -> None:
        """Count one connection of `address` less."""
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def seen(self, side: "_Side") -> None:
        """Remember a side, to hang up on it at the end."""
        self._sides.add(side)

    def gone(self, side: "_Side") -> None:
        """Forget a side."""
        self._sides.discard(side)


class _Side(asyncio.Protocol):
    """One of the two sockets of a connection; what it says goes to the `other` one."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._front.seen(self)

    @property
    def _across(self) -> asyncio.Transport | None:
        """The other side's transport, None once it is closing."""
        transport = None if self.other is None else self.other.transport
        return None if transport is None or transport.is_closing() else transport

    def data_received(self, data: bytes) -> None:
        if (across := self._across) is not None:
            across.write(data)

    def pause_writing(self) -> None:
        if (across := self._across) is not None:
            across.pause_reading()

    def resume_writing(self) -> None:
        if (across := self._across) is not None:
            across.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.gone(self)
        self.transport = None
        if self.other is not None:
            self.other.close()

    def close(self) -> None:
        """Hang up once the last bytes are out, or at once if they cannot go."""
        transport = self.transport
        if transport is None:
            return
        transport.close()
        asyncio.get_running_loop().call_later(limits.WRITE_DEADLINE_S, self.hang_up)

    def hang_up(self) -> None:
        """Hang up now."""
        if self.transport is not None:
            self.transport.abort()


class _Stranger(_Side):
    """The stranger's side: it dials the server's once it has been let in."""

    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self._address = ""
        self._early: list[bytes] = []
        """What it said before the server's side was there: one read, then it has to wait."""
        self._dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        peer = transport.get_extra_info("peername") or ("gone",)
        address = client_share(str(peer[0]))
        if not self._front.admit(address):
            self.transport.abort()
            return
        self._address = address
        self._dialling = asyncio.get_running_loop().create_task(self._dial())

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._address:
            self._front.release(self._address)
        if self._dialling is not None:
            self._dialling.cancel()

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            super().data_received(data)
            return
        self._early.append(data)
        if self.transport is not None:
            self.transport.pause_reading()

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        inside = _Side(self._front)
        inside.other = self  # the server speaks first, before the dial returns
        try:
            async with asyncio.timeout(limits.LOGIN_TIMEOUT_S):
                await loop.create_connection(lambda: inside, *self._front.server)
        except (OSError, TimeoutError) as error:
            _log.warning("nats-server cannot be reached", error=str(error))
            self.hang_up()
            return
        self.other = inside
        if self.transport is None or self.transport.is_closing():
            inside.hang_up()
            return
        for data in self._early:
            super().data_received(data)
        self._early.clear()
        self.transport.resume_reading()
