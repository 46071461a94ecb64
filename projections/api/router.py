"""The read API as one router, with a pool of connections that lives as long as the app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI

from projections.api import accounts, governance, jobs, markets, reality, similar, state
from projections.api.at import AtResolver, StatePort
from projections.api.context import ReadContext
from projections.api.similar_port import AdmitSearch, SimilarPort, admit_all
from projections.api.store import ReadStore
from projections.http import AccountByToken, bound

_ROUTERS: Final = (
    markets.router,
    similar.router,
    accounts.router,
    governance.router,
    reality.router,
    jobs.router,
    state.router,
)


def create_read_router(
    dsn: str,
    account_of: AccountByToken,
    states: StatePort | None = None,
    *,
    similar_to: SimilarPort | None = None,
    admit_search: AdmitSearch = admit_all,
) -> APIRouter:
    """Return every query of the tables at `dsn`, to be mounted under the API's prefix.

    `account_of` gives a session's account. Without `states` nothing can be read as of the past,
    without `similar_to` nothing is compared by meaning. Errors are raised as the typed ones of
    `schemas.errors`; the app turns them into the envelope.
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
    for queries in _ROUTERS:
        router.include_router(queries)
    resolver = AtResolver(store, states)
    context = ReadContext(store, resolver, account_of, similar_to, admit_search)
    return bound(router, reads=context)
