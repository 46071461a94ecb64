"""Rebuild: make fresh read models from the log, compare, and only then switch.

The fresh model is built beside the live one, from the log's first message to exactly the
sequence at which the live one was hashed, so equal means equal. Nothing waits meanwhile.
A switch is an explicit act: for its last instant the live projector is held, so readers
never see time go back; the projector then moves over by itself. The model that was live
stays, for `rollback`.

One table alone can be rebuilt, too: only it, and what its own statements read, comes from the
log. The other tables are copied as they are. A switch then leads to a model of its own all the
same; so it is recorded, and rolled back, like any other.
"""

import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from projections.limits import CATCH_UP_ROUNDS, PROJECT_BATCH_RECORDS, READ_MODELS_KEPT
from projections.store.checkpoint import Batch, Checkpoint, Follower, check_past
from projections.store.hashes import TableHash, hash_model
from projections.store.model import Model, read_checkpoint
from projections.store.postgres import (
    Connection,
    connect,
    disconnect,
    transaction,
    typed_errors,
)
from projections.store.projection import Projection
from projections.store.projector import projected_subjects
from projections.store.schemas import (
    CONTROL,
    Live,
    check_digest,
    drop_model,
    find_live,
    hold_switches,
    make_model,
    model_digest,
    schema_name,
)
from projections.tables import PROJECTIONS
from schemas.errors import NotFound, SchemaDrift, StoreUnavailable
from streams.log.cursor import Cursor
from streams.log.ports import Log

_REBUILT_WHOLE: Final = "rebuild"
_REBUILDING: Final = 0x45564D02
"""Advisory lock that the one rebuild of a database holds."""


class Progress(NamedTuple):
    """How far the fresh model is: at `sequence` of `target`."""

    sequence: int
    target: int
    events: int


class TableReport(NamedTuple):
    """A table in both models. `live` is None where that has it not, or with other columns."""

    name: str
    live: TableHash | None
    fresh: TableHash

    @property
    def verdict(self) -> str:
        """Return equal, different, or new."""
        if self.live is None:
            return "new"
        return "equal" if self.live == self.fresh else "different"


