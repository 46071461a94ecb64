"""The checkpoint: how far a read model has followed the log, and which log that was.

It holds the sequence and hash of the last record that was projected, the end of every
engine's chain of records, and a chain hash over all of them, so that a log whose past
has changed since cannot be mistaken for the one that was followed.
"""

from collections.abc import Iterator, Sequence

import msgspec

from everything.projections.store.shape import Entry
from everything.schemas import subjects
from everything.schemas.chain import GENESIS_HASH, digest, link
from everything.schemas.decisions import SIGNED_DECISIONS
from everything.schemas.errors import (
    GenesisMismatch,
    Halt,
    InputError,
    LogDiverged,
)
from everything.schemas.heads import Chains, Head
from everything.schemas.limits import PROJECT_BATCH_EVENTS, PROJECT_BATCH_RECORDS
from everything.schemas.records import EVENT_MESSAGES, check_hash
from everything.schemas.stored import Stored
from everything.streams.log.ports import Log


class End(msgspec.Struct, frozen=True):
    """Where an engine's chain was followed to, and at which sequence that record stands."""

    sequence: int
    head: Head


class Checkpoint(msgspec.Struct, frozen=True):
    """All is 0 or empty before the first record. `ends` is by engine."""

    sequence: int = 0
    record_hash: str = GENESIS_HASH
    chain: str = GENESIS_HASH
    ends: dict[str, End] = msgspec.field(default_factory=dict)


class Batch(msgspec.Struct, frozen=True):
    """Records to be projected in one transaction, and the checkpoint that they lead to."""

    entries: list[Entry]
    checkpoint: Checkpoint


class Follower:
    """Checks and decodes records behind a checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._sequence = checkpoint.sequence
        self._record_hash = checkpoint.record_hash
        self._chain = bytes.fromhex(checkpoint.chain)
        self._ends = dict(checkpoint.ends)
        heads = {engine: end.head for engine, end in self._ends.items()}
        self._chains = Chains(EVENT_MESSAGES.decode, heads)

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self._sequence, self._record_hash, self._chain.hex(), dict(self._ends))

    def follow(self, message: Stored) -> Entry:
        """Return the next record, or halt: nothing on the log is ever skipped.

        Raises UnknownRecord for what cannot be read, LogDiverged for a record that does not
        continue its engine's chain; both name the sequence.
        """
        record = self._chains.read(message)
        head = self._chains.heads[record.engine]
        self._ends[record.engine] = End(message.sequence, head)
        self._chain = link(self._chain, *message)
        self._sequence = message.sequence
        self._record_hash = record.hash
        return Entry(message.sequence, record)

    def batches(self, messages: Sequence[Stored]) -> Iterator[Batch]:
        """Cut `messages` into batches of bounded size; a record is never cut.

        What stands before a record that halts still comes out first.
        """
        entries: list[Entry] = []
        events = 0
        for message in messages:
            try:
                entry = self.follow(message)
            except Halt:
                if entries:
                    yield Batch(entries, self.checkpoint)
                raise
            entries.append(entry)
            events += len(entry.record.events)
            if len(entries) >= PROJECT_BATCH_RECORDS or events >= PROJECT_BATCH_EVENTS:
                yield Batch(entries, self.checkpoint)
                entries, events = [], 0
        if entries:
            yield Batch(entries, self.checkpoint)


async def check_past(log: Log, checkpoint: Checkpoint, venue_id: str | None) -> None:
    """Check that `log` is still the one that led to `checkpoint`.

    Raises GenesisMismatch for another venue's log, LogDiverged when the record at the
    checkpoint is not the one that was projected (a truncated log reuses sequences).
    """
    if checkpoint.sequence == 0:
        return
    if venue_id is not None:
        await _check_venue(log, venue_id)
    stored = await log.get(checkpoint.sequence)
    if stored is None:
        raise LogDiverged(
            f"sequence {checkpoint.sequence} was projected and is no longer on the log, "
            f"which ends at {await log.last_sequence()}"
        )
    engine = subjects.last_token(stored.subject)
    end = checkpoint.ends.get(engine)
    same = (
        end is not None
        and end.sequence == checkpoint.sequence
        and stored.subject == subjects.events(log.shard, engine)
        and _hash_of(stored) == checkpoint.record_hash
    )
    if not same:
        raise LogDiverged(
            f"sequence {checkpoint.sequence} is not the record that was projected "
            f"({checkpoint.record_hash[:12]})"
        )


def _hash_of(stored: Stored) -> str | None:
    """Return the hash that the record's bytes really have, None if it has none."""
    try:
        record = EVENT_MESSAGES.decode(stored.payload)
        check_hash(record, stored.payload)
    except (InputError, LogDiverged):
        return None
    return record.hash


async def _check_venue(log: Log, venue_id: str) -> None:
    first = await log.get(1)
    try:
        found = digest(SIGNED_DECISIONS.decode(first.payload).body.encode()) if first else "none"
    except InputError:
        found = "unreadable"
    if found != venue_id:
        raise GenesisMismatch(
            f"the read models are of venue {venue_id[:12]}, the log's genesis is {found[:12]}"
        )
