"""Time travel: the engines' states as of any sequence of the log.

The state at sequence N is the fold of the engines' records up to N. An engine's state changes
with its own records only, so each engine is folded alone: from the genesis, or from the nearest
travel snapshot that the log confirms. Both lead to the same state.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

from engines.kernel import Engine, fold, recorded_state_hash, state_hash
from replay.travel.limits import (
    TRAVEL_SNAPSHOT_EVENTS,
    TRAVEL_SNAPSHOT_MESSAGES,
    TRAVEL_SNAPSHOT_RECORDS,
)
from replay.travel.snapshot_store import SnapshotStore
from schemas.chain import digest
from schemas.errors import InputError, LogDiverged
from schemas.record_chain import Head
from schemas.records import EVENT_MESSAGES, check_hash, read
from schemas.stored import Stored
from schemas.subjects import events
from streams.host.snapshots import Snapshot, SnapshotHeader
from streams.log.cursor import Batches, Cursor
from streams.log.ports import Log

S = TypeVar("S")

log = structlog.get_logger(__name__)


class EngineSummary(NamedTuple):
    """An engine as of a sequence; `record` is its last one's number, at `sequence`, 0 for none."""

    name: str
    record: int
    sequence: int
    time_ns: int
    record_hash: str
    state_hash: str


class EngineStates(NamedTuple):
    """All engines as of `sequence`.

    `time_ns` is that of the newest record up to there. `state_hash` is the SHA-256 over one
    line `name:state_hash` for each engine, in the order of `subjects.ENGINES`.
    """

    sequence: int
    time_ns: int
    state_hash: str
    engines: tuple[EngineSummary, ...]


class Track(Generic[S]):
    """One engine's state, carried forward along the log."""

    def __init__(self, log_: Log, engine: Engine[S]) -> None:
        self._log = log_
        self._subject = events(log_.shard, engine.name)
        self._cursor = Cursor(log_, [self._subject])
        self._hash = ""
        self.engine = engine
        self.state: S = engine.initial()
        self.head = Head()
        self.sequence = 0
        """Where the last record that was folded stands."""
        self.events = 0
        """Events folded since the genesis or the snapshot."""

    async def resume(self, store: SnapshotStore, sequence: int) -> bool:
        """Start from the nearest travel snapshot at or before `sequence` that is borne out."""
        snapshot = await asyncio.to_thread(store.before, sequence)
        while snapshot is not None:
            head = await self._head_at(snapshot.header)
            if head is not None:
                self.state, self.head = self.engine.load(snapshot.data), head
                self.sequence, self._hash = snapshot.header.sequence, snapshot.header.state_hash
                self._cursor = Cursor(self._log, [self._subject], self.sequence)
                return True
            snapshot = await asyncio.to_thread(store.before, snapshot.header.sequence - 1)
        return False

    async def to(self, sequence: int) -> None:
        """Fold every record up to `sequence`, which is on the log.

        Raises LogDiverged, LogGap or UnknownRecord for a record that does not fit, LogUnavailable
        when the log does not give what it holds.
        """
        async for message in self.up_to(sequence):
            self.apply(message)

    async def up_to(self, sequence: int) -> AsyncIterator[Stored]:
        """Yield the records up to `sequence` that were not folded yet; fold each before the next.

        The log is asked for the last of them first: to find that there is none, a reader
        would have to look through all that stands between here and the next record.
        """
        end, exact = sequence, False
        if not self._cursor.has_read(sequence):
            last = await self._log.last(self._subject, sequence)
            end, exact = (0 if last is None else last.sequence), True
        async for messages in self._cursor.read_to(end, exact=exact):
            for message in messages:
                yield message

    def apply(self, message: Stored) -> int:
        """Fold one record, and return how many events it has."""
        record = read(message)
        try:
            self.head = fold(self.engine, self.state, self.head, record, message.payload)
        except LogDiverged as error:
            raise LogDiverged(f"sequence {message.sequence}: {error}") from error
        self.sequence, self._hash = message.sequence, ""
        self.events += len(record.events)
        return len(record.events)

    def as_of_now(self) -> EngineSummary:
        """Say where the engine is."""
        head = self.head
        self._hash = self._hash or state_hash(self.engine, self.state)
        return EngineSummary(
            self.engine.name, head.number, self.sequence, head.time_ns, head.hash, self._hash
        )

    def snapshot(self, code: str) -> Snapshot:
        """Return the state as a travel snapshot."""
        data, head = self.engine.dump(self.state), self.head
        self._hash = digest(data)
        name = self.engine.name
        header = SnapshotHeader(name, code, head.number, self.sequence, head.hash, self._hash)
        return Snapshot(header, data)

    def follow(self) -> Batches:
        """Yield the records that were not folded yet, without end; see `Cursor.follow`."""
        return self._cursor.follow()

    async def close(self) -> None:
        """Let go of the log."""
        await self._cursor.close()

    async def _head_at(self, header: SnapshotHeader) -> Head | None:
        """Return the head that a snapshot was taken at, None if the log does not hold it."""
        stored = await self._log.get(header.sequence)
        reason = "the log no longer holds its record"
        if stored is not None and stored.subject == self._subject:
            try:
                record = EVENT_MESSAGES.decode(stored.payload)
                check_hash(record, stored.payload)
            except (InputError, LogDiverged) as error:
                reason = str(error)
            else:
                if record.hash != header.record_hash:
                    reason = "the log holds another record there"
                elif recorded_state_hash(self.engine, record) not in (None, header.state_hash):
                    reason = "the log records another state"
                else:
                    return Head(
                        record.number, record.hash, record.last_input, record.time_ns, record.epoch
                    )
        log.warning("travel snapshot ignored", seq=header.sequence, reason=reason)
        return None


