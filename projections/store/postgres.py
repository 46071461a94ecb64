"""Connections to Postgres, and which of its errors may pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from projections.limits import STORE_TIMEOUT_S
from schemas.errors import BrokenInvariant, StoreUnavailable

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


@contextmanager
def typed_errors(doing: str) -> Iterator[None]:
    """Turn the driver's errors into StoreUnavailable (may pass) or BrokenInvariant (is a bug)."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise StoreUnavailable(f"{doing}: {_first_line(error)}") from error
    except psycopg.Error as error:
        raise BrokenInvariant(f"{doing}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


async def connect(dsn: str, application: str) -> Connection:
    """Return an autocommit connection. Raises StoreUnavailable."""
    with typed_errors("connect"):
        return await psycopg.AsyncConnection.connect(
            dsn,
            autocommit=True,
            application_name=application,
            connect_timeout=STORE_TIMEOUT_S,
        )


async def fetch_one(
    connection: Connection, query: str, params: tuple[Any, ...] = ()
) -> tuple[Any, ...] | None:
    """Run `query`, made only of this package's own text, and return its first row."""
    cursor = await connection.execute(query.encode(), params or None)
    return await cursor.fetchone()
