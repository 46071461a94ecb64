"""Snapshots: an engine's state at one of its records, to start from instead of the genesis.

A snapshot is never authority. It is used only if the code that wrote it is the code that
reads it, its bytes are whole, the log holds the very record it was taken at, and the state
loaded from it has the hash it says. What fails the first two or the last is ignored with a
log line; a log that no longer holds the record has another past, and that is a halt.

Beside them stands an anchor: the newest record that the host knew to be on the log. It is
no state, only a memory: a store that lost its end would otherwise go unnoticed by an engine
that was killed since its last snapshot.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec
import structlog

from schemas.chain import digest
from schemas.codec import encode
from streams.host.code_digest import code_digest
from streams.host.limits import SNAPSHOTS_KEPT

log = structlog.get_logger(__name__)

_SUFFIX: Final = ".snapshot"
_ID_CHARS: Final = 12


class SnapshotHeader(msgspec.Struct, frozen=True):
    """What a snapshot is of: the record `number` with `record_hash` at `sequence` of the log."""

    engine: str
    code: str
    number: int
    sequence: int
    record_hash: str
    state_hash: str


class Snapshot(msgspec.Struct, frozen=True):
    """A header and the state's canonical bytes."""

    header: SnapshotHeader
    data: bytes


class Anchor(NamedTuple):
    """A record that this host once knew at `sequence`, so the log must hold it there for ever."""

    sequence: int
    record_hash: str


class Snapshots(Protocol):
    """Where one engine's snapshots, and its anchor, are kept."""

    @property
    def code(self) -> str:
        """The digest of the code that may use them."""

    async def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`, and let go of the oldest beyond SNAPSHOTS_KEPT."""

    async def load(self) -> list[Snapshot]:
        """Return those whose bytes are whole, newest first."""

    async def remember(self, anchor: Anchor) -> None:
        """Keep `anchor` instead of the one before it."""

    async def recall(self) -> Anchor | None:
        """Return the anchor, if there is one and its bytes are whole."""


class SnapshotFolder:
    """Keep an engine's snapshots as files in a folder of its own.

    A file is the SHA-256 of all that follows it, a line break, the header as one line, and
    the state's bytes. It appears under its name only when it is whole and on the disk.
    """

    def __init__(self, folder: Path, engine: str, code: str | None = None) -> None:
        self._folder = folder
        self._engine = engine
        self._code = code or code_digest(engine)

    @property
    def code(self) -> str:
        return self._code

    async def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`; raises OSError when the disk does not take it."""
        await asyncio.to_thread(self._save, snapshot)

    async def load(self) -> list[Snapshot]:
        """Return the snapshots whose bytes are whole, newest first."""
        return await asyncio.to_thread(lambda: list(self._load()))

    async def remember(self, anchor: Anchor) -> None:
        """Keep `anchor`; raises OSError when the disk does not take it.

        It is small and not forced to the disk (one that is a little old is as true), so it
        is not worth a thread.
        """
        content = encode(anchor)
        lines = [digest(content).encode(), b"\n", content]
        write_whole(self._anchor_file, lines, sync=False)

    async def recall(self) -> Anchor | None:
        """Return the anchor, or None if there is none that is whole."""
        try:
            return msgspec.json.decode(_whole(self._anchor_file.read_bytes()), type=Anchor)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log.warning("anchor ignored", engine=self._engine, reason=str(error))
            return None

    @property
    def _anchor_file(self) -> Path:
        return self._folder / f"{self._engine}.anchor"

    def _save(self, snapshot: Snapshot) -> None:
        header = snapshot.header
        name = (
            f"{header.engine}-{header.number:012d}-{header.code[:_ID_CHARS]}"
            f"-{header.state_hash[:_ID_CHARS]}{_SUFFIX}"
        )
        write_whole(self._folder / name, lines_of(snapshot), sync=True)
        self._sync_folder()
        for old in self._files()[SNAPSHOTS_KEPT:]:
            old.unlink(missing_ok=True)

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _files(self) -> list[Path]:
        """Return this engine's files, newest record first."""
        return sorted(self._folder.glob(f"{self._engine}-*{_SUFFIX}"), reverse=True)

    def _load(self) -> Iterator[Snapshot]:
        for path in self._files():
            try:
                yield parse(path.read_bytes())
            except (OSError, ValueError, msgspec.MsgspecError) as error:
                log.warning("snapshot ignored", file=path.name, reason=str(error))


def _whole(content: bytes) -> bytes:
    """Return what follows the digest in the first line; raise ValueError if it differs."""
    whole, _, rest = content.partition(b"\n")
    if digest(rest).encode() != whole:
        raise ValueError("its bytes are damaged")
    return rest


def parse(content: bytes) -> Snapshot:
    """Return the snapshot in a file's bytes; raise ValueError or MsgspecError if it is damaged."""
    head, _, data = _whole(content).partition(b"\n")
    return Snapshot(msgspec.json.decode(head, type=SnapshotHeader), data)


def lines_of(snapshot: Snapshot) -> list[bytes]:
    """Return the bytes of a snapshot's file, in parts."""
    head = encode(snapshot.header) + b"\n"
    whole = sha256(head)
    whole.update(snapshot.data)
    return [whole.hexdigest().encode(), b"\n", head, snapshot.data]


def write_whole(path: Path, lines: list[bytes], *, sync: bool) -> None:
    """Have `path` hold `lines`, or what it held before, but never a part of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(lines)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class SnapshotMemory:
    """Keep snapshots in memory, for simulations."""

    def __init__(self, code: str = "simulated") -> None:
        self._code = code
        self.kept: list[Snapshot] = []
        self.anchor: Anchor | None = None

    @property
    def code(self) -> str:
        return self._code

    async def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`."""
        self.kept = [snapshot, *self.kept][:SNAPSHOTS_KEPT]

    async def load(self) -> list[Snapshot]:
        """Return all, newest first."""
        return list(self.kept)

    async def remember(self, anchor: Anchor) -> None:
        """Keep `anchor`."""
        self.anchor = anchor

    async def recall(self) -> Anchor | None:
        """Return the anchor."""
        return self.anchor
