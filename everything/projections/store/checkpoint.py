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
    MalformedMessage,
    UnknownMessage,
    UnknownRecord,
)
from everything.schemas.limits import PROJECT_BATCH_EVENTS, PROJECT_BATCH_RECORDS
from everything.schemas.records import EVENT_MESSAGES, Record, check_hash
from everything.schemas.stored import Stored
from everything.streams.log.ports import Log


class Head(msgspec.Struct, frozen=True):
    """Where an engine's chain of records ends, as far as it was projected."""

    sequence: int = 0
    number: int = 0
    hash: str = GENESIS_HASH
    last_input: int = 0
    time_ns: int = 0
    epoch: int = 0


NO_HEAD = Head()


class Checkpoint(msgspec.Struct, frozen=True):
    """All is 0 or empty before the first record. `heads` is by engine."""

    sequence: int = 0
    record_hash: str = GENESIS_HASH
    chain: str = GENESIS_HASH
    heads: dict[str, Head] = msgspec.field(default_factory=dict)


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
        self._heads = dict(checkpoint.heads)

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self._sequence, self._record_hash, self._chain.hex(), dict(self._heads))

    def follow(self, message: Stored) -> Entry:
        """Return the next record, or halt: nothing on the log is ever skipped.

        Raises UnknownRecord for what cannot be read, LogDiverged for a record that does not
        continue its engine's chain; both name the sequence.
        """
        record = _decode(message)
        head = self._heads.get(record.engine, NO_HEAD)
        _check_continues(head, record, message)
        self._heads[record.engine] = Head(
            message.sequence,
            record.number,
            record.hash,
            record.last_input,
            record.time_ns,
            record.epoch,
        )
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


def _decode(message: Stored) -> Record:
    try:
        record = EVENT_MESSAGES.decode(message.payload)
    except (MalformedMessage, UnknownMessage) as error:
        raise UnknownRecord(f"sequence {message.sequence} on {message.subject}: {error}") from error
    engine = subjects.last_token(message.subject)
    if record.engine != engine or engine not in subjects.ENGINES:
        raise UnknownRecord(
            f"sequence {message.sequence}: a record of {record.engine!r} on {message.subject}"
        )
    return record


def _check_continues(head: Head, record: Record, message: Stored) -> None:
    where = f"sequence {message.sequence}, {record.engine} record {record.number}"
    try:
        check_hash(record, message.payload)
    except LogDiverged as error:
        raise LogDiverged(f"{where}: bytes do not match the hash") from error
    if (record.number, record.prev) != (head.number + 1, head.hash):
        raise LogDiverged(
            f"{where} (prev {record.prev[:12]}) follows record {head.number} ({head.hash[:12]})"
        )
    if record.epoch < head.epoch:
        raise LogDiverged(f"{where}: is of an epoch gone by")
    if record.last_input < head.last_input or record.time_ns < head.time_ns:
        raise LogDiverged(f"{where}: goes back in time")


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
    head = checkpoint.heads.get(engine)
    same = (
        head is not None
        and head.sequence == checkpoint.sequence
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
