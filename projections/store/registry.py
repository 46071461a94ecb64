"""The registry of models of one kind: what there is, of which version, and which one is live.

The read models have one, in schema `control`; the histories another, in `history`. The newest
row of `switches` names the live model, so that the table is also the history of switches.
"""

from typing import NamedTuple

import asyncpg

from projections.store.postgres import Connection, PooledConnection


class ModelRegistry(NamedTuple):
    """The registry in `schema`."""

    schema: str

    def ddl(self) -> tuple[str, ...]:
        """Return the statements that create an empty registry."""
        return (
            f"CREATE SCHEMA {self.schema}",
            f"""
            CREATE TABLE {self.schema}.models (
                number bigint PRIMARY KEY,
                digest text NOT NULL,
                state text NOT NULL CHECK (state IN ('building', 'ready', 'dropped')),
                made_at timestamptz NOT NULL DEFAULT now()
            )
            """,
            f"""
            CREATE TABLE {self.schema}.switches (
                number bigint PRIMARY KEY,
                model bigint NOT NULL REFERENCES {self.schema}.models,
                reason text NOT NULL,
                sequence bigint NOT NULL,
                at timestamptz NOT NULL DEFAULT now()
            )
            """,
        )

    def live_query(self) -> str:
        """Return the query for the live model's number, its digest and its switch."""
        return (
            f"SELECT m.number AS model, m.digest, s.number AS switch FROM {self.schema}.switches s "
            f"JOIN {self.schema}.models m ON m.number = s.model ORDER BY s.number DESC LIMIT 1"
        )

    async def exists(self, connection: Connection) -> bool:
        # Not by to_regclass, which may still say no after another process has made it.
        query = "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'switches'"
        return await connection.fetchrow(query, self.schema) is not None

    async def make(self, connection: Connection) -> None:
        for statement in self.ddl():
            await connection.execute(statement)

    async def live(self, connection: Connection | PooledConnection) -> asyncpg.Record | None:
        return await connection.fetchrow(self.live_query())

    async def add(self, connection: Connection, digest: str) -> int:
        """Add a model that is being built, and return its number."""
        number: int = await connection.fetchval(
            f"INSERT INTO {self.schema}.models (number, digest, state) "
            f"SELECT coalesce(max(number), 0) + 1, $1::text, 'building' FROM {self.schema}.models "
            "RETURNING number",
            digest,
        )
        return number

    async def finish(self, connection: Connection, model: int) -> None:
        """Say that a model is whole, so that it may become live."""
        await self._set_state(connection, model, "ready")

    async def drop(self, connection: Connection, model: int, *schemas: str) -> None:
        """Drop the schemas of a model that is not live; the registry remembers the model."""
        await connection.execute(f"DROP SCHEMA IF EXISTS {', '.join(schemas)} CASCADE")
        await self._set_state(connection, model, "dropped")

    async def _set_state(self, connection: Connection, model: int, state: str) -> None:
        query = f"UPDATE {self.schema}.models SET state = $2 WHERE number = $1"
        await connection.execute(query, model, state)

    async def record_switch(
        self, connection: Connection, model: int, reason: str, sequence: int
    ) -> None:
        """Make `model` the live one, by a new row of the history."""
        await connection.execute(
            f"INSERT INTO {self.schema}.switches (number, model, reason, sequence) "
            "SELECT coalesce(max(number), 0) + 1, $1::bigint, $2::text, $3::bigint "
            f"FROM {self.schema}.switches",
            model,
            reason,
            sequence,
        )
