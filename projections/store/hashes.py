"""Canonical hashes of tables: equal rows have equal hashes, in every database."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from projections.store.postgres import Connection, touched, typed_errors
from projections.store.projection import Projection, Table
from projections.store.schemas import schema_name


class TableHash(NamedTuple):
    """SHA-256 of a table's rows in the order of its key, as COPY writes them."""

    rows: int
    hash: str


async def hash_table(connection: Connection, model: int, table: Table) -> TableHash:
    """Hash one table as the connection's transaction sees it."""
    return await hash_in(connection, schema_name(model), table)


async def hash_in(connection: Connection, schema: str, table: Table) -> TableHash:
    """Hash the table of that name in `schema`, or the view of it."""
    query = (
        f"SELECT {', '.join(table.columns)} FROM {schema}.{table.name} "
        f"ORDER BY {table.canonical_order()}"
    )
    total = sha256()

    async def take(block: bytes) -> None:
        total.update(block)

    with typed_errors(f"hash {table.name}"):
        status = await connection.copy_from_query(query, output=take, format="text")
    return TableHash(touched(status), total.hexdigest())


async def hash_model(
    connection: Connection, model: int, projections: Sequence[Projection]
) -> dict[str, TableHash]:
    """Hash every table that the model has with the same columns, all as of one moment.

    The caller holds a REPEATABLE READ transaction where the model may change meanwhile.
    """
    existing = await _columns(connection, model)
    return {
        table.name: await hash_table(connection, model, table)
        for projection in projections
        for table in projection.tables
        if existing.get(table.name) == set(table.columns)
    }


async def _columns(connection: Connection, model: int) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    with typed_errors("list columns"):
        rows = await connection.fetch(
            "SELECT table_name::text, column_name::text FROM information_schema.columns "
            "WHERE table_schema::text = $1",
            schema_name(model),
        )
        for table, column in rows:
            found.setdefault(table, set()).add(column)
    return found
