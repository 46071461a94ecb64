"""Taking office: how an engine's host gets the right to write, and the state to write from.

The order is what makes it safe. First fold what the log holds, so that taking over is
short; then append the Epoch, from which on nothing of an older writer can land; then fold
up to the Epoch. What is folded then is all there is and ever will be before our first
record.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import structlog

from engines.kernel import Engine, fold, recorded_state_hash, state_hash
from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import (
    BrokenInvariant,
    Fenced,
    Halt,
    InputError,
    LogDiverged,
    UnknownRecord,
)
from schemas.limits import GENESIS_POLL_MS
from schemas.record_chain import Head
from schemas.records import EPOCHS, EVENT_MESSAGES, Epoch, check_hash
from schemas.stored import Stored
from schemas.subjects import epoch as epoch_subject
from schemas.subjects import events as events_subject
from streams.host.gc_control import ManualCollection
from streams.host.limits import SNAPSHOT_EVERY_EVENTS, SNAPSHOT_EVERY_RECORDS
from streams.host.snapshots import Anchor, Snapshot, SnapshotHeader, Snapshots
from streams.log.cursor import Cursor
from streams.log.ports import Clock, Log

S = TypeVar("S")

log = structlog.get_logger(__name__)

MILLISECONDS: Final = 1_000


class StoppedEarly(Exception):
    """The host was told to stop before it had taken office."""


class Committed(NamedTuple):
    """A record that is on the log: where, its head, and its exact bytes."""

    sequence: int
    head: Head
    data: bytes
    events: list[Any]


@dataclass(frozen=True)
class Setup(Generic[S]):
    """What a host is made of; the same for every office it takes."""

    engine: Engine[S]
    log: Log
    clock: Clock
    writer: str
    snapshots: Snapshots | None = None
    sign: Callable[[bytes], str] | None = None
    on_commit: Callable[[Committed], None] | None = None
    snapshot_every: int = SNAPSHOT_EVERY_RECORDS
    collection: ManualCollection | None = None

    @property
    def events_subject(self) -> str:
        return events_subject(self.log.shard, self.engine.name)

    @property
    def epoch_subject(self) -> str:
        return epoch_subject(self.log.shard, self.engine.name)


class Office(Generic[S]):
    """An engine's state, folded from its own records, and where on the log that is."""

    def __init__(self, setup: Setup[S]) -> None:
        self._setup = setup
        self.state: S = setup.engine.initial()
        self.head = Head()
        self.sequence = 0
        """The log sequence of the last record, 0 before the first."""
        self.epoch = 0
        """The newest Epoch; in the end our own."""
        self.folded = 0
        """Records applied since the genesis or the snapshot."""
        self.folded_events = 0
        self.read = 0

    def resume(self, state: S, head: Head, sequence: int) -> None:
        """Start from a snapshot's state instead of the engine's initial one."""
        self.state, self.head, self.sequence = state, head, sequence
        self.epoch, self.read = head.epoch, sequence

    def apply(self, message: Stored) -> None:
        """Fold one message of the engine's own subjects.

        Raises UnknownRecord when it is not what stands there, LogDiverged when it does not
        continue what stood before; both name its sequence.
        """
        try:
            if message.subject == self._setup.epoch_subject:
                self._apply_epoch(message)
            else:
                self._apply_record(message)
        except InputError as error:
            raise UnknownRecord(
                f"sequence {message.sequence} on {message.subject}: {error}"
            ) from error
        except Halt as halt:
            raise type(halt)(f"sequence {message.sequence}: {halt}") from halt
        self.read = message.sequence

    def _apply_epoch(self, message: Stored) -> None:
        epoch = EPOCHS.decode(message.payload)
        if epoch.engine != self._setup.engine.name:
            raise UnknownRecord(f"an Epoch of {epoch.engine!r}")
        self.epoch = message.sequence

    def _apply_record(self, message: Stored) -> None:
        record = EVENT_MESSAGES.decode(message.payload)
        if record.epoch != self.epoch:
            raise LogDiverged(
                f"record {record.number} is of epoch {record.epoch}, but {self.epoch} is in office"
            )
        try:
            self.head = fold(self._setup.engine, self.state, self.head, record, message.payload)
        except Halt:
            raise
        except Exception as error:
            raise BrokenInvariant(f"record {record.number} cannot be applied: {error!r}") from error
        self.sequence = message.sequence
        self.folded += 1
        self.folded_events += len(record.events)


