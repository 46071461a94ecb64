"""Writing a history: each message on its own, several of them in one transaction."""

from collections.abc import Sequence

import msgspec

from projections.history.versions import PROGRESS, history_schema
from projections.store.changes import ChangeWriter
from projections.store.checkpoint import Checkpoint
from projections.store.lease import WriterLease
from projections.store.model import checkpoint_of, position_of
from projections.store.postgres import (
    Connection,
    PreparedStatements,
    set_up_for_batches,
    transaction,
    typed_errors,
)
from projections.store.projection import Entry, Projection, collect
from schemas.codec import encode

_MOMENTS = (
    "INSERT INTO moments (sequence, time_ns, message_hash, chain, engine, stands) "
    "SELECT * FROM json_to_recordset($1) AS r(sequence bigint, time_ns bigint, "
    "message_hash text, chain text, engine text, stands text)"
)
_SET_SEQUENCE = "SELECT set_config('everything.sequence', $1, true)"


class ProjectedMessage(msgspec.Struct, frozen=True):
    """One projected message: what it says, and the checkpoint behind it.

    `engine` is whose record it is, None for an observation.
    """

    entry: Entry
    checkpoint: Checkpoint
    engine: str | None


class _Moment(msgspec.Struct):
    sequence: int
    time_ns: int
    message_hash: str
    chain: str
    engine: str | None
    stands: str | None


class HistoryWriter:
    """A history that one writer has the lease of. The connection is the history's own."""

    def __init__(
        self, connection: Connection, number: int, projections: Sequence[Projection]
    ) -> None:
        self._connection = connection
        self._projections = tuple(projections)
        self._statements = PreparedStatements(connection)
        self.number = number
        self.schema = history_schema(number)
        self._lease = WriterLease(connection, self._statements, PROGRESS, self.schema, "historian")
        self._writer = ChangeWriter(connection, self._statements)
        self.through = 0
        """The last message of the log that was seen."""
        self.checkpoint = Checkpoint()
        self._time_ns = 0

    @property
    def epoch(self) -> int:
        return self._lease.epoch

    async def open(self, writer: str, epoch: int | None = None) -> None:
        """Take the lease, or resume the one of `epoch`.

        Raises Fenced when the lease of `epoch` is no longer this writer's.
        """
        with typed_errors("open the history"):
            await set_up_for_batches(self._connection, self.schema)
            # Postgres knows nothing of how many rows a message changes.
            await self._connection.execute("SET enable_seqscan TO off")
            self.through, *position = await self._lease.open(writer, epoch)
            newest = await self._connection.fetchrow(
                "SELECT time_ns FROM moments ORDER BY sequence DESC LIMIT 1"
            )
        self.checkpoint = checkpoint_of(position)
        self._time_ns = newest[0] if newest else 0

    async def venue_id(self) -> str | None:
        """Return the id of the venue whose log it is, if it got that far."""
        with typed_errors("read the venue"):
            row = await self._connection.fetchrow("SELECT venue_id FROM venue")
        return row[0] if row else None

    async def check_lease(self) -> None:
        """Raise Fenced if another writer has taken the lease."""
        with typed_errors("look at the history"):
            await self._lease.check()

    async def commit(self, rows: Sequence[ProjectedMessage], through: int) -> None:
        """Write what the messages up to `through` say, all of it or nothing.

        Raises Fenced when another writer has the lease, BrokenInvariant when rows do not fit.
        """
        to = rows[-1].checkpoint if rows else self.checkpoint
        time_ns, moments = self._time_ns, []
        for one in rows:
            if one.engine is not None:
                time_ns = max(time_ns, one.entry.time_ns)
            moments.append(_moment(one, time_ns))
        with typed_errors(f"write the history up to sequence {through}"):
            async with transaction(self._connection):
                await self._lease.advance(through, *position_of(to))
                for one in rows:
                    await self._write(one.entry)
                if moments:
                    await self._statements.run(_MOMENTS, encode(moments).decode())
        self._lease.advanced(through)
        self.through, self.checkpoint, self._time_ns = through, to, time_ns

    async def _write(self, entry: Entry) -> None:
        """Carry out what one message changes, without stages: it changes few rows of a table."""
        changes = collect(self._projections, [entry])
        if changes:
            await self._statements.run(_SET_SEQUENCE, str(entry.sequence))
        for change in changes:
            await self._writer.write_directly(change)


def _moment(one: ProjectedMessage, time_ns: int) -> _Moment:
    at, engine = one.checkpoint, one.engine
    end = None if engine is None else encode(at.ends[engine]).decode()
    return _Moment(at.sequence, time_ns, at.message_hash, at.chain, engine, stands=end)
