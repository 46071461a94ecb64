"""Carrying out changes over one connection."""

from collections.abc import Sequence

from projections.store.postgres import Connection, PreparedStatements
from projections.store.projection import Change, Statement
from schemas.errors import BrokenInvariant


class ChangeWriter:
    """Writes changes within the caller's transaction, either over stages or directly.

    A stage takes many rows by COPY. A direct statement is given its few rows as a parameter.
    """

    def __init__(self, connection: Connection, statements: PreparedStatements) -> None:
        self._connection = connection
        self._statements = statements
        self._stages: set[str] = set()
        self._filled: set[str] = set()

    async def prepare(self, changes: Sequence[Change]) -> None:
        """Make the stages that `changes` need, outside of a transaction: they outlive it."""
        for statement in (change.statement for change in changes):
            needed = statement.sql is not None and not statement.rare
            if needed and statement.stage not in self._stages:
                await self._connection.execute(statement.stage_ddl)
                self._stages.add(statement.stage)

    async def write(self, changes: Sequence[Change]) -> None:
        """Carry out all changes of one transaction. Raises BrokenInvariant for rows that do
        not fit.
        """
        self._filled.clear()  # the last commit has emptied all stages
        for change in changes:
            statement = change.statement
            if statement.sql is None:
                await self._copy(statement.table.name, change)
            elif statement.rare:
                await self.write_directly(change)
            else:
                await self._fill_stage(statement, change)
                _check(change, await self._statements.run(statement.sql))

    async def write_directly(self, change: Change) -> None:
        """Carry out one change without a stage. Raises BrokenInvariant as `write` does."""
        statement = change.statement
        rows = statement.direct_rows(change.rows)
        _check(change, await self._statements.run(statement.direct_sql, rows))

    async def _fill_stage(self, statement: Statement, change: Change) -> None:
        if statement.stage in self._filled:
            await self._connection.execute(f"TRUNCATE {statement.stage}")
        self._filled.add(statement.stage)
        await self._copy(statement.stage, change)

    async def _copy(self, table: str, change: Change) -> None:
        await self._connection.copy_records_to_table(
            table, records=change.rows, columns=list(change.statement.columns)
        )


def _check(change: Change, touched: int) -> None:
    statement, wanted = change.statement, len(change.rows)
    if statement.exact and touched != wanted:
        raise BrokenInvariant(f"{statement.name}: {wanted} rows to change, {touched} found")
