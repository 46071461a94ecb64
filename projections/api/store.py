"""Reading: consistent views of the live read model, over a pool of connections.

Where a request asked for a sequence (see `api.at`), the same queries read the history's views
as of that sequence instead.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from projections.history.schemas import LIVE_HISTORY_QUERY, LiveHistory
from projections.history.versions import history_digest
from projections.limits import READ_POOL_CONNECTIONS, READ_STATEMENT_S, READ_WAIT_S, STORE_TIMEOUT_S
from projections.store.checkpoint import End
from projections.store.projection import Projection
from projections.store.schemas import LIVE_QUERY, Live, model_digest
from projections.tables import PROJECTIONS
from schemas.errors import StoreUnavailable

_MILLISECONDS: Final = 1000

decode_ends = msgspec.json.Decoder(dict[str, End]).decode

AT: ContextVar[int | None] = ContextVar("at", default=None)
"""The sequence as of which the request at hand is answered, None for now."""

Connection = psycopg.AsyncConnection[dict[str, Any]]
Row = dict[str, Any]


class Reading:
    """The read model exactly as of log sequence `sequence`, whatever is projected meanwhile."""

    def __init__(self, connection: Connection, live: Live | LiveHistory, sequence: int) -> None:
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

    async def log_time_ns(self) -> int:
        """Return the log's time as of this view: that of the engines' last record."""
        row = await self.one("SELECT ends FROM checkpoint") or {"ends": "{}"}
        return max((end.head.time_ns for end in decode_ends(row["ends"]).values()), default=0)


class ReadStore:
    """A pool of read-only connections. Postgres may be away when it opens."""

    def __init__(self, dsn: str, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self._digest = model_digest(projections)
        self._history_digest = history_digest(projections)
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
        """Give one consistent view, as of AT if that is set.

        Raises StoreUnavailable when there is none to be had.
        """
        at = AT.get()
        async with self._transaction() as connection:
            if at is None:
                yield await self._view(connection)
            else:
                yield await self._view_at(connection, at)

    @asynccontextmanager
    async def history(self) -> AsyncIterator[Reading]:
        """Give the history itself, as far as it is. Raises StoreUnavailable if there is none."""
        async with self._transaction() as connection:
            yield await self._history(connection)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.connection() as connection, connection.transaction():
                yield connection
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

    async def _history(self, connection: Connection) -> Reading:
        try:
            cursor = await connection.execute(LIVE_HISTORY_QUERY.encode())
        except psycopg.errors.UndefinedTable as error:
            raise StoreUnavailable("there is no history yet") from error
        row = await cursor.fetchone()
        if row is None:
            raise StoreUnavailable("the history has not caught up yet")
        live = LiveHistory(row["model"], row["digest"], row["switch"])
        if live.digest != self._history_digest:
            raise StoreUnavailable(f"{live.schema} is of another version")
        await connection.execute(f"SET LOCAL search_path TO {live.schema}".encode())
        cursor = await connection.execute("SELECT through FROM progress")
        progress = await cursor.fetchone()
        return Reading(connection, live, int(progress["through"]) if progress else 0)

    async def _view_at(self, connection: Connection, at: int) -> Reading:
        history = await self._history(connection)
        if history.sequence < at or not isinstance(history.live, LiveHistory):
            raise StoreUnavailable(f"the history is at sequence {history.sequence} yet")
        await connection.execute(f"SET LOCAL search_path TO {history.live.views}".encode())
        await connection.execute(f"SET LOCAL everything.at TO '{at}'".encode())
        return Reading(connection, history.live, at)


async def _configure(connection: Connection) -> None:
    await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)
