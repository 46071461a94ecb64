"""Writing a history: each message on its own, several of them in one transaction."""

from collections.abc import Sequence

import msgspec

from projections.history.versions import history_schema
from projections.store.checkpoint import Checkpoint, End
from projections.store.postgres import Connection, Statements, transaction, typed_errors
from projections.store.projection import Change, Entry, Projection, gather
from schemas.codec import encode
from schemas.errors import BrokenInvariant, Fenced

_decode_ends = msgspec.json.Decoder(dict[str, End]).decode

_STANDS = "SELECT through, sequence, message_hash, chain, ends, epoch FROM progress"
_TAKE_OFFICE = (
    "UPDATE progress SET epoch = epoch + 1, writer = $1 "
    "RETURNING through, sequence, message_hash, chain, ends, epoch"
)
_ADVANCE = (
    "UPDATE progress SET through = $1, sequence = $2, message_hash = $3, chain = $4, ends = $5 "
    "WHERE epoch = $6 AND through = $7"
)
_MOMENTS = (
    "INSERT INTO moments (sequence, time_ns, message_hash, chain, engine, stands) "
    "SELECT * FROM json_to_recordset($1) AS r(sequence bigint, time_ns bigint, "
    "message_hash text, chain text, engine text, stands text)"
)

_SET_SEQUENCE = "SELECT set_config('everything.sequence', $1, true)"


class Told(msgspec.Struct, frozen=True):
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
    """A history that one writer has taken office in; a newcomer always wins.

    The connection is the history's own.
    """

    def __init__(
        self, connection: Connection, number: int, projections: Sequence[Projection]
    ) -> None:
        self._connection = connection
        self._statements = Statements(connection)
        self._projections = tuple(projections)
        self.number = number
        self.epoch = 0
        self.through = 0
        """The last message of the log that was seen."""
        self.checkpoint = Checkpoint()
        self._time_ns = 0

    @property
    def schema(self) -> str:
        return history_schema(self.number)

    async def open(self, writer: str, epoch: int | None = None) -> None:
        """Take office, or with `epoch` go on in the office that was taken before.

        Raises Fenced when that office is no longer this writer's.
        """
        with typed_errors("open the history"):
            await self._connection.execute(f"SET search_path TO {self.schema}, pg_temp")
            # as for the read model: the log still has what a crash of Postgres may lose here
            await self._connection.execute("SET synchronous_commit TO off")
            # rows are found by key: Postgres knows nothing of how many a message changes
            await self._connection.execute("SET enable_hashjoin TO off")
            await self._connection.execute("SET enable_mergejoin TO off")
            await self._connection.execute("SET enable_seqscan TO off")
            if epoch is None:
                async with transaction(self._connection):
                    await self._connection.execute("SET LOCAL synchronous_commit TO on")
                    row = await self._connection.fetchrow(_TAKE_OFFICE, writer)
            else:
                row = await self._connection.fetchrow(_STANDS)
            newest = await self._connection.fetchrow(
                "SELECT time_ns FROM moments ORDER BY sequence DESC LIMIT 1"
            )
        if row is None:
            raise BrokenInvariant(f"{self.schema} does not say how far it is")
        through, sequence, message_hash, chain, ends, self.epoch = row
        if epoch is not None and epoch != self.epoch:
            raise Fenced(f"another historian has taken office in {self.schema}")
        self.through = int(through)
        self.checkpoint = Checkpoint(int(sequence), message_hash, chain, _decode_ends(ends))
        self._time_ns = int(newest[0]) if newest else 0

    async def venue_id(self) -> str | None:
        """Return the id of the venue whose log it is, if it got that far."""
        with typed_errors("read the venue"):
            row = await self._connection.fetchrow("SELECT venue_id FROM venue")
        return str(row[0]) if row else None

    async def check_office(self) -> None:
        """Raise Fenced if another writer has taken office."""
        with typed_errors("look at the history"):
            row = await self._connection.fetchrow("SELECT epoch FROM progress")
        if row is None or row[0] != self.epoch:
            raise Fenced(f"another historian has taken office in {self.schema}")

    async def commit(self, told: Sequence[Told], through: int) -> None:
        """Write what the messages up to `through` say, all of it or nothing.

        Raises Fenced when another writer has taken office, BrokenInvariant when rows do not
        fit.
        """
        to = told[-1].checkpoint if told else self.checkpoint
        time_ns, moments = self._time_ns, []
        for one in told:
            if one.engine is not None:
                time_ns = max(time_ns, one.entry.time_ns)
            moments.append(_moment(one, time_ns))
        with typed_errors(f"write the history up to sequence {through}"):
            async with transaction(self._connection):
                await self._advance(to, through)
                for one in told:
                    await self._write(one.entry)
                if moments:
                    await self._statements.run(_MOMENTS, encode(moments).decode())
        self.through, self.checkpoint, self._time_ns = through, to, time_ns

    async def _advance(self, to: Checkpoint, through: int) -> None:
        ends = encode(to.ends).decode()
        values = (through, to.sequence, to.message_hash, to.chain, ends, self.epoch, self.through)
        if await self._statements.run(_ADVANCE, *values) != 1:
            raise Fenced(f"{self.schema} is no longer at {self.through} in epoch {self.epoch}")

    async def _write(self, entry: Entry) -> None:
        changes = gather(self._projections, [entry])
        if not changes:
            return
        await self._statements.run(_SET_SEQUENCE, str(entry.sequence))
        for change in changes:
            await self._apply(change)

    async def _apply(self, change: Change) -> None:
        """Carry out one step, without a stage: a message changes few rows of a table."""
        step = change.step
        rows = step.rare_rows(change.rows)
        changed = await self._statements.run(step.rare_statement(), rows)
        if step.exact and changed != len(change.rows):
            raise BrokenInvariant(
                f"{step.name}: {len(change.rows)} rows to change, {changed} found"
            )


def _moment(one: Told, time_ns: int) -> _Moment:
    at, engine = one.checkpoint, one.engine
    stands = None if engine is None else encode(at.ends[engine]).decode()
    return _Moment(at.sequence, time_ns, at.message_hash, at.chain, engine, stands)
