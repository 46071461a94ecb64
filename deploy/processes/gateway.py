"""The gateway: HTTP (the door for people, the read API, feeds) and native logins."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import uvicorn

from deploy.observe.heartbeat import quiet_connection
from deploy.observe.status import VenueStatus, status_board
from deploy.processes.process import absent
from deploy.venue import keys
from deploy.venue.paths import Place
from deploy.venue.service_keys import ServiceKeyFolder
from deploy.venue.state_service import Traveller
from projections.api import create_read_router, create_status_router
from projections.feeds.nats_feed import NatsFeed
from projections.feeds.sse import create_feed_router
from schemas.errors import EverythingError
from streams.broker import callout
from streams.broker.keyring import ISSUER
from streams.broker.logins import Logins
from streams.gateway.app import create_app, server_config
from streams.gateway.auth import account_by_token
from streams.gateway.context import GatewayContext
from streams.ingest.jobs.queue import NatsJobQueue
from streams.log.appender import Appender
from streams.log.clock import SystemClock

SESSION_SECRET: Final = "session.secret"
HTTP_HOST: Final = "127.0.0.1"


async def run(place: Place, stop: asyncio.Event) -> None:
    """Serve until `stop`, or until the door can no longer trust the log."""
    log, feed = await place.log("gateway"), await place.feed("gateway")
    news = await quiet_connection(place, "gateway")
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
        jobs=NatsJobQueue(news, place.shard),
        service_keys=_service_keys(place).accepted,
    )
    account_of, traveller = account_by_token(context), Traveller(log)
    try:
        board = await status_board(news, place.shard)
        async with _desk(place, context):
            routers = [
                create_read_router(place.database_url, account_of, traveller),
                create_feed_router(NatsFeed(feed), account_of),
                create_status_router(VenueStatus(board, log, absent(place.settings))),
            ]
            app = create_app(context, routers)
            server = _Server(server_config(app, HTTP_HOST, place.settings.http_port))
            serving = asyncio.create_task(server.serve())
            stopping = asyncio.create_task(stop.wait())
            ends: set[asyncio.Future[Any]] = {serving, stopping, failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            server.should_exit = True
            await serving
    finally:
        await traveller.close()
        await log.close()
        await feed.close()
        await news.close()
    if failed.done():
        failed.result()


def _service_keys(place: Place) -> ServiceKeyFolder:
    given = place.settings.reality_api_secret
    secret = None if given is None else given.get_secret_value()
    return ServiceKeyFolder(place.home.program_keys, secret)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling; `run_service` has that."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _desk(place: Place, context: GatewayContext) -> AsyncIterator[None]:
    """Answer native logins while the gateway runs."""
    keyring = place.keyring
    logins = Logins(
        shard=place.shard,
        issuer_seed=keyring.seed(ISSUER),
        account_of=context.directory.account_of,
        key_of=context.directory.key_of,
        check_token=context.sessions.check_token,
    )
    answering = await callout.start(place.settings.broker_url, keyring.seed("door"), logins)
    try:
        yield
    finally:
        await answering.close()
