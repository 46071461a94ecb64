"""The archiver: copies a log, as far as it is sealed, into segments in a folder elsewhere.

It takes the notary's word for nothing: each seal must be signed with the key that the
genesis names, and say of the log's messages what their bytes say. The folder itself is the
checkpoint. A log that is no longer the one that was archived is a halt (LogDiverged).

It does not look again at what has been archived: the scrub reads the log, and
`segments_check.check` the archive.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from replay.archive.founding import Founding, founding_of, seal_of
from replay.archive.segments import (
    Seal,
    Segment,
    SegmentEnd,
    SegmentFolder,
    SegmentStart,
    SegmentWriter,
)
from replay.archive.segments_check import chain_at
from replay.limits import (
    ARCHIVE_ATTEMPTS,
    SEGMENT_AFTER_NS,
    SEGMENT_BYTES,
    SEGMENT_MESSAGES,
)
from schemas.chain import GENESIS_HASH, link
from schemas.errors import (
    GenesisMismatch,
    InputError,
    LogDiverged,
    LogUnavailable,
    NotFound,
)
from schemas.stored import Stored
from schemas.subjects import NOTARY, events
from streams.log.cursor import Cursor
from streams.log.ports import Clock, Log


class Bounds(NamedTuple):
    """When a segment is full; see `replay.limits`."""

    messages: int = SEGMENT_MESSAGES
    bytes: int = SEGMENT_BYTES
    after_ns: int = SEGMENT_AFTER_NS


class _Overtaken(Exception):
    """Another archiver has added to the folder meanwhile."""


class Archiver:
    """Copies one log into one folder. `tick` again and again, or `finish` once."""

    def __init__(
        self, log: Log, clock: Clock, folder: SegmentFolder, bounds: Bounds | None = None
    ) -> None:
        self._log = log
        self._clock = clock
        self._folder = folder
        self._bounds = bounds or Bounds()
        self._walk: _ArchiveWalk | None = None
        self.archived = 0
        """The last sequence that stands in a sealed segment."""
        self.written = 0

    def status(self) -> dict[str, Any]:
        """Return what a heartbeat says."""
        return {"phase": "archiving", "sequence": self.archived, "segments": self.written}

    async def tick(self) -> None:
        """Take what is sealed, waiting READ_POLL_S for it, and write what makes a segment."""
        async with self._whole():
            walk = await self._begun()
            await self._take_seals(walk, await anext(walk.seals.follow()))
            if walk.full(self._clock.now_ns()):
                self._cut(walk)

    async def finish(self, *, unsealed: bool = False) -> None:
        """Archive up to the last seal that stands on the log now.

        With `unsealed`, what follows it goes into a segment that is marked so. Raises
        NotFound when the log has no seal yet, and is not to be archived without one.
        """
        for _ in range(ARCHIVE_ATTEMPTS):
            async with self._whole():
                walk = await self._begun()
                last = await self._log.last(events(self._log.shard, NOTARY))
                if last is None and not unsealed:
                    raise NotFound("nothing on this log is sealed yet")
                async for seals in walk.seals.read_to(0 if last is None else last.sequence):
                    await self._take_seals(walk, seals)
                if walk.pending:
                    self._cut(walk)
                if unsealed:
                    await self._cut_unsealed(walk)
                return
        raise LogUnavailable("another archiver is at work in this folder")

    async def close(self) -> None:
        """Let go of the log, and of what is not a segment yet."""
        walk, self._walk = self._walk, None
        if walk is not None:
            await walk.close()

    @asynccontextmanager
    async def _whole(self) -> AsyncIterator[None]:
        """Forget the walk after any error, so that the next one starts from the folder again."""
        try:
            yield
        except _Overtaken:
            await self.close()
        except BaseException:
            await self.close()
            raise

    # -- where the folder ends -------------------------------------------------------

    async def _begun(self) -> "_ArchiveWalk":
        """Return the walk under way, or one that goes on where the folder ends."""
        if self._walk is not None:
            return self._walk
        self._folder.prepare()
        sealed, unsealed = self._folder.sealed(), self._folder.unsealed()
        genesis = await self._log.get(1)
        if genesis is None:
            if sealed or unsealed:
                raise LogDiverged("the log is empty, and its archive is not")
            raise NotFound("the log is empty: this venue is not founded yet")
        try:
            founding = founding_of(genesis, self._log.shard)
        except InputError as error:
            raise LogDiverged(f"the log begins with no genesis: {error}") from error
        chain, after = GENESIS_HASH, 0
        if sealed:
            end = self._check_venue(sealed[-1], founding)
            await self._compare(end)
            chain, after = end.chain, end.last
        tails = {}
        for segment in unsealed:
            end = self._check_venue(segment, founding)
            if end.last > after:
                tails[segment] = end
            elif chain_at(sealed, end.last) == end.chain:
                self._folder.remove_unsealed(segment)
            else:
                raise LogDiverged(f"{segment.path.name} is not what was sealed later on")
        self._walk = walk = _ArchiveWalk(
            self._log, self._folder, founding, after, chain, self._bounds
        )
        await walk.open(tails)
        self.archived, self.written = after, len(sealed)
        return walk

    def _check_venue(self, segment: Segment, founding: Founding) -> SegmentEnd:
        """Return a segment's last line after checking all of it."""
        segment.check_digest()
        reading = segment.read()
        for _ in reading:
            pass
        if reading.start.shard != self._log.shard or reading.start.venue_id != founding.venue_id:
            held = f"{self._folder.path} holds the archive of venue {reading.start.venue_id[:12]}"
            raise GenesisMismatch(f"{held}, and this is {founding.venue_id[:12]}")
        return reading.end

    async def _compare(self, end: SegmentEnd) -> None:
        """Raise LogDiverged unless the log is what was archived up to `end`.

        The seal that proved it may be gone, if the log was restored from this archive.
        """
        reaches = await self._log.last_sequence()
        if reaches < end.last:
            raise LogDiverged(f"the log ends at {reaches}, and {end.last} of it are archived")
        seal = end.seal
        stands = await self._log.get(seal.sequence) if seal is not None else None
        if stands is not None and seal is not None and stands.payload == seal.record.encode():
            return
        chain = bytes.fromhex(GENESIS_HASH)
        async with Cursor(self._log, [f"{self._log.shard}.>"]) as cursor:
            async for messages in cursor.read_to(end.last):
                for message in messages:
                    chain = link(chain, *message)
        if chain.hex() != end.chain:
            raise LogDiverged(f"the log up to sequence {end.last} is not what was archived of it")

    # -- going on --------------------------------------------------------------------

    async def _take_seals(self, walk: "_ArchiveWalk", seals: list[Stored]) -> None:
        for message in seals:
            await walk.take(message, self._clock.now_ns())
            if walk.full(self._clock.now_ns()):
                self._cut(walk)

    def _cut(self, walk: "_ArchiveWalk") -> None:
        """Make a segment of what was taken, up to the last seal."""
        if not walk.cut(walk.seal):
            raise _Overtaken
        self.archived, self.written = walk.last, self.written + 1

    async def _cut_unsealed(self, walk: "_ArchiveWalk") -> None:
        """Put the rest of the log aside. The walk ends: sealed segments do not go on from it."""
        end = await self._log.last_sequence()
        if end > walk.last:
            await walk.take_through(end, self._clock.now_ns())
            walk.cut(None)
        await self.close()


