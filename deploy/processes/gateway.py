"""The gateway: HTTP, for commands, queries and feeds."""

import asyncio
import contextlib
import resource
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import uvicorn

from deploy.limits import GATEWAY_FILES
from deploy.observe.heartbeat import question_connection, quiet_connection
from deploy.observe.status import VenueStatus, status_board
from deploy.processes.names import not_started
from deploy.venue import keys
from deploy.venue.founding import FoundingNote
from deploy.venue.paths import VenuePaths
from deploy.venue.runner_desk import NatsRunnerDesk
from deploy.venue.search_service import SearchService
from deploy.venue.service_keys import ServiceKeyFolder
from deploy.venue.settings import listed
from deploy.venue.state_service import StateService
from projections.api import create_read_router, create_status_router
from projections.api.open_orders import count_open_orders
from projections.api.store import ReadStore
from projections.feeds.nats_feed import NatsFeed
from projections.feeds.sse import create_feed_router
from projections.limits import SEARCHES_PER_MINUTE
from schemas import subjects
from schemas.asks import SEARCH
from schemas.errors import EverythingError
from schemas.runners import RUNNERS
from streams.accounts.nonces import NatsNonces
from streams.accounts.rate_limiter import RateLimiter
from streams.gateway.app import create_app, server_config
from streams.gateway.auth import account_by_token
from streams.gateway.context import GatewayContext
from streams.ingest.jobs.queue import NatsJobQueue
from streams.log.appender import Appender
from streams.log.clock import SystemClock

HTTP_HOST: Final = "127.0.0.1"


async def run(paths: VenuePaths, stop: asyncio.Event) -> None:
    """Serve until `stop`, or until the gateway can no longer trust the log."""
    _allow_open_files()
    log, feed = await paths.log("gateway"), await paths.feed("gateway")
    news = await quiet_connection(paths, "gateway")
    questions = await question_connection(paths, "gateway", subjects.answers(paths.shard, SEARCH))
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_halt(error: EverythingError) -> None:
        if not failed.done():
            failed.set_exception(error)

    runners = await question_connection(paths, "gateway", subjects.answers(paths.shard, RUNNERS))
    tables = ReadStore(paths.database_url)
    await tables.open()
    context = GatewayContext(
        log=log,
        appender=Appender(log),
        clock=SystemClock(),
        session_secret=keys.secret(paths.home.keys, keys.SESSION_SECRET),
        on_halt=on_halt,
        jobs=NatsJobQueue(news, paths.shard),
        service_keys=_service_keys(paths).accepted,
        runner_keys=ServiceKeyFolder(paths.home.runner_keys).accepted,
        runner_desk=NatsRunnerDesk(runners, paths.shard),
        nonces=NatsNonces(news, paths.shard),
        count_open_orders=partial(count_open_orders, tables),
        founding_terms=FoundingNote(paths.home.founding).terms,
    )
    search_rate = RateLimiter(context.steady, "this network searches too often")
    account_of, state_service = account_by_token(context), StateService(log)
    try:
        board = await status_board(news, paths.shard)
        routers = [
            create_read_router(
                paths.database_url,
                account_of,
                state_service,
                similar_to=SearchService(questions, paths.shard),
                admit_search=partial(search_rate.admit, SEARCHES_PER_MINUTE),
            ),
            create_feed_router(NatsFeed(feed), account_of, context.quotas.follow),
            create_status_router(VenueStatus(board, log, partial(not_started, paths.settings))),
        ]
        app = create_app(context, routers)
        settings = paths.settings
        config = server_config(
            app,
            HTTP_HOST,
            settings.http_port,
            hosts=listed(settings.hosts),
            proxies=listed(settings.trusted_proxies),
        )
        server = _HttpServer(config)
        serving = asyncio.create_task(server.serve())
        stopping = asyncio.create_task(stop.wait())
        ends: set[asyncio.Future[Any]] = {serving, stopping, failed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        server.should_exit = True
        await serving
    finally:
        await state_service.close()
        await tables.close()
        connections = (log, feed, news, questions, runners)
        await asyncio.gather(*(one.close() for one in connections))
    if failed.done():
        failed.result()


def _allow_open_files() -> None:
    """Raise this process's limit, which is often 1,024 and below what connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = GATEWAY_FILES if hard == resource.RLIM_INFINITY else min(GATEWAY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _service_keys(paths: VenuePaths) -> ServiceKeyFolder:
    given = paths.settings.reality_api_secret
    secret = None if given is None else given.get_secret_value()
    return ServiceKeyFolder(paths.home.program_keys, secret)


class _HttpServer(uvicorn.Server):
    """uvicorn without its own signal handling; `run_service` has that."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