Engines = Callable[[], Sequence[Engine[Any]]]
"""Returns fresh instances of all engines, in the order of `subjects.ENGINES`."""


class StateReplay:
    """Gives the engines' states at any sequence of one log."""

    def __init__(
        self, log_: Log, engines: Engines, stores: Mapping[str, SnapshotStore] | None = None
    ) -> None:
        self._log = log_
        self._engines = engines
        self._stores = stores or {}

    async def at(self, sequence: int) -> EngineStates:
        """Return all engines as of `sequence`, from the nearest travel snapshots.

        Raises InputError when the log does not reach there.
        """
        await self._check(sequence)
        tracks = self._tracks()
        try:
            await asyncio.gather(*(self._carry(track, sequence) for track in tracks))
            return states_of(tracks, sequence)
        finally:
            await _close(tracks)

    async def along(self, sequences: Sequence[int]) -> AsyncIterator[EngineStates]:
        """Yield all engines as of each of the ascending `sequences`, in one walk from genesis."""
        tracks = self._tracks()
        try:
            for sequence in sequences:
                await self._check(sequence)
                for track in tracks:
                    await track.to(sequence)
                yield states_of(tracks, sequence)
        finally:
            await _close(tracks)

    def _tracks(self) -> list[Track[Any]]:
        return [Track(self._log, engine) for engine in self._engines()]

    async def _carry(self, track: Track[Any], sequence: int) -> None:
        store = self._stores.get(track.engine.name)
        if store is not None:
            await track.resume(store, sequence)
        await track.to(sequence)

    async def _check(self, sequence: int) -> None:
        last = await self._log.last_sequence()
        if not 1 <= sequence <= last:
            raise InputError(f"the log goes from sequence 1 to {last}, not to {sequence}")


def states_of(tracks: Sequence[Track[Any]], sequence: int) -> EngineStates:
    """Put together where the engines are as of `sequence`."""
    each = tuple(track.as_of_now() for track in tracks)
    lines = "".join(f"{one.name}:{one.state_hash}\n" for one in each)
    time_ns = max((one.time_ns for one in each), default=0)
    return EngineStates(sequence, time_ns, digest(lines.encode()), each)


async def _close(tracks: Sequence[Track[Any]]) -> None:
    for track in tracks:
        await track.close()


class Keeper:
    """Follows the log in the background, and keeps a travel snapshot now and then."""

    def __init__(
        self,
        log_: Log,
        engines: Engines,
        stores: Mapping[str, SnapshotStore],
        *,
        records: int = TRAVEL_SNAPSHOT_RECORDS,
        events: int = TRAVEL_SNAPSHOT_EVENTS,
    ) -> None:
        self._log = log_
        self._engines = engines
        self._stores = stores
        self._every = records, events
        self.saved = 0

    async def run(self) -> None:
        """Keep snapshots until cancelled. Raises a Halt for a record that does not fit."""
        tracks = [Track(self._log, engine) for engine in self._engines()]
        followers = [asyncio.create_task(self._follow(track)) for track in tracks]
        try:
            await asyncio.gather(*followers)
        finally:
            for task in followers:
                task.cancel()
            await asyncio.gather(*followers, return_exceptions=True)
            await _close(tracks)

    async def catch_up(self) -> None:
        """Keep what is to be kept of the log as it is now."""
        last = await self._log.last_sequence()
        for engine in self._engines():
            track = Track(self._log, engine)
            store = self._stores[engine.name]
            await track.resume(store, last)
            since = _Since(track.sequence)
            try:
                async for message in track.up_to(last):
                    await self._take(track, store, since, message)
            finally:
                await track.close()

    async def _follow(self, track: Track[Any]) -> None:
        store = self._stores[track.engine.name]
        await track.resume(store, await self._log.last_sequence())
        since = _Since(track.sequence)
        async for messages in track.follow():
            for message in messages:
                await self._take(track, store, since, message)
                await asyncio.sleep(0)

    def _is_due(self, since: "_Since", sequence: int) -> bool:
        records, events_ = self._every
        far = sequence - since.sequence >= TRAVEL_SNAPSHOT_MESSAGES
        return far or since.records >= records or since.events >= events_

    async def _take(
        self, track: Track[Any], store: SnapshotStore, since: "_Since", message: Stored
    ) -> None:
        since.events += track.apply(message)
        since.records += 1
        if not self._is_due(since, message.sequence):
            return
        since.records, since.events, since.sequence = 0, 0, message.sequence
        snapshot = track.snapshot(store.code)
        try:
            await asyncio.to_thread(store.save, snapshot)
            self.saved += 1
        except OSError as error:
            log.warning("travel snapshot not written", reason=str(error))


class _Since:
    """What was folded since the last snapshot, and where that was taken."""

    def __init__(self, sequence: int) -> None:
        self.records = 0
        self.events = 0
        self.sequence = sequence
