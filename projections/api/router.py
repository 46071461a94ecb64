"""The read API as one router, with a pool of connections that lives as long as the app."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI

from projections.api.accounts import create_own_router
from projections.api.at import Moments, TimeMachine, create_at_dependency
from projections.api.governance import create_governance_router
from projections.api.markets import create_market_router
from projections.api.reality import create_reality_router
from projections.api.state import create_state_router
from projections.api.store import ReadStore


def create_read_router(
    dsn: str,
    current_account: Callable[..., Awaitable[str]],
    machine: TimeMachine | None = None,
) -> APIRouter:
    """Return every read of the tables at `dsn`, to be mounted under the API's prefix.

    `current_account` is the FastAPI dependency that gives a session's account; without a
    `machine` nothing can be read as of the past. Errors are raised as the typed ones of
    `schemas.errors`; the app turns them into the envelope.
    """
    store = ReadStore(dsn)
    moments = Moments(store, machine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await store.open()
        try:
            yield
        finally:
            await store.close()

    at = Depends(create_at_dependency(moments))
    router = APIRouter(lifespan=lifespan, dependencies=[at])
    router.include_router(create_market_router(store))
    router.include_router(create_own_router(store, current_account))
    router.include_router(create_governance_router(store))
    router.include_router(create_reality_router(store))
    router.include_router(create_state_router(store, moments))
    return router
