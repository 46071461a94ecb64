"""The lease of the one writer of a schema: who may write there, and how far the writing is.

A lease is the one row of a table in that schema. A newcomer raises its `epoch` and so always
wins. The writer before it moves the position only from where it left it, and only in its own
epoch, in the transaction that also holds its rows; so its next commit fails with Fenced.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import asyncpg

from projections.store.postgres import Connection, PreparedStatements, transaction
from schemas.errors import BrokenInvariant, Fenced


class HeldLease(NamedTuple):
    """Which model a process has the lease of, and in which epoch; it outlives a connection."""

    model: int
    epoch: int


class LeaseTable(NamedTuple):
    """The table of a lease. `position` maps its columns to an SQL type and a first value.

    The first column of the position grows with each commit, and is compared with it.
    """

    name: str
    position: Mapping[str, tuple[str, str]]

    def ddl(self) -> list[str]:
        """Return the statements that create the table and its row, in the current schema."""
        columns = ",\n".join(f"    {name} {kind} NOT NULL" for name, kind in self._kinds())
        names = ", ".join(name for name, _ in self._kinds())
        values = ", ".join(first for _, first in self.position.values())
        return [
            f"\nCREATE TABLE {self.name} (\n"
            "    one boolean PRIMARY KEY DEFAULT true CHECK (one),\n"
            f"{columns}\n)\n",
            f"INSERT INTO {self.name} ({names}) VALUES (0, '', {values})",
        ]

    def _kinds(self) -> list[tuple[str, str]]:
        position = [(name, kind) for name, (kind, _) in self.position.items()]
        return [("epoch", "bigint"), ("writer", "text"), *position]

    def read(self) -> str:
        return f"SELECT epoch, {', '.join(self.position)} FROM {self.name}"

    def how_far(self, schema: str | None = None) -> str:
        """Return the query for the first column of the position, in `schema` or the current one."""
        table = self.name if schema is None else f"{schema}.{self.name}"
        return f"SELECT {next(iter(self.position))} FROM {table}"

    def take(self) -> str:
        return (
            f"UPDATE {self.name} SET epoch = epoch + 1, writer = $1 "
            f"RETURNING epoch, {', '.join(self.position)}"
        )

    def advance(self) -> str:
        """Return what moves the position: its values, then the epoch and the first one before."""
        sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(self.position, 1))
        count, first = len(self.position), next(iter(self.position))
        return (
            f"UPDATE {self.name} SET {sets} WHERE epoch = ${count + 1} AND {first} = ${count + 2}"
        )


class WriterLease:
    """The lease of the schema that a connection's `search_path` begins with.

    `holder` is what a writer is called in messages, "projector" say.
    """

    def __init__(
        self,
        connection: Connection,
        statements: PreparedStatements,
        table: LeaseTable,
        schema: str,
        holder: str,
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._table = table
        self._schema = schema
        self._holder = holder
        self._at: int = 0
        self.epoch: int = 0

    async def open(self, writer: str, epoch: int | None = None) -> Sequence[Any]:
        """Take the lease, or resume the one of `epoch`; return the position.

        Raises Fenced when the lease of `epoch` is no longer this writer's.
        """
        if epoch is None:
            async with transaction(self._connection):
                await self._connection.execute("SET LOCAL synchronous_commit TO on")
                row = await self._connection.fetchrow(self._table.take(), writer)
        else:
            row = await self._connection.fetchrow(self._table.read())
        if row is None:
            raise BrokenInvariant(f"{self._schema}.{self._table.name} has no row")
        self.epoch, *position = row
        if epoch is not None and epoch != self.epoch:
            raise self._lost()
        self._at = position[0]
        return position

    async def check(self) -> None:
        """Raise Fenced if another writer has taken the lease, or the schema is gone."""
        try:
            row = await self._connection.fetchrow(f"SELECT epoch FROM {self._table.name}")
        except asyncpg.UndefinedTableError:
            row = None
        if row is None or row[0] != self.epoch:
            raise self._lost()

    async def advance(self, *position: Any) -> None:
        """Move the position, within the transaction of the rows that lead there.

        Raises Fenced when another writer has taken the lease. Call `advanced` after the commit.
        """
        values = (*position, self.epoch, self._at)
        if await self._statements.run(self._table.advance(), *values) != 1:
            raise Fenced(f"{self._schema} is no longer at {self._at} in epoch {self.epoch}")

    def advanced(self, at: int) -> None:
        """Note that the transaction that moved the position to `at` is committed."""
        self._at = at

    def _lost(self) -> Fenced:
        return Fenced(f"another {self._holder} has taken the lease of {self._schema}")


POSITION: Final = {
    "sequence": ("bigint", "0"),
    "message_hash": ("text", "repeat('0', 64)"),
    "chain": ("text", "repeat('0', 64)"),
    "ends": ("text", "'{}'"),
}
"""The columns of a checkpoint."""