async def take_office(
    setup: Setup[S],
    stop: asyncio.Event,
    anchor: Anchor | None,
    announce: Callable[[bytes], None],
) -> Office[S]:
    """Fold the engine's records, append an Epoch and return the office that it opens.

    `anchor` is what the host remembers of an earlier office. `announce` is told the Epoch's
    bytes before they are sent: whatever becomes of them, they are ours. Raises LogDiverged
    when the log is not the one that was seen before, StoppedEarly when `stop` is set.
    """
    await _genesis(setup, stop)
    if anchor is not None:
        await _recorded(setup, anchor)
    office = await _from_snapshot(setup)
    subjects = (setup.events_subject, setup.epoch_subject)
    async with Cursor(setup.log, subjects, office.read) as cursor:
        last = await setup.log.last(setup.events_subject)
        if last is not None:
            await _fold_to(office, cursor, last.sequence, stop)
        if office.folded >= setup.snapshot_every or office.folded_events >= SNAPSHOT_EVERY_EVENTS:
            await save_snapshot(setup, office.state, office.head, office.sequence)
        now_ns = setup.clock.now_ns()
        payload = encode(Epoch(setup.engine.name, setup.writer, setup.engine.decider, now_ns))
        announce(payload)
        sequence = await setup.log.send(setup.epoch_subject, payload)
        await _fold_to(office, cursor, sequence, stop)
    if office.epoch > sequence:
        raise Fenced(f"another writer took office at sequence {office.epoch}")
    return office


async def _genesis(setup: Setup[S], stop: asyncio.Event) -> None:
    """Wait until the log has a first message: no Epoch may precede the genesis decision."""
    while not await setup.log.last_sequence():
        if stop.is_set():
            raise StoppedEarly
        await setup.clock.sleep(GENESIS_POLL_MS / MILLISECONDS)


async def _fold_to(office: Office[S], cursor: Cursor, sequence: int, stop: asyncio.Event) -> None:
    """Fold all messages up to the one at `sequence`, which is on the log."""
    async for messages in cursor.read_to(sequence):
        if stop.is_set():
            raise StoppedEarly
        for message in messages:
            office.apply(message)


async def _recorded(setup: Setup[S], anchor: Anchor) -> tuple[Head, str | None]:
    """Return head and state hash of the record at `anchor`, as the log itself has them.

    Raises LogDiverged when another message, or none, stands there.
    """
    stored = await setup.log.get(anchor.sequence)
    lost = f"sequence {anchor.sequence} no longer holds record {anchor.record_hash[:12]}"
    if stored is None or stored.subject != setup.events_subject:
        raise LogDiverged(lost)
    try:
        record = EVENT_MESSAGES.decode(stored.payload)
        check_hash(record, stored.payload)
    except (InputError, LogDiverged) as error:
        raise LogDiverged(f"{lost}: {error}") from error
    if record.hash != anchor.record_hash:
        raise LogDiverged(lost)
    head = Head(record.number, record.hash, record.last_input, record.time_ns, record.epoch)
    return head, recorded_state_hash(setup.engine, record)


async def _from_snapshot(setup: Setup[S]) -> Office[S]:
    """Return an office at the newest snapshot that holds what it says, else at the genesis."""
    office = Office(setup)
    if setup.snapshots is None:
        return office
    for snapshot in await setup.snapshots.load():
        header = snapshot.header
        anchor = Anchor(header.sequence, header.record_hash)
        head, recorded_hash = await _recorded(setup, anchor)
        reason = _mistrust(setup, snapshot, recorded_hash)
        state = None if reason else _load(setup, snapshot)
        if state is None:
            reason = reason or "its state does not have the hash it says"
            log.warning("snapshot ignored", number=header.number, reason=reason)
            continue
        office.resume(state, head, header.sequence)
        log.info("snapshot used", number=header.number, seq=header.sequence)
        return office
    return office


def _mistrust(setup: Setup[S], snapshot: Snapshot, recorded_hash: str | None) -> str:
    """Return why `snapshot` is not to be used, or an empty text."""
    header = snapshot.header
    if setup.snapshots is None or header.code != setup.snapshots.code:
        return "other code wrote it"
    if header.engine != setup.engine.name:
        return "it is another engine's"
    if recorded_hash is not None and recorded_hash != header.state_hash:
        return "the log records another state"
    return ""


def _load(setup: Setup[S], snapshot: Snapshot) -> S | None:
    """Return the snapshot's state, or None if it does not have the hash that it should."""
    try:
        state = setup.engine.load(snapshot.data)
        same = state_hash(setup.engine, state) == snapshot.header.state_hash
    except Exception as error:
        # Whatever damaged bytes make an engine's loader do, they must not stop the host.
        log.warning("snapshot unreadable", reason=repr(error))
        return None
    return state if same else None


async def save_snapshot(setup: Setup[S], state: S, head: Head, sequence: int) -> None:
    """Save `state`, which is that after the record at `sequence`. Failing to is only a pity."""
    if setup.snapshots is None or not sequence:
        return
    data = setup.engine.dump(state)
    engine, code = setup.engine.name, setup.snapshots.code
    header = SnapshotHeader(engine, code, head.number, sequence, head.hash, digest(data))
    try:
        await setup.snapshots.save(Snapshot(header, data))
    except OSError as error:
        log.warning("snapshot not written", number=head.number, reason=str(error))


def forget(awaitable: Awaitable[object]) -> None:
    """Let a result that nobody will ask for pass without a complaint."""
    if isinstance(awaitable, asyncio.Future):
        awaitable.add_done_callback(lambda future: future.cancelled() or future.exception())
