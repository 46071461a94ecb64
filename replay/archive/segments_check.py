"""Check an archive by itself: files, chain, seals, and whose they are. It needs no server."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from replay.archive.founding import Founding, founding_of, pin, seal_of
from replay.archive.segments import Seal, Segment, SegmentEnd, SegmentFolder, SegmentReader
from replay.progress import OnProgress
from schemas.chain import GENESIS_HASH, link
from schemas.errors import InputError, LogDiverged, NotFound
from schemas.stored import Stored
from schemas.subjects import NOTARY, events


class Archive(NamedTuple):
    """An archive that was checked: `last` messages, with the chain hash after them.

    `seal` is the record that proves `sealed_through` of them, `tail` what was archived
    behind that without a seal.
    """

    founding: Founding
    segments: list[Segment]
    sealed_through: int
    seal: Seal | None
    tail: Segment | None
    last: int
    chain: str

    def messages(self, shard: str) -> Iterator[Stored]:
        """Yield all messages in order.

        The last seal's own record stands behind what it seals, so in no sealed segment;
        where it comes next it is known, as it proves itself.
        """
        for segment in self.segments:
            yield from segment.read()
        if self.tail is not None:
            yield from self.tail.read()
        elif self.seal is not None and self.seal.sequence == self.sealed_through + 1:
            yield stored(self.seal, shard)


def stored(seal: Seal, shard: str) -> Stored:
    """Return a seal as it stands on the log."""
    return Stored(seal.sequence, events(shard, NOTARY), seal.record.encode())


def chain_at(segments: Sequence[Segment], sequence: int) -> str:
    """Return the chain hash after message `sequence`, which is in one of `segments`."""
    (segment,) = (one for one in segments if one.name.first <= sequence <= one.name.last)
    reading, chain = segment.read(), b""
    for message in reading:
        chain = link(chain or bytes.fromhex(reading.start.chain), *message)
        if message.sequence == sequence:
            break
    return chain.hex()


def check(
    folder: SegmentFolder, *, key: str | None = None, progress: OnProgress | None = None
) -> Archive:
    """Check every segment of `folder`.

    Raises ArchiveDamaged naming file and place, NotFound when there is none, InputError
    when `key` is not one of the venue's. Without `key`, whose archive it is was not checked.
    """
    return _ArchiveCheck(folder, key, progress).run()


class _ArchiveCheck:
    def __init__(self, folder: SegmentFolder, key: str | None, progress: OnProgress | None) -> None:
        self._folder = folder
        self._key = key
        self._progress = progress
        self._founding: Founding | None = None
        self._chain = GENESIS_HASH
        self._to = 0

    def run(self) -> Archive:
        sealed = self._folder.sealed()
        after = sealed[-1].name.last if sealed else 0
        tail = self._tail(after)
        parts = [*sealed, tail] if tail is not None else sealed
        if not parts:
            raise NotFound(f"there are no segments in {self._folder.path}")
        self._to = parts[-1].name.last
        seal = None
        for segment in parts:
            end = self._segment(segment)
            seal = end.seal or seal
        assert self._founding is not None
        return Archive(self._founding, sealed, after, seal, tail, self._to, self._chain)

    def _tail(self, after: int) -> Segment | None:
        """Return the longest unsealed end that goes on where the sealed segments end."""
        tails = [one for one in self._folder.unsealed() if one.name.first == after + 1]
        return tails[-1] if tails else None

    def _segment(self, segment: Segment) -> SegmentEnd:
        segment.check_digest()
        reading = segment.read()
        for message in reading:
            if message.sequence == 1:
                self._learn(segment, message)
            if self._progress is not None and message.sequence % 10_000 == 0:
                self._progress(message.sequence, self._to)
        self._check_place(segment, reading)
        return reading.end

    def _learn(self, segment: Segment, genesis: Stored) -> None:
        try:
            self._founding = founding_of(genesis, self._folder.shard)
        except InputError as error:
            raise segment.damaged(f"sequence 1: {error}") from error
        if self._key is not None:
            pin(self._founding, self._key)

    def _check_place(self, segment: Segment, reading: SegmentReader) -> None:
        """Raise ArchiveDamaged unless a segment follows the last one, and its seal is good."""
        start, end, founding = reading.start, reading.end, self._founding
        if founding is None:
            raise segment.damaged("it does not begin with a genesis")
        if (start.shard, start.venue_id) != (self._folder.shard, founding.venue_id):
            raise segment.damaged(f"it is of shard {start.shard}, venue {start.venue_id[:12]}")
        if start.chain != self._chain:
            raise segment.damaged("it does not go on from the segment before it")
        if end.seal is not None:
            self._check_seal(segment, end, end.seal, founding)
        self._chain = end.chain

    def _check_seal(
        self, segment: Segment, end: SegmentEnd, seal: Seal, founding: Founding
    ) -> None:
        place = f"its seal, at sequence {seal.sequence}"
        try:
            sealed = seal_of(
                stored(seal, self._folder.shard), self._folder.shard, founding.notary_key
            )
        except (InputError, LogDiverged) as error:
            raise segment.damaged(f"{place}: {error}") from error
        if (sealed.through, sealed.chain) != (end.last, end.chain):
            raise segment.damaged(f"{place}, says other than its {end.last} messages")
