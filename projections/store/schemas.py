"""Which Postgres schema holds the live read models, and which version they are of.

Read models live in schemas `rm_1`, `rm_2` …; the schema `control` says what each is made
of and which one is live: the newest row of `control.switches`, which is also their
history. Only the very first read model is made without being asked for; any other
mismatch is a SchemaDrift, and a rebuild the way out of it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from projections.store.lease import POSITION, LeaseTable
from projections.store.postgres import Connection, transaction, typed_errors
from projections.store.projection import Projection
from projections.store.registry import ModelRegistry
from schemas.chain import digest
from schemas.errors import SchemaDrift, StoreUnavailable

CONTROL: Final = ModelRegistry("control")
CHECKPOINT: Final = LeaseTable("checkpoint", POSITION)

_MAKING: Final = 0x45564D01
"""Advisory lock under which `control` is made, so that two first starts do not collide."""


class Live(NamedTuple):
    """The live read model, and the number of the switch that made it so."""

    model: int
    digest: str
    switch: int

    @property
    def schema(self) -> str:
        return schema_name(self.model)


def schema_name(model: int) -> str:
    return f"rm_{model}"


def model_ddl(projections: Sequence[Projection]) -> list[str]:
    """Return the statements that make an empty read model in the current schema."""
    tables = [ddl for one in projections for table in one.tables for ddl in table.ddl()]
    return [*CHECKPOINT.ddl(), *tables]


def model_digest(projections: Sequence[Projection]) -> str:
    """Return what names a version of the read models: their DDL and their versions."""
    versions = [f"{one.name}/{one.version}" for one in projections]
    return digest("\n".join([*model_ddl(projections), *versions]).encode())


async def find_live(connection: Connection) -> Live | None:
    """Return the live read model, or None when there is none yet."""
    with typed_errors("find the live read model"):
        row = await CONTROL.live(connection) if await CONTROL.exists(connection) else None
    return Live(*row) if row else None


def check_digest(live: Live, digest_: str) -> None:
    """Raise SchemaDrift unless the live read model is of the version that this code knows."""
    if live.digest != digest_:
        raise SchemaDrift(
            f"the live read model {live.schema} is of version {live.digest[:12]}, this code "
            f"of {digest_[:12]}: rebuild and switch, or run the code that made it"
        )


async def ensure_live(connection: Connection, projections: Sequence[Projection]) -> Live:
    """Return the live read model; make the first one when the database is empty.

    Raises SchemaDrift when it is of another version, or read models exist that nothing
    accounts for.
    """
    digest_ = model_digest(projections)
    live = await find_live(connection)
    if live is None:
        live = await _make_first(connection, projections, digest_)
    check_digest(live, digest_)
    return live


async def _make_first(
    connection: Connection, projections: Sequence[Projection], digest_: str
) -> Live:
    with typed_errors("make the first read model"):
        async with transaction(connection):
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _MAKING)
            live = await find_live(connection)
            if live is not None:
                return live
            stray = await connection.fetchrow(
                "SELECT nspname FROM pg_namespace WHERE nspname = 'control' "
                "OR nspname ~ '^rm_[0-9]+$' ORDER BY nspname LIMIT 1",
            )
            if stray is not None:
                raise SchemaDrift(f"schema {stray[0]} exists, but no read model is live")
            await CONTROL.make(connection)
            model = await make_model(connection, projections)
            await CONTROL.finish(connection, model)
            await CONTROL.record_switch(connection, model, "first start", 0)
            return Live(model, digest_, 1)


async def make_model(connection: Connection, projections: Sequence[Projection]) -> int:
    """Make an empty read model beside whatever exists, and return its number."""
    model = await CONTROL.add(connection, model_digest(projections))
    async with transaction(connection):
        await connection.execute(f"CREATE SCHEMA {schema_name(model)}")
        await connection.execute(f"SET LOCAL search_path TO {schema_name(model)}")
        for statement in model_ddl(projections):
            await connection.execute(statement)
    return model


async def drop_model(connection: Connection, model: int) -> None:
    """Drop a read model that is not live; `control` remembers that it was there."""
    async with transaction(connection):
        await CONTROL.drop(connection, model, schema_name(model))


async def hold_switches(connection: Connection) -> None:
    """Keep projectors from committing until this transaction ends; readers go on."""
    await connection.execute("LOCK TABLE control.switches IN SHARE ROW EXCLUSIVE MODE")


async def live_while_committing(connection: Connection) -> Live:
    """Return the live read model; no switch can happen before this transaction ends."""
    await connection.execute("LOCK TABLE control.switches IN ROW EXCLUSIVE MODE")
    row = await CONTROL.live(connection)
    if row is None:
        raise StoreUnavailable("no read model is live")
    return Live(*row)