class RebuildReport(NamedTuple):
    """What a rebuild found at `sequence`, and what it did.

    `records` counts observations too, each with one event.
    """

    sequence: int
    live_schema: str
    fresh_schema: str
    same_version: bool
    tables: list[TableReport]
    chain_equal: bool
    switched: bool
    records: int
    events: int
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether the same log led to the same rows, in every table that can be compared."""
        return self.chain_equal and all(one.verdict != "different" for one in self.tables)


async def rebuild(
    log: Log,
    dsn: str,
    *,
    switch: bool,
    even_if_different: bool = False,
    table: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    projections: Sequence[Projection] = PROJECTIONS,
) -> RebuildReport:
    """Build a fresh read model, compare it with the live one, and switch if asked to.

    Without `switch` the fresh model is dropped again. A model that came out different
    becomes live only `even_if_different`. The live one may be of another version; then
    the tables that both have are compared. With `table` only that one is made and compared,
    and the live model must be of this version. Raises as the projector does for a log that
    is not the one that was projected, StoreUnavailable when another rebuild is running,
    NotFound for a table that there is not.
    """
    made = projections if table is None else feeding(projections, table)
    async with only_rebuild(dsn) as control:
        live = await _require_live(control)
        if table is not None:
            check_digest(live, model_digest(projections))
        started = time.monotonic()
        async with _snapshot(dsn) as snapshot:
            target = await read_checkpoint(snapshot, live.model)
            live_hashes = await hash_model(snapshot, live.model, made)
        await check_past(log, target, None)
        with typed_errors("make a fresh read model"):
            number = await make_model(control, projections)
        switched = False
        try:
            builder = await Builder.open(log, dsn, number, made, progress)
            try:
                await builder.build(target.sequence)
                fresh_hashes = await hash_model(builder.connection, number, made)
                built = builder.checkpoint
                report = RebuildReport(
                    sequence=target.sequence,
                    live_schema=live.schema,
                    fresh_schema=schema_name(number),
                    same_version=live.digest == model_digest(projections),
                    tables=compare_tables(live_hashes, fresh_hashes, table),
                    chain_equal=built == target,
                    switched=False,
                    records=builder.records,
                    events=builder.events,
                    seconds=time.monotonic() - started,
                )
                if switch and (report.equal or even_if_different):
                    if table is not None:
                        await _copy_others(control, live, builder, projections, table)
                        await builder.close()
                        builder = await Builder.open(log, dsn, number, projections, None)
                    await builder.analyze(projections)
                    await _switch(control, live, builder, _reason(table))
                    switched = True
            finally:
                await builder.close()
        finally:
            if not switched:
                with typed_errors("drop the fresh read model"):
                    await drop_model(control, number)
        return report._replace(switched=switched, seconds=time.monotonic() - started)


async def rollback(dsn: str, *, reason: str = "rollback", other_than: str | None = None) -> Live:
    """Make the read model live again that was before the last switch.

    With a digest in `other_than`, the last one of another version. Its checkpoint is where it
    was left; the projector goes on from there.
    Raises SchemaDrift when there is none to go back to.
    """
    async with only_rebuild(dsn) as control:
        live = await _require_live(control)
        with typed_errors("roll back"):
            async with transaction(control):
                await hold_switches(control)
                row = await control.fetchrow(
                    "SELECT m.number FROM control.switches s "
                    "JOIN control.models m ON m.number = s.model "
                    "WHERE m.state = 'ready' AND m.number <> $1 "
                    "AND m.digest IS DISTINCT FROM $2::text ORDER BY s.number DESC LIMIT 1",
                    live.model,
                    other_than,
                )
                if row is None:
                    raise SchemaDrift("there is no earlier read model to roll back to")
                checkpoint = await read_checkpoint(control, int(row[0]))
                await CONTROL.record_switch(control, int(row[0]), reason, checkpoint.sequence)
        return await _require_live(control)


async def _require_live(connection: Connection) -> Live:
    live = await find_live(connection)
    if live is None:
        raise SchemaDrift("there is no read model yet: start a projector first")
    return live


def feeding(projections: Sequence[Projection], table: str) -> list[Projection]:
    """Return the projections whose rows `table` follows from, its own included, in order.

    A projection reads those tables of others that its statements name. Raises NotFound.
    """
    owner = {one.name: projection for projection in projections for one in projection.tables}
    if table not in owner:
        raise NotFound(f"no table {table!r}: there are {', '.join(sorted(owner))}")
    needed: set[str] = set()
    waiting = [owner[table]]
    while waiting:
        projection = waiting.pop()
        needed.add(projection.name)
        read = {word for one in projection.statements for word in _words(one.sql)}
        waiting += [owner[name] for name in read & owner.keys() if owner[name].name not in needed]
    return [projection for projection in projections if projection.name in needed]


def _words(sql: str | None) -> list[str]:
    return re.findall(r"\w+", sql or "")


def _reason(table: str | None) -> str:
    return _REBUILT_WHOLE if table is None else f"{_REBUILT_WHOLE} of {table}"


def compare_tables(
    live: dict[str, TableHash], fresh: dict[str, TableHash], table: str | None = None
) -> list[TableReport]:
    """Put the hashes of two models side by side, of `table` alone if it is given."""
    wanted = fresh if table is None else {table: fresh[table]}
    return [TableReport(name, live.get(name), hash_) for name, hash_ in wanted.items()]


async def _copy_others(
    control: Connection,
    live: Live,
    builder: "Builder",
    projections: Sequence[Projection],
    table: str,
) -> None:
    """Copy all tables but `table` from the live model, and bring that one to their checkpoint.

    One snapshot of the live model has its checkpoint and its rows; nobody waits for it.
    """
    others = [one for projection in projections for one in projection.tables if one.name != table]
    with typed_errors("copy the other tables"):
        async with transaction(control, snapshot=True):
            there = (await read_checkpoint(control, live.model)).sequence
            await builder.build(there)
            for one in others:
                fresh, columns = f"{builder.schema}.{one.name}", ", ".join(one.columns)
                rows = f"SELECT {columns} FROM {live.schema}.{one.name}"
                await control.execute(f"TRUNCATE {fresh}")
                await control.execute(f"INSERT INTO {fresh} ({columns}) {rows}")


@asynccontextmanager
async def only_rebuild(dsn: str, *, keep: int | None = None) -> AsyncIterator[Connection]:
    """Give the connection of the one rebuild that may run, and clear what a dead one left.

    The unfinished model `keep` stays. Raises StoreUnavailable when another rebuild is running.
    """
    connection = await connect(dsn, "rebuild")
    try:
        with typed_errors("begin a rebuild"):
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _REBUILDING):
                raise StoreUnavailable("another rebuild is running")
            if await find_live(connection) is not None:
                await _drop_leftovers(connection, keep)
        yield connection
    finally:
        await disconnect(connection)


async def _drop_leftovers(connection: Connection, keep: int | None) -> None:
    rows = await connection.fetch(
        "SELECT number FROM control.models WHERE state = 'building' "
        "AND number IS DISTINCT FROM $1::bigint",
        keep,
    )
    for (number,) in rows:
        await drop_model(connection, number)


@asynccontextmanager
async def _snapshot(dsn: str) -> AsyncIterator[Connection]:
    """Give a connection that sees the database as it is now, whatever is committed later."""
    connection = await connect(dsn, "rebuild snapshot")
    try:
        with typed_errors("read the live model"):
            async with transaction(connection, snapshot=True, readonly=True):
                yield connection
    finally:
        await disconnect(connection)


class Builder:
    """Builds one model from the log's start, or from where an earlier builder left it."""

    def __init__(
        self, log: Log, connection: Connection, model: Model, progress: Callable[[Progress], None]
    ) -> None:
        self._log = log
        self._model = model
        self.number = model.number
        self.schema = schema_name(model.number)
        self._progress = progress
        self.connection = connection
        self.records = 0
        self.events = 0

    @classmethod
    async def open(
        cls,
        log: Log,
        dsn: str,
        number: int,
        projections: Sequence[Projection],
        progress: Callable[[Progress], None] | None,
        *,
        writer: str = _REBUILT_WHOLE,
    ) -> "Builder":
        """Open the model `number` to go on with it. Raises as `Model.open` does."""
        connection = await connect(dsn, "rebuild writer")
        model = Model(connection, number, projections)
        try:
            await model.open(writer)
        except BaseException:
            await disconnect(connection)
            raise
        return cls(log, connection, model, progress or (lambda _: None))

    @property
    def checkpoint(self) -> Checkpoint:
        return self._model.checkpoint

    async def build(self, target: int) -> None:
        """Project up to exactly `target`, the sequence of a message that is projected."""
        if self.checkpoint.sequence >= target:
            return
        follower = Follower(self.checkpoint)
        wanted = projected_subjects(self._log.shard)
        after = self.checkpoint.sequence
        async with Cursor(self._log, wanted, after, batch=PROJECT_BATCH_RECORDS) as cursor:
            async for messages in cursor.read_to(target):
                for batch in follower.batches(messages):
                    await self._commit(batch, target)

    async def _commit(self, batch: Batch, target: int) -> None:
        await self._model.commit(batch, must_be_live=False)
        self.records += len(batch.entries)
        self.events += sum(len(entry.events) for entry in batch.entries)
        self._progress(Progress(batch.checkpoint.sequence, target, self.events))

    async def analyze(self, projections: Sequence[Projection]) -> None:
        """Tell Postgres what is in the fresh tables, so that the first reads are fast."""
        with typed_errors("analyze the fresh read model"):
            for table in (table for one in projections for table in one.tables):
                await self.connection.execute(f"ANALYZE {table.name}")

    async def close(self) -> None:
        await disconnect(self.connection)


async def _switch(control: Connection, live: Live, builder: Builder, reason: str) -> None:
    """Bring the fresh model to where the live one is, and make it live at that moment."""
    for _ in range(CATCH_UP_ROUNDS):
        there = (await read_checkpoint(control, live.model)).sequence
        if builder.checkpoint.sequence >= there:
            break
        await builder.build(there)
    with typed_errors("switch"):
        async with transaction(control):
            await hold_switches(control)
            at = await read_checkpoint(control, live.model)
            await builder.build(at.sequence)
            await CONTROL.finish(control, builder.number)
            await CONTROL.record_switch(control, builder.number, reason, at.sequence)
        await drop_old(control)


async def drop_old(control: Connection) -> None:
    """Drop the models that were live longest ago, or never, all but READ_MODELS_KEPT."""
    rows = await control.fetch(
        "SELECT m.number FROM control.models m LEFT JOIN control.switches s ON s.model = m.number "
        "WHERE m.state = 'ready' GROUP BY m.number ORDER BY max(s.number) DESC NULLS LAST"
    )
    for (number,) in rows[READ_MODELS_KEPT:]:
        await drop_model(control, number)
