"""The HTTP application of one gateway process, and the server that it runs in."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI

from schemas.errors import BrokenInvariant, EverythingError
from streams.gateway.addresses import KnownHosts, TrustedProxies
from streams.gateway.admission import ConnectionBounds
from streams.gateway.connections import OpenConnections
from streams.gateway.context import GatewayContext
from streams.gateway.edge import Edge
from streams.gateway.errors import install_handlers
from streams.gateway.limits import HTTP_GRACE_S
from streams.gateway.routes import accounts, admin, ingest, jobs, orders, runners, sessions, venue

_log = structlog.get_logger(__name__)

PREFIX: Final = "/api/v1"
# Routes are tried in this order, so the busiest come first.
_ROUTERS: Final = (
    orders.router,
    sessions.router,
    accounts.router,
    admin.router,
    jobs.router,
    ingest.router,
    runners.router,
    venue.router,
)


def create_app(context: GatewayContext, extra_routers: Sequence[APIRouter] = ()) -> FastAPI:
    """Return the application; `extra_routers` (queries, feeds) are mounted beside its own.

    Its lifespan runs the tail. There are no documentation pages, because they would load
    scripts from elsewhere; `/api/v1/openapi.json` is complete.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_run_tail(context))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    app = FastAPI(
        title="Everything Market",
        version="1",
        description="Every price follows from one immutable log. Errors share one envelope.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.gateway = context
    install_handlers(app, context.on_halt)
    app.add_middleware(Edge)
    for router in (*_ROUTERS, *extra_routers):
        app.include_router(router, prefix=PREFIX)
    return app


async def _run_tail(context: GatewayContext) -> None:
    try:
        await context.tail.run()
    except EverythingError as error:
        _log.critical("the tail has ended", code=error.code, error=str(error))
        context.on_halt(error)
    except Exception as error:
        # A bug: the gateway must not go on with a directory that no longer follows the log.
        _log.critical("the tail has failed", exc_info=error)
        context.on_halt(BrokenInvariant(f"the tail has failed: {error!r}"))


def server_config(
    app: FastAPI,
    host: str,
    port: int,
    *,
    hosts: Iterable[str] = (),
    proxies: Iterable[str] = (),
    bounds: ConnectionBounds | None = None,
) -> uvicorn.Config:
    """Return how uvicorn serves `app`: fast parser and loop, no access log, bounded connections.

    Requests are for `host`, for loopback or for one of `hosts`. The networks in `proxies` are
    believed whom they speak for.
    """
    context: GatewayContext = app.state.gateway
    shared = OpenConnections(
        context.sessions.check_token,
        hosts=KnownHosts((host, *hosts)),
        proxies=TrustedProxies(proxies),
        bounds=bounds or ConnectionBounds(),
    )
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=shared.protocol(),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        # open feeds end only when they are cut off
        timeout_graceful_shutdown=HTTP_GRACE_S,
    )
