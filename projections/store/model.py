"""One open read model: writes batches into it, each with its checkpoint, in one transaction."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from projections.store.checkpoint import Batch, Checkpoint, End
from projections.store.postgres import Connection, Statements, transaction, typed_errors
from projections.store.projection import Change, Projection, Row, Step, gather
from projections.store.schemas import (
    Live,
    find_live,
    live_while_committing,
    schema_name,
)
from schemas.codec import encode
from schemas.errors import BrokenInvariant, Fenced

_decode_ends = msgspec.json.Decoder(dict[str, End]).decode

_READ = "SELECT sequence, message_hash, chain, ends, epoch FROM checkpoint"
_TAKE_OFFICE = (
    "UPDATE checkpoint SET epoch = epoch + 1, writer = $1 "
    "RETURNING sequence, message_hash, chain, ends, epoch"
)
_ADVANCE = (
    "UPDATE checkpoint SET sequence = $1, message_hash = $2, chain = $3, ends = $4 "
    "WHERE epoch = $5 AND sequence = $6"
)


class Switched(Exception):
    """Another read model has become the live one."""


class Model:
    """A read model that one writer has taken office in.

    A newcomer raises the checkpoint's epoch and so always wins; every transaction of the
    writer before it then fails with Fenced. The connection is the model's own.
    """

    def __init__(
        self, connection: Connection, model: int, projections: Sequence[Projection]
    ) -> None:
        self._connection = connection
        self._statements = Statements(connection)
        self._model = model
        self._projections = tuple(projections)
        self._staged: set[str] = set()
        self._used: set[str] = set()
        self._checkpoint = Checkpoint()
        self._epoch = 0

    @property
    def number(self) -> int:
        return self._model

    @property
    def checkpoint(self) -> Checkpoint:
        """The last one that is committed."""
        return self._checkpoint

    @property
    def epoch(self) -> int:
        return self._epoch

    async def open(self, writer: str, epoch: int | None = None) -> None:
        """Take office, or with `epoch` go on in the office that was taken before.

        Raises Fenced when that office is no longer this writer's.
        """
        with typed_errors("open the read model"):
            await self._connection.execute(
                f"SET search_path TO {schema_name(self._model)}, pg_temp"
            )
            # Losing the last commits in a crash of Postgres loses nothing: the checkpoint
            # goes back with the rows, and the log still has what they were made of.
            await self._connection.execute("SET synchronous_commit TO off")
            # A batch finds its rows by key. Postgres knows nothing of what is in a stage, and
            # might read a whole table to join it with a few rows.
            await self._connection.execute("SET enable_hashjoin TO off")
            await self._connection.execute("SET enable_mergejoin TO off")
            if epoch is None:
                async with transaction(self._connection):
                    await self._connection.execute("SET LOCAL synchronous_commit TO on")
                    row = await self._connection.fetchrow(_TAKE_OFFICE, writer)
            else:
                row = await self._connection.fetchrow(_READ)
        if row is None:
            raise BrokenInvariant("the read model has no checkpoint")
        self._checkpoint, self._epoch = _checkpoint(row), int(row[4])
        if epoch is not None and epoch != self._epoch:
            raise Fenced(f"another projector has taken office in {schema_name(self._model)}")

    async def venue_id(self) -> str | None:
        """Return the id of the venue whose log was projected, if it got that far."""
        with typed_errors("read the venue"):
            row = await self._connection.fetchrow("SELECT venue_id FROM venue")
        return str(row[0]) if row else None

    async def commit(self, batch: Batch, *, must_be_live: bool) -> None:
        """Write a batch's rows and its checkpoint, both or neither.

        Raises Fenced when another writer has taken office, Switched when another read model
        is live and this one `must_be_live`, BrokenInvariant when the rows do not fit.
        """
        changes = gather(self._projections, batch.entries)
        # Stages are made outside of the transaction, so that they outlive its failure.
        await self._make_stages(changes)
        with typed_errors(f"project up to sequence {batch.checkpoint.sequence}"):
            async with transaction(self._connection):
                if must_be_live:
                    await self._check_live(await live_while_committing(self._connection))
                await self._advance(batch.checkpoint)
                self._used.clear()
                for change in changes:
                    await self._apply(change)
        self._checkpoint = batch.checkpoint

    async def check_office(self) -> None:
        """Raise Fenced or Switched if this writer's work here has ended."""
        live = await find_live(self._connection)
        with typed_errors("look at the read model"):
            await self._check_epoch()
            if live is not None:
                await self._check_live(live)

    async def _check_live(self, live: Live) -> None:
        if live.model != self._model:
            # A zombie must not follow a switch: it would take office again over there.
            await self._check_epoch()
            raise Switched

    async def _check_epoch(self) -> None:
        try:
            row = await self._connection.fetchrow("SELECT epoch FROM checkpoint")
        except asyncpg.UndefinedTableError:
            row = None
        if row is None or row[0] != self._epoch:
            raise Fenced(f"another projector has taken office in {schema_name(self._model)}")

    async def _advance(self, to: Checkpoint) -> None:
        advanced = await self._statements.run(
            _ADVANCE,
            to.sequence,
            to.message_hash,
            to.chain,
            encode(to.ends).decode(),
            self._epoch,
            self._checkpoint.sequence,
        )
        if advanced != 1:
            raise Fenced(
                f"the checkpoint of {schema_name(self._model)} is no longer at "
                f"{self._checkpoint.sequence} in epoch {self._epoch}"
            )

    async def _make_stages(self, changes: Sequence[Change]) -> None:
        with typed_errors("make stages"):
            for step in (change.step for change in changes):
                needed = step.statement is not None and not step.rare
                if needed and step.name not in self._staged:
                    await self._connection.execute(step.stage_ddl())
                    self._staged.add(step.name)

    async def _apply(self, change: Change) -> None:
        step = change.step
        if step.statement is None:
            await self._copy(step.table.name, tuple(step.columns), change.rows)
            return
        if step.rare:
            rows = step.rare_rows(change.rows)
            changed = await self._statements.run(step.rare_statement(), rows)
        else:
            await self._stage(step, change.rows)
            changed = await self._statements.run(step.statement)
        if step.exact and changed != len(change.rows):
            raise BrokenInvariant(
                f"{step.name}: {len(change.rows)} rows to change, {changed} found"
            )

    async def _stage(self, step: Step, rows: Sequence[Row]) -> None:
        if step.name in self._used:
            await self._connection.execute(f"TRUNCATE {step.stage}")
        self._used.add(step.name)
        await self._copy(step.stage, tuple(step.columns), rows)

    async def _copy(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        await self._connection.copy_records_to_table(table, records=rows, columns=columns)


def _checkpoint(row: asyncpg.Record) -> Checkpoint:
    sequence, message_hash, chain, ends = row[:4]
    return Checkpoint(int(sequence), message_hash, chain, _decode_ends(ends))


async def read_checkpoint(connection: Connection, model: int) -> Checkpoint:
    """Return a read model's checkpoint, as the connection's transaction sees it."""
    query = f"SELECT sequence, message_hash, chain, ends FROM {schema_name(model)}.checkpoint"
    with typed_errors("read the checkpoint"):
        row = await connection.fetchrow(query)
    if row is None:
        raise BrokenInvariant(f"{schema_name(model)} has no checkpoint")
    return _checkpoint(row)
