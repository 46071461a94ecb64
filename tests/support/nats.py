"""A real nats-server for a test: open conf, random loopback ports, a store of its own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
from nats.aio.client import Client

from schemas import signatures
from schemas.codec import encode
from schemas.subjects import DEFAULT_SHARD
from streams.broker.server import NatsServer
from streams.log import nats_log
from streams.log.nats_log import NatsLog
from streams.log.nats_wire import Wire
from streams.log.streams import StreamSpec, ensure_streams, feed_spec, log_spec, nonces_spec
from tests.support.ports import free_port

_MONITOR = signatures.seed_from(bytes(signatures.SEED_BYTES))
_CONF = """
listen: "127.0.0.1:{port}"
server_name: "test-{port}"
max_payload: 8MB
jetstream {{ store_dir: "{store}", sync_interval: {sync}, max_mem: 256MB, max_file: 8GB }}
accounts {{
  OPEN: {{ jetstream: enabled, users: [{{ user: anyone, password: anyone }}] }}
  SYS: {{ users: [{{ nkey: {monitor} }}] }}
}}
system_account: SYS
no_auth_user: anyone
"""


class TestServer(NatsServer):
    """A nats-server whose conf lets anyone do anything, with the streams of one shard."""

    __test__ = False

    def __init__(self, folder: Path, sync: str = "always") -> None:
        port = free_port()
        self.store = folder / "store"
        conf = folder / "nats.conf"
        monitor = signatures.public_key(_MONITOR)
        conf.write_text(_CONF.format(port=port, monitor=monitor, store=self.store, sync=sync))
        super().__init__(conf, port, folder / "nats.log")

    @staticmethod
    def encoded(spec: StreamSpec) -> bytes:
        """Return the body of a request that creates or updates a stream."""
        return encode(spec.config())

    async def freeze(self) -> None:
        """Stop every thread of the server, as a paused machine would, until `thaw`."""
        pid = self.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        async with asyncio.timeout(5):
            while not _stopped(pid):  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.001)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGCONT)

    async def wire(self, name: str = "test") -> Wire:
        """Return a bare connection."""
        return await Wire.open(self.url, name=name)

    def monitor(self) -> AbstractAsyncContextManager[Wire]:
        """Give a connection of the one who may ask the server how it is."""
        return Wire.opened(self.url, name="monitor", seed=_MONITOR)

    async def connect(self, name: str = "test", shard: str = DEFAULT_SHARD) -> NatsLog:
        """Return a connection to the shard's log."""
        return await nats_log.connect(self.url, shard, name=name)

    async def connect_feed(self, name: str = "test", shard: str = DEFAULT_SHARD) -> NatsLog:
        """Return a connection to the shard's FEED."""
        return await nats_log.connect_feed(self.url, shard, name=name)

    async def renew(self) -> None:
        """Delete every stream and create the default shard's: as a server that has just begun."""
        wire = await self.wire("operator")
        try:
            answer = await wire.request("$JS.API.STREAM.NAMES")
            for name in msgspec.json.decode(answer.payload)["streams"] or ():
                await wire.request(f"$JS.API.STREAM.DELETE.{name}")
        finally:
            await wire.close()
        await self.declare()

    async def declare(self, shard: str = DEFAULT_SHARD) -> None:
        """Create the shard's streams, or check them."""
        specs = [log_spec(shard), feed_spec(shard), nonces_spec(shard)]
        async with Wire.opened(self.url, name="operator") as wire, self.monitor() as monitor:
            await ensure_streams(wire, specs, monitor)


def _stopped(pid: int) -> bool:
    stats = [one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


@contextmanager
def shared_server(folder: Path) -> Iterator[TestServer]:
    """Run a server for several tests, each of which must `renew` it and let it live."""
    server = TestServer(folder)
    asyncio.run(server.start())
    try:
        yield server
    finally:
        asyncio.run(server.kill9())


@asynccontextmanager
async def nats_server(folder: Path, sync: str = "always") -> AsyncIterator[TestServer]:
    """Run a server with the streams of the default shard, and end it."""
    server = TestServer(folder, sync)
    await server.start()
    try:
        if sync == "always":
            await server.declare()
        yield server
    finally:
        await server.kill9()


async def heard(client: Client) -> None:
    """Wait until the server has taken in the subscriptions of `client`.

    nats-py's ping goes out ahead of commands that wait, and only the second one is behind them.
    """
    await client.flush()
    await client.flush()
