"""Reading: consistent views of the live read model, over a pool of connections."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from everything.projections.store.schemas import LIVE_QUERY, Live, model_digest
from everything.projections.store.shape import Projection
from everything.projections.tables import PROJECTIONS
from everything.schemas.errors import StoreUnavailable
from everything.schemas.limits import (
    READ_POOL_CONNECTIONS,
    READ_STATEMENT_S,
    READ_WAIT_S,
    STORE_TIMEOUT_S,
)

_MILLISECONDS: Final = 1000

Connection = psycopg.AsyncConnection[dict[str, Any]]
Row = dict[str, Any]


class Reading:
    """The read model exactly as of log sequence `sequence`, whatever is projected meanwhile."""

    def __init__(self, connection: Connection, live: Live, sequence: int) -> None:
        self._connection = connection
        self.live = live
        self.sequence = sequence

    async def all(self, query: str, params: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of `query`, which is made only of this package's own text."""
        cursor = await self._connection.execute(query.encode(), params)
        return await cursor.fetchall()

    async def one(self, query: str, params: Sequence[Any] = ()) -> Row | None:
        """Return the first row of `query`, or None."""
        cursor = await self._connection.execute(query.encode(), params)
        return await cursor.fetchone()


class ReadStore:
    """A pool of read-only connections. Postgres may be away when it opens."""

    def __init__(self, dsn: str, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self._digest = model_digest(projections)
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            connection_class=psycopg.AsyncConnection[dict[str, Any]],
            kwargs={
                "row_factory": dict_row,
                "application_name": "read api",
                "connect_timeout": STORE_TIMEOUT_S,
                "options": f"-c statement_timeout={READ_STATEMENT_S * _MILLISECONDS}",
            },
            configure=_configure,
            min_size=1,
            max_size=READ_POOL_CONNECTIONS,
            timeout=READ_WAIT_S,
            open=False,
        )

    async def open(self) -> None:
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """Give one consistent view. Raises StoreUnavailable when there is none to be had."""
        try:
            async with self._pool.connection() as connection, connection.transaction():
                yield await self._view(connection)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreUnavailable("the read models cannot be reached") from error

    async def _view(self, connection: Connection) -> Reading:
        try:
            cursor = await connection.execute(LIVE_QUERY.encode())
        except psycopg.errors.UndefinedTable as error:
            raise StoreUnavailable("nothing has been projected yet") from error
        row = await cursor.fetchone()
        if row is None:
            raise StoreUnavailable("nothing has been projected yet")
        live = Live(row["model"], row["digest"], row["switch"])
        if live.digest != self._digest:
            # Not a halt: whoever serves this also takes orders, which need no tables.
            raise StoreUnavailable(f"the read model {live.schema} is of another version")
        await connection.execute(f"SET LOCAL search_path TO {live.schema}".encode())
        cursor = await connection.execute("SELECT sequence FROM checkpoint")
        checkpoint = await cursor.fetchone()
        if checkpoint is None:
            raise StoreUnavailable(f"the read model {live.schema} has no checkpoint")
        return Reading(connection, live, int(checkpoint["sequence"]))


async def _configure(connection: Connection) -> None:
    await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)
