"""The checkpoint: how far a read model has followed the log, and which log that was.

It holds the sequence and hash of the last message that was projected, the end of every
engine's chain of records, and a chain hash over all messages, so that a log whose past
has changed since cannot be mistaken for the one that was followed. Observations have no
chain of their own: that one is missing shows in the notary's seals, and in this chain
hash when a rebuild compares it.
"""

from collections.abc import Iterator, Sequence

import msgspec

from projections.limits import PROJECT_BATCH_EVENTS, PROJECT_BATCH_RECORDS
from projections.store.observed import read_observation
from projections.store.projection import Entry
from schemas import subjects
from schemas.chain import GENESIS_HASH, digest, link
from schemas.decisions import SIGNED_DECISIONS
from schemas.errors import (
    GenesisMismatch,
    Halt,
    InputError,
    LogDiverged,
)
from schemas.record_chain import Chains, Head
from schemas.records import EVENT_MESSAGES, check_hash
from schemas.stored import Stored
from streams.log.ports import Log


class End(msgspec.Struct, frozen=True):
    """How far an engine's chain was followed, and the sequence of its last record."""

    sequence: int
    head: Head


class Checkpoint(msgspec.Struct, frozen=True):
    """All is 0 or empty before the first message. `ends` is by engine.

    `message_hash` is a record's own hash, or that of an observation in its place.
    """

    sequence: int = 0
    message_hash: str = GENESIS_HASH
    chain: str = GENESIS_HASH
    ends: dict[str, End] = msgspec.field(default_factory=dict)


class Batch(msgspec.Struct, frozen=True):
    """Messages to be projected in one transaction, and the checkpoint that they lead to."""

    entries: list[Entry]
    checkpoint: Checkpoint


class Follower:
    """Checks and decodes records and observations behind a checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._sequence = checkpoint.sequence
        self._message_hash = checkpoint.message_hash
        self._chain = bytes.fromhex(checkpoint.chain)
        self._ends = dict(checkpoint.ends)
        heads = {engine: end.head for engine, end in self._ends.items()}
        self._chains = Chains(EVENT_MESSAGES.decode, heads)

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self._sequence, self._message_hash, self._chain.hex(), dict(self._ends))

    def follow(self, message: Stored) -> Entry:
        """Return what the next message says, or halt: nothing on the log is ever skipped.

        Raises UnknownRecord for what cannot be read, LogDiverged for a record that does not
        continue its engine's chain; both name the sequence.
        """
        if _is_record(message.subject):
            record = self._chains.read(message)
            self._ends[record.engine] = End(message.sequence, self._chains.heads[record.engine])
            self._message_hash = record.hash
            entry = Entry(message.sequence, record.time_ns, record.events)
        else:
            entry = read_observation(message)
            self._message_hash = _hash_in_place(message)
        self._chain = link(self._chain, *message)
        self._sequence = message.sequence
        return entry

    def batches(self, messages: Sequence[Stored]) -> Iterator[Batch]:
        """Cut `messages` into batches of bounded size; a record is never cut.

        The messages before one that halts still come out first.
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
            events += len(entry.events)
            if len(entries) >= PROJECT_BATCH_RECORDS or events >= PROJECT_BATCH_EVENTS:
                yield Batch(entries, self.checkpoint)
                entries, events = [], 0
        if entries:
            yield Batch(entries, self.checkpoint)


async def check_past(log: Log, checkpoint: Checkpoint, venue_id: str | None) -> None:
    """Check that `log` is still the one that led to `checkpoint`.

    Raises GenesisMismatch for another venue's log, LogDiverged when the message at the
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
    if not _is_the_same(log.shard, stored, checkpoint):
        raise LogDiverged(
            f"sequence {checkpoint.sequence} is not the message that was projected "
            f"({checkpoint.message_hash[:12]})"
        )


def _is_the_same(shard: str, stored: Stored, checkpoint: Checkpoint) -> bool:
    if not _is_record(stored.subject):
        return _hash_in_place(stored) == checkpoint.message_hash
    engine = subjects.last_token(stored.subject)
    end = checkpoint.ends.get(engine)
    return (
        end is not None
        and end.sequence == checkpoint.sequence
        and stored.subject == subjects.events(shard, engine)
        and _hash_of(stored) == checkpoint.message_hash
    )


def _is_record(subject: str) -> bool:
    return subjects.matches("*.evt.*", subject)


def _hash_in_place(stored: Stored) -> str:
    """Return a hash over an observation's bytes and sequence: it has no hash of its own."""
    return link(bytes(32), *stored).hex()


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
