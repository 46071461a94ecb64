"""One process of a venue: `python -m everything.deploy.process NAME`.

| name              | what it is                                              |
|-------------------|---------------------------------------------------------|
| engine-<engine>   | the host of one engine; at most one is in office         |
| projector         | folds records into Postgres                             |
| feeds             | folds records into the FEED stream                      |
| gateway           | HTTP: the door for people, the read API, the native door |
"""

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, Final

import structlog
import uvicorn

from everything.deploy import keys
from everything.deploy.settings import Home, Settings
from everything.deploy.status import Heartbeat, StatusBoard, create_status_router
from everything.engines.exchange import ExchangeEngine
from everything.engines.governance import GovernanceEngine
from everything.engines.kernel import Engine
from everything.engines.notary import NotaryEngine
from everything.engines.pricing import PricingEngine
from everything.projections.api import create_read_router
from everything.projections.feeds.nats_feed import NatsFeed
from everything.projections.feeds.process import Feeds
from everything.projections.feeds.sse import create_feed_router
from everything.projections.projector import Projector
from everything.schemas import signatures, subjects
from everything.schemas.errors import EverythingError, InputError
from everything.streams.broker import callout, roles
from everything.streams.broker.keyring import Keyring, ensure_service_keys
from everything.streams.broker.logins import Logins
from everything.streams.gateway.app import create_app, server_config
from everything.streams.gateway.auth import create_account_dependency
from everything.streams.gateway.context import GatewayContext
from everything.streams.log.appender import Appender
from everything.streams.log.clock import SystemClock
from everything.streams.log.host import EngineHost
from everything.streams.log.memory import ManualCollection
from everything.streams.log.nats_log import NatsLog, connect, connect_feed
from everything.streams.log.service import Main, run_service
from everything.streams.log.snapshots import SnapshotFolder

NOTARY_KEY: Final = "notary"
SESSION_SECRET: Final = "session.secret"
HTTP_HOST: Final = "127.0.0.1"


def engines(shard: str) -> dict[str, Engine[Any]]:
    """Return every engine of a shard by name."""
    made: tuple[Engine[Any], ...] = (
        GovernanceEngine(shard),
        ExchangeEngine(shard),
        PricingEngine(shard),
        NotaryEngine(shard),
    )
    return {engine.name: engine for engine in made}


def process_names() -> tuple[str, ...]:
    """Return the names of all processes, in the order in which they start."""
    return (*(f"engine-{name}" for name in subjects.ENGINES), "projector", "feeds", "gateway")


class Place:
    """What a process knows of its venue: settings, folders, keys, addresses."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        self.shard = settings.shard

    @property
    def keyring(self) -> Keyring:
        return ensure_service_keys(self.home.service_keys, self.shard)

    @property
    def database_url(self) -> str:
        """Where Postgres is. Raises InputError if nobody said."""
        if self.settings.database_url is None:
            raise InputError("DATABASE_URL is not set; `everything up` sets it")
        return self.settings.database_url

    def login(self, role: str) -> dict[str, str]:
        """Return the arguments by which `role` connects to the broker."""
        return {"name": role, "seed": self.keyring.seed(role), "inbox_prefix": roles.inbox(role)}

    async def log(self, role: str) -> NatsLog:
        return await connect(self.settings.broker_url, self.shard, **self.login(role))

    async def feed(self, role: str) -> NatsLog:
        return await connect_feed(self.settings.broker_url, self.shard, **self.login(role))

    async def heartbeat(self, role: str) -> Heartbeat:
        return await Heartbeat.start(self.settings.broker_url, self.shard, role, self.login(role))


def writer_name() -> str:
    """Return a name that no other process has or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"


