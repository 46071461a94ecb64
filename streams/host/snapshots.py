"""Snapshots: an engine's state at one of its records, to start from instead of the genesis.

A snapshot is a cache and never authority. It is used only if four things hold: the same
code wrote it, its bytes are whole, the log holds the record that it was taken at, and the
loaded state has the hash in the header. If the log does not hold the record, the log has
another past, and the host halts. If another check fails, the snapshot is ignored.

The origin is kept beside the snapshots. It names the newest record that the host knew to be
on the log. Without it, an engine that was killed would not notice that the log's store has
lost the records behind the last snapshot.
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
    """The record that a snapshot was taken at, and the digests of code and state."""

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


class SnapshotOrigin(NamedTuple):
    """A record that was on the log at `sequence`. The log must still hold it there."""

    sequence: int
    record_hash: str


class Snapshots(Protocol):
    """Where one engine's snapshots, and its origin, are kept."""

    @property
    def code(self) -> str:
        """The digest of the code that may use the snapshots."""

    async def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`, and delete the oldest beyond SNAPSHOTS_KEPT."""

    async def load(self) -> list[Snapshot]:
        """Return the snapshots whose bytes are whole, newest first."""

    async def save_origin(self, origin: SnapshotOrigin) -> None:
        """Replace the origin."""

    async def load_origin(self) -> SnapshotOrigin | None:
        """Return the origin, if there is one and its bytes are whole."""


class SnapshotFolder:
    """Keeps an engine's snapshots as files in a folder of its own.

    A file holds a SHA-256 of all that follows it, a line break, the header as one line, and
    the state's bytes. It gets its name only when it is whole and on the disk.
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

    async def save_origin(self, origin: SnapshotOrigin) -> None:
        """Keep `origin`; raises OSError when the disk does not take it.

        It is not synced to disk, because an older origin is as true. So the write is short
        and needs no thread.
        """
        content = encode(origin)
        lines = [digest(content).encode(), b"\n", content]
        write_whole(self._origin_file, lines, sync=False)

    async def load_origin(self) -> SnapshotOrigin | None:
        """Return the origin, or None if there is none that is whole."""
        try:
            return msgspec.json.decode(_whole(self._origin_file.read_bytes()), type=SnapshotOrigin)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log.warning("origin ignored", engine=self._engine, reason=str(error))
            return None

    @property
    def _origin_file(self) -> Path:
        return self._folder / f"{self._engine}.anchor"  # the name that 0.1.0 gave it

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
    """Replace the content of `path` by `lines` in one step: all of them or none."""
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
    """Keeps snapshots in memory, for simulations."""

    def __init__(self, code: str = "simulated") -> None:
        self._code = code
        self.kept: list[Snapshot] = []
        self.origin: SnapshotOrigin | None = None

    @property
    def code(self) -> str:
        return self._code

    async def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`."""
        self.kept = [snapshot, *self.kept][:SNAPSHOTS_KEPT]

    async def load(self) -> list[Snapshot]:
        """Return all, newest first."""
        return list(self.kept)

    async def save_origin(self, origin: SnapshotOrigin) -> None:
        """Keep `origin`."""
        self.origin = origin

    async def load_origin(self) -> SnapshotOrigin | None:
        """Return the origin."""
        return self.origin
