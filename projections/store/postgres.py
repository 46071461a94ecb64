"""Connections to Postgres, transactions on them, and which of the driver's errors may pass.

An error that may pass becomes StoreUnavailable: the caller connects again. Any other error of
the driver is a bug in this code, and becomes BrokenInvariant.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.prepared_stmt import PreparedStatement

from projections.limits import STORE_TIMEOUT_S
from schemas.errors import BrokenInvariant, StoreUnavailable

Connection = asyncpg.Connection
PooledConnection = PoolConnectionProxy

DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""All that the driver raises over a connection that was made."""
_MAY_PASS: Final = (
    asyncpg.InterfaceError,  # the connection was closed
    asyncpg.InternalClientError,  # the driver lost its place; a new connection has none to lose
    asyncpg.InvalidCachedStatementError,  # the driver prepares the statement again
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.TransactionRollbackError,  # a deadlock, or a snapshot that is too old
    asyncpg.InsufficientResourcesError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # a lock that was not to be had
    asyncpg.OperatorInterventionError,  # Postgres starts, shuts down, or has ended a long read
    asyncpg.PostgresSystemError,
)


def may_pass(error: Exception) -> bool:
    """Tell whether the same may succeed over a new connection.

    A value that does not fit its parameter is an InterfaceError to the driver, as is a closed
    connection; only the former is a ValueError too.
    """
    return isinstance(error, _MAY_PASS) and not isinstance(error, ValueError)


@contextmanager
def typed_errors(doing: str) -> Iterator[None]:
    """Turn the driver's errors into StoreUnavailable (may pass) or BrokenInvariant (is a bug)."""
    try:
        yield
    except DRIVER_ERRORS as error:
        kind = StoreUnavailable if may_pass(error) else BrokenInvariant
        raise kind(f"{doing}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


async def connect(dsn: str, application: str) -> Connection:
    """Return a connection on which each statement commits itself. Raises StoreUnavailable."""
    settings = {"application_name": application}
    try:
        return await asyncpg.connect(dsn, timeout=STORE_TIMEOUT_S, server_settings=settings)
    except asyncpg.exceptions.ClientConfigurationError as error:
        raise BrokenInvariant(f"connect: {_first_line(error)}") from error
    except (*DRIVER_ERRORS, OSError) as error:
        raise StoreUnavailable(f"connect: {_first_line(error)}") from error


async def disconnect(connection: Connection) -> None:
    """Close `connection`, and wait until Postgres has let go of its locks.

    A connection that is broken, or on which Postgres does not answer, is dropped.
    """
    with suppress(*DRIVER_ERRORS, OSError):
        await connection.close(timeout=STORE_TIMEOUT_S)


async def set_up_for_batches(connection: Connection, schema: str) -> None:
    """Set up a connection that writes batches into `schema`.

    Losing the last commits in a crash of Postgres loses nothing: the checkpoint goes back with
    the rows, and the log still has what they were made of. A batch finds its rows by key;
    Postgres knows nothing of what is in a stage, and might read a whole table to join it with
    a few rows.
    """
    await connection.execute(
        f"SET search_path TO {schema}, pg_temp; SET synchronous_commit TO off; "
        "SET enable_hashjoin TO off; SET enable_mergejoin TO off"
    )


@asynccontextmanager
async def transaction(
    connection: Connection | PooledConnection, *, snapshot: bool = False, readonly: bool = False
) -> AsyncIterator[None]:
    """Commit what is done inside, or nothing of it.

    With `snapshot` all statements see the database as of the first one. The driver's own
    context would raise a failed rollback in place of what ended the block, be it a
    cancellation; the block's own error always comes out of this one.
    """
    isolation: Final = "repeatable_read" if snapshot else None
    started = connection.transaction(isolation=isolation, readonly=readonly)
    await started.start()
    try:
        yield
    except BaseException:
        with suppress(*DRIVER_ERRORS):
            await started.rollback()
        raise
    await started.commit()


class PreparedStatements:
    """The statements that one connection runs again and again: each is parsed only once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._prepared: dict[str, PreparedStatement] = {}

    async def run(self, text: str, *values: object) -> int:
        """Run one statement and return how many rows it touched."""
        statement = self._prepared.get(text)
        if statement is None:
            statement = self._prepared[text] = await self._connection.prepare(text)
        await statement.fetch(*values)
        return touched(statement.get_statusmsg())


def touched(status: str | None) -> int:
    """Return how many rows a statement touched, as Postgres says with its end ("UPDATE 3")."""
    count = (status or "").rpartition(" ")[2]
    return int(count) if count.isdecimal() else 0