async def run_engine(place: Place, name: str, stop: asyncio.Event) -> None:
    """Host the engine `name` until `stop`."""
    engine = engines(place.shard)[name]
    role = f"engine-{name}"
    sign = None
    if name == subjects.NOTARY:
        sign = partial(signatures.sign, keys.ensure(place.home.keys, NOTARY_KEY))
    log = await place.log(role)
    async with contextlib.aclosing(await place.heartbeat(role)) as heartbeat:
        host = EngineHost(
            engine,
            log,
            SystemClock(),
            writer=writer_name(),
            snapshots=SnapshotFolder(place.home.snapshots, name),
            sign=sign,
            on_status=heartbeat.beat,
            collection=ManualCollection(),
        )
        try:
            await host.run(stop)
        finally:
            await log.close()


async def run_projector(place: Place, stop: asyncio.Event) -> None:
    """Fold records into Postgres until `stop`."""
    log = await place.log("projector")
    projector = Projector(log, place.database_url, writer=writer_name())
    async with contextlib.aclosing(await place.heartbeat("projector")) as heartbeat:
        heartbeat.every_second(projector.status)
        try:
            await until(stop, projector.run())
        finally:
            await log.close()


async def run_feeds(place: Place, stop: asyncio.Event) -> None:
    """Fold records into the FEED until `stop`."""
    log, feed = await place.log("feeds"), await place.feed("feeds")
    feeds = Feeds(log, NatsFeed(feed), SystemClock(), writer=writer_name())
    async with contextlib.aclosing(await place.heartbeat("feeds")) as heartbeat:
        heartbeat.every_second(feeds.status)
        try:
            await until(stop, feeds.run())
        finally:
            await log.close()
            await feed.close()


async def run_gateway(place: Place, stop: asyncio.Event) -> None:
    """Serve HTTP and answer native logins until `stop`."""
    log, feed = await place.log("gateway"), await place.feed("gateway")
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_halt(error: EverythingError) -> None:
        if not failed.done():
            failed.set_exception(error)

    context = GatewayContext(
        log=log,
        appender=Appender(log),
        clock=SystemClock(),
        session_secret=keys.secret(place.home.keys, SESSION_SECRET),
        on_halt=on_halt,
    )
    board = await StatusBoard.start(place.settings.broker_url, place.shard, place.login("gateway"))
    account = create_account_dependency(context)
    routers = [
        create_read_router(place.database_url, account),
        create_feed_router(feed, account),
        create_status_router(board, log),
    ]
    server = Server(server_config(create_app(context, routers), HTTP_HOST, place.settings.http_port))
    async with desk(place, context):
        serving = asyncio.create_task(server.serve())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping, failed}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        stopping.cancel()
    await board.aclose()
    await log.close()
    await feed.close()
    if failed.done():
        failed.result()


class Server(uvicorn.Server):
    """uvicorn without its own signal handling; `run_service` has that."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def desk(place: Place, context: GatewayContext) -> AsyncIterator[None]:
    """Answer native logins while the gateway runs."""
    keyring = place.keyring
    logins = Logins(
        shard=place.shard,
        issuer_seed=keyring.seed("door-issuer"),
        account_of=context.directory.account_of,
        key_of=context.directory.key_of,
        check_token=context.sessions.check_token,
    )
    answering = await callout.start(place.settings.broker_url, keyring.seed("door"), logins)
    try:
        yield
    finally:
        await answering.close()


async def until(stop: asyncio.Event, work: Any) -> None:
    """Run `work` until it ends or `stop` is set."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not working.done():
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
    if not working.cancelled():
        working.result()


def main_of(name: str, place: Place) -> Main:
    """Return what the process `name` does. Raises InputError for no such process."""
    if name not in process_names():
        raise InputError(f"no process {name!r}; there are {', '.join(process_names())}")
    if name.startswith("engine-"):
        return partial(run_engine, place, name.removeprefix("engine-"))
    others = {"projector": run_projector, "feeds": run_feeds, "gateway": run_gateway}
    return partial(others[name], place)


def main() -> None:
    """Run the process that the command line names."""
    try:
        (name,) = sys.argv[1:]
        work = main_of(name, Place(Settings()))
    except (ValueError, InputError) as error:
        structlog.get_logger().error("not started", reason=str(error))
        sys.exit(64)
    sys.exit(run_service(work, name))


if __name__ == "__main__":
    main()
