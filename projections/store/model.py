"""One open read model: writes batches into it, each with its checkpoint, in one transaction."""

from collections.abc import Sequence
from typing import Any

import msgspec

from projections.store.changes import ChangeWriter
from projections.store.checkpoint import Batch, Checkpoint, End
from projections.store.lease import WriterLease
from projections.store.postgres import (
    Connection,
    PreparedStatements,
    set_up_for_batches,
    transaction,
    typed_errors,
)
from projections.store.projection import Projection, collect
from projections.store.schemas import (
    CHECKPOINT,
    Live,
    find_live,
    live_while_committing,
    schema_name,
)
from schemas.codec import encode
from schemas.errors import BrokenInvariant

_decode_ends = msgspec.json.Decoder(dict[str, End]).decode


class Switched(Exception):
    """Another read model has become the live one."""


class Model:
    """A read model that one writer has the lease of. The connection is the model's own."""

    def __init__(
        self, connection: Connection, model: int, projections: Sequence[Projection]
    ) -> None:
        self._connection = connection
        self._model = model
        self._schema = schema_name(model)
        self._projections = tuple(projections)
        statements = PreparedStatements(connection)
        self._lease = WriterLease(connection, statements, CHECKPOINT, self._schema, "projector")
        self._writer = ChangeWriter(connection, statements)
        self._checkpoint = Checkpoint()

    @property
    def number(self) -> int:
        return self._model

    @property
    def checkpoint(self) -> Checkpoint:
        """The last one that is committed."""
        return self._checkpoint

    @property
    def epoch(self) -> int:
        return self._lease.epoch

    async def open(self, writer: str, epoch: int | None = None) -> None:
        """Take the lease, or resume the one of `epoch`.

        Raises Fenced when the lease of `epoch` is no longer this writer's.
        """
        with typed_errors("open the read model"):
            await set_up_for_batches(self._connection, self._schema)
            position = await self._lease.open(writer, epoch)
        self._checkpoint = checkpoint_of(position)

    async def venue_id(self) -> str | None:
        """Return the id of the venue whose log was projected, if it got that far."""
        with typed_errors("read the venue"):
            row = await self._connection.fetchrow("SELECT venue_id FROM venue")
        return row[0] if row else None

    async def commit(self, batch: Batch, *, must_be_live: bool) -> None:
        """Write a batch's rows and its checkpoint, both or neither.

        Raises Fenced when another writer has the lease, Switched when another read model is
        live and this one `must_be_live`, BrokenInvariant when the rows do not fit.
        """
        changes = collect(self._projections, batch.entries)
        with typed_errors("make stages"):
            await self._writer.prepare(changes)
        with typed_errors(f"project up to sequence {batch.checkpoint.sequence}"):
            async with transaction(self._connection):
                if must_be_live:
                    await self._check_live(await live_while_committing(self._connection))
                await self._lease.advance(*position_of(batch.checkpoint))
                await self._writer.write(changes)
        self._lease.advanced(batch.checkpoint.sequence)
        self._checkpoint = batch.checkpoint

    async def check_lease(self) -> None:
        """Raise Fenced or Switched if this writer's work here has ended."""
        live = await find_live(self._connection)
        with typed_errors("look at the read model"):
            await self._lease.check()
            if live is not None:
                await self._check_live(live)

    async def _check_live(self, live: Live) -> None:
        if live.model != self._model:
            # A zombie must not follow a switch: it would take the lease over there.
            await self._lease.check()
            raise Switched


def position_of(checkpoint: Checkpoint) -> tuple[int, str, str, str]:
    """Return a checkpoint as the columns of POSITION hold it."""
    ends = encode(checkpoint.ends).decode()
    return checkpoint.sequence, checkpoint.message_hash, checkpoint.chain, ends


def checkpoint_of(position: Sequence[Any]) -> Checkpoint:
    """Return the checkpoint that the columns of POSITION hold."""
    sequence, message_hash, chain, ends = position
    return Checkpoint(sequence, message_hash, chain, _decode_ends(ends))


async def read_checkpoint(connection: Connection, model: int) -> Checkpoint:
    """Return a read model's checkpoint, as the connection's transaction sees it."""
    query = f"SELECT sequence, message_hash, chain, ends FROM {schema_name(model)}.checkpoint"
    with typed_errors("read the checkpoint"):
        row = await connection.fetchrow(query)
    if row is None:
        raise BrokenInvariant(f"{schema_name(model)} has no checkpoint")
    return checkpoint_of(tuple(row))
