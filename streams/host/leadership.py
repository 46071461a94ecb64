"""Leader election: how a host gets the right to append an engine's records, and its state.

    1. recover    load a snapshot, fold the records behind it
    2. claim      append an Epoch; its sequence is the fencing token of this leader
    3. catch up   fold the records up to the Epoch

The server checks the token with each append (see `ports.Fence`), so from the Epoch on no
older leader can append anything. What step 3 has folded is therefore complete. Step 1 comes
first so that the venue is without a leader for the time of step 3 only.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import structlog

from engines.kernel import Engine, fold, recorded_state_hash, state_hash
from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import BrokenInvariant, Fenced, Halt, InputError, LogDiverged, UnknownRecord
from schemas.limits import GENESIS_POLL_MS
from schemas.record_chain import Head
from schemas.records import EPOCHS, EVENT_MESSAGES, Epoch, check_hash
from schemas.stored import Stored
from schemas.subjects import epoch as epoch_subject
from schemas.subjects import events as events_subject
from streams.host.gc_control import ManualCollection
from streams.host.limits import SNAPSHOT_EVERY_EVENTS, SNAPSHOT_EVERY_RECORDS
from streams.host.snapshots import Snapshot, SnapshotHeader, SnapshotOrigin, Snapshots
from streams.log.cursor import Cursor
from streams.log.ports import Clock, Log

S = TypeVar("S")

log = structlog.get_logger(__name__)

MILLISECONDS: Final = 1_000


class StoppedEarly(Exception):
    """The host was told to stop before it became leader."""


class Committed(NamedTuple):
    """A record that is on the log, with its sequence, its head and its exact bytes."""

    sequence: int
    head: Head
    data: bytes
    events: list[Any]


@dataclass(frozen=True)
class HostConfig(Generic[S]):
    """What a host is made of. It is the same each time the host becomes leader."""

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


class RecoveredState(Generic[S]):
    """An engine's state, folded from its own records, and its position on the log."""

    def __init__(self, config: HostConfig[S]) -> None:
        self._config = config
        self.state: S = config.engine.initial()
        self.head = Head()
        self.sequence = 0
        """The log sequence of the last record, 0 before the first."""
        self.epoch = 0
        """The fencing token of the newest leader: the sequence of the last Epoch."""
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

        Raises UnknownRecord when the message cannot be read, LogDiverged when it does not
        continue the chain. Both name its sequence.
        """
        try:
            if message.subject == self._config.epoch_subject:
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
        if epoch.engine != self._config.engine.name:
            raise UnknownRecord(f"an Epoch of {epoch.engine!r}")
        self.epoch = message.sequence

    def _apply_record(self, message: Stored) -> None:
        record = EVENT_MESSAGES.decode(message.payload)
        if record.epoch != self.epoch:
            raise LogDiverged(
                f"record {record.number} is of epoch {record.epoch}, "
                f"but the leader's epoch is {self.epoch}"
            )
        try:
            self.head = fold(self._config.engine, self.state, self.head, record, message.payload)
        except Halt:
            raise
        except Exception as error:
            raise BrokenInvariant(f"record {record.number} cannot be applied: {error!r}") from error
        self.sequence = message.sequence
        self.folded += 1
        self.folded_events += len(record.events)


async def acquire_leadership(
    config: HostConfig[S],
    stop: asyncio.Event,
    origin: SnapshotOrigin | None,
    on_epoch: Callable[[bytes], None],
) -> RecoveredState[S]:
    """Become the engine's leader and return its state; see the head of this module.

    `origin` is the newest record that the host knows to be on the log. `on_epoch` is called
    with the Epoch's bytes before they are sent: if no ack comes, the host can still
    recognize the Epoch as its own. Raises LogDiverged when the log is not the one that was
    seen before, StoppedEarly when `stop` is set, Fenced when another writer was quicker.
    """
    await _wait_for_genesis(config, stop)
    if origin is not None:
        await _head_at(config, origin)
    recovered = await _from_snapshot(config)
    subjects = (config.events_subject, config.epoch_subject)
    async with Cursor(config.log, subjects, recovered.read) as cursor:
        last = await config.log.last(config.events_subject)
        if last is not None:
            await _fold_to(recovered, cursor, last.sequence, stop)
        many = recovered.folded_events >= SNAPSHOT_EVERY_EVENTS
        if many or recovered.folded >= config.snapshot_every:
            await save_snapshot(config, recovered.state, recovered.head, recovered.sequence)
        now_ns = config.clock.now_ns()
        payload = encode(Epoch(config.engine.name, config.writer, config.engine.decider, now_ns))
        on_epoch(payload)
        sequence = await config.log.send(config.epoch_subject, payload)
        await _fold_to(recovered, cursor, sequence, stop)
    if recovered.epoch > sequence:
        raise Fenced(f"another writer became leader at sequence {recovered.epoch}")
    return recovered


async def _wait_for_genesis(config: HostConfig[S], stop: asyncio.Event) -> None:
    """Wait until the log has a first message: no Epoch may precede the genesis decision."""
    while not await config.log.last_sequence():
        if stop.is_set():
            raise StoppedEarly
        await config.clock.sleep(GENESIS_POLL_MS / MILLISECONDS)


async def _fold_to(
    recovered: RecoveredState[S], cursor: Cursor, sequence: int, stop: asyncio.Event
) -> None:
    """Fold all messages up to the one at `sequence`, which is on the log."""
    async for messages in cursor.read_to(sequence):
        if stop.is_set():
            raise StoppedEarly
        for message in messages:
            recovered.apply(message)


async def _head_at(config: HostConfig[S], origin: SnapshotOrigin) -> tuple[Head, str | None]:
    """Return head and state hash of the record at `origin`, as the log has them.

    Raises LogDiverged when another message, or none, is at that sequence.
    """
    stored = await config.log.get(origin.sequence)
    lost = f"sequence {origin.sequence} no longer holds record {origin.record_hash[:12]}"
    if stored is None or stored.subject != config.events_subject:
        raise LogDiverged(lost)
    try:
        record = EVENT_MESSAGES.decode(stored.payload)
        check_hash(record, stored.payload)
    except (InputError, LogDiverged) as error:
        raise LogDiverged(f"{lost}: {error}") from error
    if record.hash != origin.record_hash:
        raise LogDiverged(lost)
    head = Head(record.number, record.hash, record.last_input, record.time_ns, record.epoch)
    return head, recorded_state_hash(config.engine, record)


async def _from_snapshot(config: HostConfig[S]) -> RecoveredState[S]:
    """Return the state of the newest snapshot that can be trusted, else the initial one."""
    recovered = RecoveredState(config)
    if config.snapshots is None:
        return recovered
    for snapshot in await config.snapshots.load():
        header = snapshot.header
        origin = SnapshotOrigin(header.sequence, header.record_hash)
        head, recorded_hash = await _head_at(config, origin)
        reason = _rejection_reason(config, snapshot, recorded_hash)
        state = None if reason else _loaded_state(config, snapshot)
        if state is None:
            reason = reason or "its state does not have the hash it says"
            log.warning("snapshot ignored", number=header.number, reason=reason)
            continue
        recovered.resume(state, head, header.sequence)
        log.info("snapshot used", number=header.number, seq=header.sequence)
        return recovered
    return recovered


def _rejection_reason(config: HostConfig[S], snapshot: Snapshot, recorded_hash: str | None) -> str:
    """Return why `snapshot` must not be used, or an empty text."""
    header = snapshot.header
    if config.snapshots is None or header.code != config.snapshots.code:
        return "other code wrote it"
    if header.engine != config.engine.name:
        return "it is another engine's"
    if recorded_hash is not None and recorded_hash != header.state_hash:
        return "the log records another state"
    return ""


def _loaded_state(config: HostConfig[S], snapshot: Snapshot) -> S | None:
    """Return the snapshot's state, or None if its hash is not the one in the header."""
    try:
        state = config.engine.load(snapshot.data)
        same = state_hash(config.engine, state) == snapshot.header.state_hash
    except Exception as error:
        # An engine's loader may raise anything on damaged bytes. The host must survive it.
        log.warning("snapshot unreadable", reason=repr(error))
        return None
    return state if same else None


async def save_snapshot(config: HostConfig[S], state: S, head: Head, sequence: int) -> None:
    """Save `state`, the one after the record at `sequence`.

    Errors are logged and ignored: a snapshot only makes the next start faster.
    """
    if config.snapshots is None or not sequence:
        return
    data = config.engine.dump(state)
    engine, code = config.engine.name, config.snapshots.code
    header = SnapshotHeader(engine, code, head.number, sequence, head.hash, digest(data))
    try:
        await config.snapshots.save(Snapshot(header, data))
    except OSError as error:
        log.warning("snapshot not written", number=head.number, reason=str(error))


def ignore_result(awaitable: Awaitable[object]) -> None:
    """Keep asyncio from reporting an exception that nobody will ask for."""
    if isinstance(awaitable, asyncio.Future):
        awaitable.add_done_callback(lambda future: future.cancelled() or future.exception())
