"""Segments: files of consecutive log messages, which end where a signed seal says how.

A segment is a gzip file (`zcat FILE | less` shows it) of

- one line of JSON: shard, venue, first sequence, and the chain hash before it;
- each message as `<sequence> <bytes of subject> <bytes of payload> <subject><payload>` and a
  line break. Without the break these are the very bytes that `schemas.chain.link` hashes;
- one line of JSON: last sequence, the chain hash there, and the notary's signed record that
  says the same. Without a record the segment is an unsealed end of a log.

Its name has the SHA-256 of the file in it, so `sha256sum` tells a damaged one. It appears
under its name only when it is whole and on the disk, and is never written to again.
"""

import fcntl
import gzip
import hashlib
import os
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple, Protocol

import msgspec

from replay.limits import MAX_ARCHIVE_LINE_BYTES
from schemas.chain import link
from schemas.codec import encode
from schemas.errors import ArchiveDamaged
from schemas.limits import MAX_PAYLOAD_BYTES
from schemas.stored import Stored

_LEVEL: Final = 1
"""JSON packs to about a fifth even so, at a pace that no venue outruns."""
_CHUNK: Final = 1024 * 1024
_PARTIAL: Final = ".partial"
_HEAD: Final = re.compile(rb"(0|[1-9][0-9]{0,18}) ([1-9][0-9]{0,4}) (0|[1-9][0-9]{0,18}) ")
_HEAD_BYTES: Final = 48
_UNREADABLE: Final = (OSError, EOFError, zlib.error, ValueError, msgspec.MsgspecError)
_NAME: Final = re.compile(r"(\d{12,19})-(\d{12,19})\.(sealed|unsealed)\.([0-9a-f]{64})\.gz")


class Seal(msgspec.Struct, frozen=True):
    """The notary's record, and where it stands on the log."""

    sequence: int
    record: str


class SegmentStart(msgspec.Struct, tag_field="type", tag="segment/1", frozen=True):
    """A segment's first line."""

    shard: str
    venue_id: str
    first: int
    chain: str


class SegmentEnd(msgspec.Struct, tag_field="type", tag="segment_end/1", frozen=True):
    """A segment's last line."""

    last: int
    chain: str
    seal: Seal | None


class Name(NamedTuple):
    """What a segment's file name says."""

    first: int
    last: int
    sealed: bool
    digest: str

    def __str__(self) -> str:
        kind = "sealed" if self.sealed else "unsealed"
        return f"{self.first:012d}-{self.last:012d}.{kind}.{self.digest}.gz"


def frame(message: Stored) -> bytes:
    """Return a message as it stands in a segment or bundle, its line break included."""
    sequence, subject, payload = message
    name = subject.encode()
    return b"%d %d %d %b%b\n" % (sequence, len(name), len(payload), name, payload)


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes: ...


class Frames:
    """Reads lines and frames from a stream of bytes. Raises ValueError for anything else."""

    def __init__(self, file: Readable, max_payload: int = MAX_PAYLOAD_BYTES) -> None:
        self._file = file
        self._max_payload = max_payload
        self._held = b""
        self._at = 0

    def line(self) -> bytes:
        """Return the next line, at most MAX_ARCHIVE_LINE_BYTES, without its break."""
        self._need(1)
        while (end := self._held.find(b"\n", self._at)) < 0:
            held = len(self._held) - self._at
            if held > MAX_ARCHIVE_LINE_BYTES or not self._more():
                raise ValueError("a line has no end")
        line = self._held[self._at : end]
        self._at = end + 1
        return line

    def next(self) -> Stored | None:
        """Return the next frame, or None where another line begins, or the bytes end."""
        self._need(_HEAD_BYTES)
        if self._held[self._at : self._at + 1] in (b"", b"{"):
            return None
        head = _HEAD.match(self._held, self._at)
        if head is None:
            raise ValueError("neither a message nor a line")
        sequence, name, size = int(head[1]), int(head[2]), int(head[3])
        if size > self._max_payload:
            raise ValueError(f"sequence {sequence}: a message of {size} bytes")
        whole = len(head[0]) + name + size + 1
        if self._need(whole) < whole:
            raise ValueError(f"sequence {sequence}: the bytes end within it")
        begin = self._at + len(head[0])
        end = self._at + whole - 1
        subject, payload = self._held[begin : begin + name], self._held[begin + name : end]
        if self._held[end : end + 1] != b"\n":
            raise ValueError(f"sequence {sequence}: no line break behind it")
        self._at = end + 1
        return Stored(sequence, subject.decode(), payload)

    def at_end(self) -> bool:
        """Tell whether nothing is left."""
        return self._need(1) == 0

    def _need(self, size: int) -> int:
        """Hold at least `size` bytes, if there are so many; return how many are held."""
        while len(self._held) - self._at < size and self._more():
            pass
        return len(self._held) - self._at

    def _more(self) -> bool:
        more = self._file.read(_CHUNK)
        self._held = self._held[self._at :] + more
        self._at = 0
        return bool(more)


class Segment(NamedTuple):
    """One segment on the disk."""

    path: Path
    name: Name

    def check_digest(self) -> None:
        """Raise ArchiveDamaged unless the file has the SHA-256 that its name says."""
        try:
            with self.path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise self.damaged(f"cannot be read: {error.strerror}") from error
        if found != self.name.digest:
            raise self.damaged(f"its SHA-256 is {found}, which is not the one in its name")

    def read(self) -> "SegmentReader":
        """Return the messages, to be iterated over once."""
        return SegmentReader(self)

    def damaged(self, why: str) -> ArchiveDamaged:
        """Return the error that says so, naming the file."""
        short = f"{self.name.first}-{self.name.last}"
        return ArchiveDamaged(f"segment {short} ({self.path.name[:48]}…): {why}")


