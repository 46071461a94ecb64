"""The read API as one router, with a pool of connections that lives as long as the app."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from everything.projections.api.accounts import create_own_router
from everything.projections.api.governance import create_governance_router
from everything.projections.api.markets import create_market_router
from everything.projections.api.store import ReadStore


def create_read_router(dsn: str, current_account: Callable[..., Awaitable[str]]) -> APIRouter:
    """Return every read of the tables at `dsn`, to be mounted under the API's prefix.

    `current_account` is the FastAPI dependency that gives a session's account. Errors are
    raised as the typed ones of `schemas.errors`; the app turns them into the envelope.
    """
    store = ReadStore(dsn)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await store.open()
        try:
            yield
        finally:
            await store.close()

    router = APIRouter(lifespan=lifespan)
    router.include_router(create_market_router(store))
    router.include_router(create_own_router(store, current_account))
    router.include_router(create_governance_router(store))
    return router
