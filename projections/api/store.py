"""Consistent views of the live read model, over a pool of connections.

Another release may have made it. Then it is read all the same, as far as this code's queries
fit it, until `everything upgrade` has made one that fits.

As of an earlier sequence (see `api.at`) the same queries read the history's views instead.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec

from projections.api.fair_queue import FairQueue
from projections.history.schemas import HISTORY, LiveHistory
from projections.history.versions import PROGRESS, history_digest
from projections.limits import (
    MAX_READS_WAITING,
    MAX_READS_WAITING_OF_ONE,
    READ_POOL_CONNECTIONS,
    READ_STATEMENT_S,
    READ_WAIT_S,
    STORE_TIMEOUT_S,
)
from projections.store.checkpoint import End
from projections.store.lease import LeaseTable
from projections.store.postgres import DRIVER_ERRORS, PooledConnection, may_pass, transaction
from projections.store.projection import Projection
from projections.store.registry import ModelRegistry
from projections.store.schemas import CHECKPOINT, CONTROL, Live, model_digest
from projections.tables import PROJECTIONS
from schemas.errors import Busy, EverythingError, StoreUnavailable

_MILLISECONDS: Final = 1000

decode_ends = msgspec.json.Decoder(dict[str, End]).decode

Row = dict[str, Any]


class At(NamedTuple):
    """As of what a read is answered: a sequence of the log, or None for now."""

    sequence: int | None


NOW: Final = At(None)


class Reached(NamedTuple):
    """How far the live tables are: the last message projected, and each engine's last record."""

    sequence: int
    ends: dict[str, End]