class _ArchiveWalk:
    """One walk along the log, from where the folder ends."""

    def __init__(
        self,
        log: Log,
        folder: SegmentFolder,
        founding: Founding,
        after: int,
        chain: str,
        bounds: Bounds,
    ) -> None:
        self._log = log
        self._folder = folder
        self._founding = founding
        self._bounds = bounds
        self._chain = chain
        self._since_ns = 0
        self._writer: SegmentWriter | None = None
        self._cursor = Cursor(log, [f"{log.shard}.>"], after)
        self._tails: dict[Segment, SegmentEnd] = {}
        self.seal: Seal | None = None
        self.seals = Cursor(log, [events(log.shard, NOTARY)], after)
        """The seals that were not taken yet."""

    async def open(self, tails: dict[Segment, SegmentEnd]) -> None:
        """Begin to read. `tails` are unsealed ends that were archived once: see `_meet`."""
        self._tails = tails
        ends = max((end.last for end in tails.values()), default=0)
        reaches = await self._log.last_sequence()
        if reaches < ends:
            raise LogDiverged(f"the log ends at {reaches}, and was archived up to {ends}")

    async def close(self) -> None:
        """Let go of the log, and of what is not a segment yet."""
        await self._cursor.close()
        await self.seals.close()
        if self._writer is not None:
            self._writer.close()

    @property
    def last(self) -> int:
        """The last message that was taken."""
        return self._cursor.position

    @property
    def pending(self) -> bool:
        """Whether messages were taken that are in no segment yet."""
        return self._writer is not None

    def full(self, now_ns: int) -> bool:
        """Tell whether what was taken makes a segment."""
        writer, bounds = self._writer, self._bounds
        return writer is not None and (
            self.last - writer.first + 1 >= bounds.messages
            or writer.bytes >= bounds.bytes
            or now_ns - self._since_ns >= bounds.after_ns
        )

    async def take(self, message: Stored, now_ns: int) -> None:
        """Take all that a seal covers. Raises LogDiverged unless it is what was sealed."""
        try:
            seal = seal_of(message, self._log.shard, self._founding.notary_key)
        except InputError as error:
            raise LogDiverged(f"sequence {message.sequence} is no good seal: {error}") from error
        if seal.through <= self.last:
            return
        first = self.last + 1
        await self.take_through(seal.through, now_ns)
        if self._writer is None or self._writer.chain.hex() != seal.chain:
            raise LogDiverged(
                f"messages {first} to {seal.through} are not what was sealed at "
                f"sequence {message.sequence}"
            )
        self.seal = Seal(message.sequence, message.payload.decode())

    async def take_through(self, last: int, now_ns: int) -> None:
        """Take the messages up to sequence `last`."""
        if self._writer is None:
            self._since_ns = now_ns
            shard, venue_id = self._log.shard, self._founding.venue_id
            start = SegmentStart(shard, venue_id, self.last + 1, self._chain)
            self._writer = self._folder.open_writer(start)
        async for messages in self._cursor.read_to(last):
            self._add(self._writer, messages)

    def _add(self, writer: SegmentWriter, messages: list[Stored]) -> None:
        """Write `messages`, and compare the chain where an unsealed end of it was archived."""
        ends = sorted(self._tails.values(), key=lambda end: end.last)
        for end in ends:
            place = end.last - writer.last
            if not 0 <= place <= len(messages):
                continue
            writer.add(messages[:place])
            messages = messages[place:]
            if end.chain != writer.chain.hex():
                raise LogDiverged(f"the log up to {end.last} is not what was archived unsealed")
        writer.add(messages)

    def cut(self, seal: Seal | None) -> bool:
        """Make a segment of what was taken; False if another archiver was quicker."""
        writer, self._writer = self._writer, None
        assert writer is not None
        self._chain = writer.chain.hex()
        if self._folder.keep(writer, seal) is None:
            return False
        for segment, end in list(self._tails.items()):
            if seal is not None and end.last <= self.last:
                self._folder.remove_unsealed(segment)
                del self._tails[segment]
        return True
