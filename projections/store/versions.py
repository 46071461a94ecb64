"""Which version of the code made the models that there are, and how far each is.

Models of both families, tables and histories, are named by the digest of the code that made them.
What is read may be of another release than this code; then there may be one of this version
beside it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from projections.store.lease import LeaseTable
from projections.store.postgres import Connection, typed_errors
from projections.store.projection import Projection
from projections.store.registry import ModelRegistry
from projections.store.schemas import CHECKPOINT, CONTROL, model_digest, schema_name

UPGRADER: Final = "upgrade"
"""The writer of tables that are built beside those of another release."""


class ModelStatus(NamedTuple):
    """A model, the digest of the code that made it, and the message up to which it was written."""

    model: int
    schema: str
    digest: str
    state: str
    sequence: int


class Versions(NamedTuple):
    """The model that is read, and the newest one that code of version `digest` made, if any."""

    digest: str
    live: ModelStatus | None
    own: ModelStatus | None

    @property
    def needs_upgrade(self) -> bool:
        """Whether another release made what is read."""
        return self.live is not None and self.live.digest != self.digest

    @property
    def is_built(self) -> bool:
        """Whether this version's own model is whole, and as far as the one that is read."""
        if self.own is None or self.own.state != "ready":
            return False
        return self.live is None or self.own.sequence >= self.live.sequence


class ModelFamily(NamedTuple):
    """Models of one family: their registry, the table that says how far one is, their schemas."""

    registry: ModelRegistry
    position: LeaseTable
    prefix: str
    builder: str | None = None
    """Whose unfinished models are gone on with; None for anybody's."""


TABLES: Final = ModelFamily(CONTROL, CHECKPOINT, schema_name(0).removesuffix("0"), UPGRADER)


async def find_table_versions(
    connection: Connection, projections: Sequence[Projection]
) -> Versions:
    """Return the versions of the read models."""
    return await find_versions(connection, TABLES, model_digest(projections))


async def find_versions(connection: Connection, family: ModelFamily, digest: str) -> Versions:
    """Return what there is of one family, seen by code of version `digest`."""
    with typed_errors("look for models"):
        if not await family.registry.exists(connection):
            return Versions(digest, None, None)
        found = await family.registry.live(connection)
        live = None if found is None else await _status(connection, family, found["model"])
        own = await _own(connection, family, digest)
        return Versions(digest, live, own)


async def _own(connection: Connection, family: ModelFamily, digest: str) -> ModelStatus | None:
    numbers = await connection.fetch(
        f"SELECT number FROM {family.registry.schema}.models "
        "WHERE digest = $1 AND state <> 'dropped' ORDER BY number DESC",
        digest,
    )
    for (number,) in numbers:
        status = await _status(connection, family, number)
        if status is None:
            continue
        if status.state == "ready" or family.builder in (
            None,
            await _writer(connection, family, status),
        ):
            return status
    return None


async def _status(connection: Connection, family: ModelFamily, number: int) -> ModelStatus | None:
    schema = f"{family.prefix}{number}"
    # A model is noted before its tables are made: who was killed in between left none.
    there = "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = $2"
    if await connection.fetchval(there, schema, family.position.name) is None:
        return None
    row = await connection.fetchrow(
        f"SELECT digest, state FROM {family.registry.schema}.models WHERE number = $1", number
    )
    sequence = await connection.fetchval(family.position.how_far(schema))
    if row is None or sequence is None:
        return None
    return ModelStatus(number, schema, row["digest"], row["state"], sequence)


async def _writer(connection: Connection, family: ModelFamily, status: ModelStatus) -> str | None:
    query = f"SELECT writer FROM {status.schema}.{family.position.name}"
    writer: str | None = await connection.fetchval(query)
    return writer