class SegmentReader:
    """Iterates over a segment's messages. `start` is known with the first, `end` after all.

    Raises ArchiveDamaged, naming the sequence, where they are not a chain from the first
    line to the last one.
    """

    start: SegmentStart
    end: SegmentEnd

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._at = segment.name.first - 1

    def __iter__(self) -> Iterator[Stored]:
        try:
            with gzip.open(self._segment.path) as file:
                yield from self._messages(Frames(file))
        except _UNREADABLE as error:
            raise self._segment.damaged(f"behind sequence {self._at}: {error}") from error

    def _messages(self, frames: Frames) -> Iterator[Stored]:
        self.start = msgspec.json.decode(frames.line(), type=SegmentStart)
        if self.start.first != self._segment.name.first:
            raise ValueError(f"it begins with {self.start.first}")
        chain = bytes.fromhex(self.start.chain)
        while (message := frames.next()) is not None:
            if message.sequence != self._at + 1:
                raise ValueError(f"sequence {message.sequence} follows")
            self._at = message.sequence
            chain = link(chain, *message)
            yield message
        self.end = msgspec.json.decode(frames.line(), type=SegmentEnd)
        if not frames.at_end():
            raise ValueError("there is more behind its last line")
        self._check_end(self.end, chain.hex())

    def _check_end(self, end: SegmentEnd, chain: str) -> None:
        name = self._segment.name
        if not end.last == self._at == name.last:
            raise ValueError(f"it ends there and says {end.last}")
        if end.chain != chain:
            raise ValueError(f"its messages have the chain hash {chain}, not {end.chain}")
        if (end.seal is not None) != name.sealed:
            raise ValueError("its name does not say whether it is sealed")


class SegmentWriter:
    """Writes one segment to a file of another name, until `SegmentFolder.keep` keeps it."""

    def __init__(self, folder: Path, start: SegmentStart) -> None:
        handle, path = tempfile.mkstemp(dir=folder, suffix=_PARTIAL)
        fcntl.flock(handle, fcntl.LOCK_EX)  # says that its writer lives
        self.path = Path(path)
        self.first = start.first
        self.last = start.first - 1
        self.chain = bytes.fromhex(start.chain)
        self.bytes = 0
        self._file = os.fdopen(handle, "wb")
        self._packed = gzip.GzipFile("", "wb", _LEVEL, self._file, mtime=0)
        self._packed.write(encode(start) + b"\n")

    def add(self, messages: Iterable[Stored]) -> None:
        """Write the next messages."""
        lines = []
        for message in messages:
            lines.append(frame(message))
            self.chain = link(self.chain, *message)
            self.last = message.sequence
        data = b"".join(lines)
        self.bytes += len(data)
        self._packed.write(data)

    def finish(self, seal: Seal | None) -> Name:
        """Write the last line, force all of it to the disk, and return its name."""
        self._packed.write(encode(SegmentEnd(self.last, self.chain.hex(), seal)) + b"\n")
        self._packed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Name(self.first, self.last, seal is not None, digest)

    def close(self) -> None:
        """Let go of the file; one that was not kept is gone."""
        self._packed.close()
        self._file.close()
        self.path.unlink(missing_ok=True)


class SegmentFolder:
    """The segments of one shard's log. Several archivers may share it; one at a time adds."""

    def __init__(self, archive: Path, shard: str) -> None:
        self.shard = shard
        self.path = archive / shard

    def prepare(self) -> None:
        """Make the folder, and remove what archivers that were killed have left."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            for partial in self.path.glob(f"*{_PARTIAL}"):
                with partial.open("rb") as file:
                    if _lock_at_once(file):
                        partial.unlink()

    def sealed(self) -> list[Segment]:
        """Return the sealed segments in order.

        Raises ArchiveDamaged where one does not follow the other, from sequence 1 on.
        """
        found = [segment for segment in self._segments() if segment.name.sealed]
        after = 0
        for segment in found:
            if segment.name.first != after + 1 or segment.name.last < segment.name.first:
                missing = f"the segments end at {after}, and the next begins at"
                raise ArchiveDamaged(f"{missing} {segment.name.first} ({segment.path.name})")
            after = segment.name.last
        return found

    def unsealed(self) -> list[Segment]:
        """Return the segments that are no more than an end that was not sealed, in order."""
        return [segment for segment in self._segments() if not segment.name.sealed]

    def open_writer(self, start: SegmentStart) -> SegmentWriter:
        """Begin a segment."""
        with self._locked():
            return SegmentWriter(self.path, start)

    def keep(self, writer: SegmentWriter, seal: Seal | None) -> Segment | None:
        """Have the segment appear under its name; None if another archiver was quicker."""
        name = writer.finish(seal)
        with self._locked():
            sealed = self.sealed()
            if (sealed[-1].name.last if sealed else 0) != name.first - 1:
                writer.close()
                return None
            segment = Segment(self.path / str(name), name)
            writer.path.chmod(0o600)
            writer.path.replace(segment.path)
            _sync(self.path)
        writer.close()
        return segment

    def remove_unsealed(self, segment: Segment) -> None:
        """Remove an unsealed end, all of which stands in sealed segments by now."""
        segment.path.unlink(missing_ok=True)

    def _segments(self) -> list[Segment]:
        found = []
        for path in self.path.glob("*.gz"):
            match = _NAME.fullmatch(path.name)
            if match is None:
                raise ArchiveDamaged(f"{path.name} is not a segment's name")
            first, last, kind, digest = match.groups()
            name = Name(int(first), int(last), kind == "sealed", digest)
            found.append(Segment(path, name))
        return sorted(found, key=lambda segment: segment.name[:2])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _lock_at_once(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