class ReadView:
    """The read model exactly as of log sequence `sequence`, whatever is projected meanwhile."""

    def __init__(
        self, connection: PooledConnection, live: Live | LiveHistory, sequence: int
    ) -> None:
        self._connection = connection
        self.live = live
        self.sequence = sequence

    async def all(self, query: str, params: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of `query`, which is made only of this package's own text."""
        return [dict(row) for row in await self._connection.fetch(query, *params)]

    async def one(self, query: str, params: Sequence[Any] = ()) -> Row | None:
        """Return the first row of `query`, or None."""
        row = await self._connection.fetchrow(query, *params)
        return None if row is None else dict(row)

    async def ends(self) -> dict[str, End]:
        """Return the last record of each engine as of this view."""
        row = await self.one("SELECT ends FROM checkpoint") or {"ends": "{}"}
        return decode_ends(row["ends"])

    async def log_time_ns(self) -> int:
        """Return the log's time as of this view: that of the engines' last record."""
        return max((end.head.time_ns for end in (await self.ends()).values()), default=0)


class ReadStore:
    """A pool of read-only connections. Postgres may be away when it opens."""

    def __init__(self, dsn: str, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self._digest = model_digest(projections)
        self._history_digest = history_digest(projections)
        self._dsn = dsn
        self._pool: asyncpg.Pool | None = None
        self._turns = FairQueue(MAX_READS_WAITING, MAX_READS_WAITING_OF_ONE, READ_POOL_CONNECTIONS)

    async def open(self) -> None:
        """Make the pool. It connects when it is first read from, and again after a failure."""
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=READ_POOL_CONNECTIONS,
            reset=_leave_as_it_is,
            timeout=STORE_TIMEOUT_S,
            server_settings={
                "application_name": "read api",
                "statement_timeout": str(READ_STATEMENT_S * _MILLISECONDS),
            },
        )

    async def close(self) -> None:
        """Close the pool, after STORE_TIMEOUT_S whatever is still being read."""
        pool, self._pool = self._pool, None
        if pool is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(STORE_TIMEOUT_S):
                    await pool.close()

    @asynccontextmanager
    async def view(self, at: At, caller: str = "") -> AsyncIterator[ReadView]:
        """Give one consistent view as of `at`. Callers take turns; "" is the venue itself.

        Raises StoreUnavailable when there is none to be had, Busy when the caller's turn does not
        come in READ_WAIT_S. A view must not be asked for within another.
        """
        async with self._transaction(caller) as connection:
            if at.sequence is None:
                view = await self._view(connection)
            else:
                view = await self._view_at(connection, at.sequence)
            with self._what_it_cannot_say(view):
                yield view

    async def reached(self) -> Reached:
        """Return how far the live tables are. Raises StoreUnavailable if there are none."""
        async with self.view(NOW) as view:
            return Reached(view.sequence, await view.ends())

    @asynccontextmanager
    async def history(self, caller: str = "") -> AsyncIterator[ReadView]:
        """Give the history itself, as far as it is. Raises as `view` does."""
        async with self._transaction(caller) as connection:
            view = await self._history(connection)
            with self._what_it_cannot_say(view):
                yield view

    @contextmanager
    def _what_it_cannot_say(self, view: ReadView) -> Iterator[None]:
        """Turn what goes wrong over another release's tables into StoreUnavailable.

        They may lack a table or a column, or a row may say less than this code expects. It is
        no halt: the process that reads also takes orders, which need no tables.
        """
        try:
            yield
        except EverythingError:
            raise
        except Exception as error:
            fits = view.live.digest in (self._digest, self._history_digest)
            if fits or (isinstance(error, DRIVER_ERRORS) and may_pass(error)):
                raise
            raise StoreUnavailable(
                f"{view.live.schema} was made by another release and does not say this; "
                "`everything upgrade` builds what does"
            ) from error

    @asynccontextmanager
    async def _turn(self, caller: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(READ_WAIT_S):
                    await stack.enter_async_context(self._turns.turn(caller))
            except TimeoutError as error:
                raise Busy("too much is asked for at once") from error
            yield

    @asynccontextmanager
    async def _transaction(self, caller: str) -> AsyncIterator[PooledConnection]:
        pool = self._pool
        if pool is None:
            raise _unreachable()
        async with self._turn(caller), self._connected(pool) as connection:
            yield connection

    @asynccontextmanager
    async def _connected(self, pool: asyncpg.Pool) -> AsyncIterator[PooledConnection]:
        connection = await _acquire(pool)
        try:
            async with transaction(connection, snapshot=True, readonly=True):
                yield connection
        except DRIVER_ERRORS as error:
            if not may_pass(error):
                raise
            raise _unreachable() from error
        finally:
            with suppress(*DRIVER_ERRORS):  # one that broke has left the pool already
                await pool.release(connection)

    async def _view(self, connection: PooledConnection) -> ReadView:
        row = await _live(connection, CONTROL, "nothing has been projected yet")
        live = Live(*row)
        return await _reading(connection, live, CHECKPOINT)

    async def _history(self, connection: PooledConnection) -> ReadView:
        row = await _live(connection, HISTORY, "the history has not caught up yet")
        live = LiveHistory(*row)
        return await _reading(connection, live, PROGRESS)

    async def _view_at(self, connection: PooledConnection, sequence: int) -> ReadView:
        history = await self._history(connection)
        if history.sequence < sequence or not isinstance(history.live, LiveHistory):
            raise StoreUnavailable(f"the history is at sequence {history.sequence} yet")
        await connection.execute(f"SET LOCAL search_path TO {history.live.views}")
        await connection.execute(f"SET LOCAL everything.at TO '{sequence}'")
        return ReadView(connection, history.live, sequence)


async def _acquire(pool: asyncpg.Pool) -> PooledConnection:
    try:
        return await pool.acquire(timeout=READ_WAIT_S)
    except (*DRIVER_ERRORS, OSError) as error:
        raise _unreachable() from error


async def _live(
    connection: PooledConnection, registry: ModelRegistry, otherwise: str
) -> asyncpg.Record:
    """Return the row of the live model. Raises StoreUnavailable, as `otherwise`, without one."""
    try:
        row = await registry.live(connection)
    except asyncpg.UndefinedTableError as error:
        raise StoreUnavailable(otherwise) from error
    if row is None:
        raise StoreUnavailable(otherwise)
    return row


async def _reading(
    connection: PooledConnection, live: Live | LiveHistory, position: LeaseTable
) -> ReadView:
    """Turn the connection to the live model's schema, and look how far that is."""
    await connection.execute(f"SET LOCAL search_path TO {live.schema}")
    sequence = await connection.fetchval(position.how_far())
    if sequence is None:
        raise StoreUnavailable(f"{live.schema} does not say how far it is")
    return ReadView(connection, live, sequence)


async def _leave_as_it_is(connection: asyncpg.Connection) -> None:
    """Spare a pooled connection the driver's own reset: reads only SET LOCAL."""


def _unreachable() -> StoreUnavailable:
    return StoreUnavailable("the read models cannot be reached")
