"""Snapshots: an engine's state at one of its records, to start from instead of the genesis.

A snapshot is never authority. It is used only if the code that wrote it is the code that
reads it, its bytes are whole, the log holds the very record it was taken at, and the state
loaded from it has the hash it says. What fails the first two or the last is ignored with a
log line; a log that no longer holds the record has another past, and that is a halt.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

import everything
from everything.schemas.chain import digest
from everything.schemas.codec import encode
from everything.schemas.limits import SNAPSHOTS_KEPT

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


class Snapshots(Protocol):
    """Where one engine's snapshots are kept."""

    @property
    def code(self) -> str:
        """The digest of the code that may use them."""

    async def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`, and let go of the oldest beyond SNAPSHOTS_KEPT."""

    async def load(self) -> list[Snapshot]:
        """Return those whose bytes are whole, newest first."""


def code_digest(engine: str) -> str:
    """Return the SHA-256 over the sources that decide what `engine`'s state is.

    These are the schemas, the kernel and the engine's own folder. An engine from outside
    the package (in tests) has no folder here.
    """
    root = Path(everything.__file__).parent
    sources = [
        *(root / "schemas").rglob("*.py"),
        root / "engines" / "kernel.py",
        *(root / "engines" / engine).rglob("*.py"),
    ]
    total = sha256()
    for path in sorted(sources):
        content = path.read_bytes()
        total.update(b"%b %d\n" % (path.relative_to(root).as_posix().encode(), len(content)))
        total.update(content)
    return total.hexdigest()


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

    def _save(self, snapshot: Snapshot) -> None:
        header = snapshot.header
        self._folder.mkdir(parents=True, exist_ok=True)
        name = (
            f"{header.engine}-{header.number:012d}-{header.code[:_ID_CHARS]}"
            f"-{header.state_hash[:_ID_CHARS]}{_SUFFIX}"
        )
        head = encode(header) + b"\n"
        whole = sha256(head)
        whole.update(snapshot.data)
        handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines([whole.hexdigest().encode(), b"\n", head, snapshot.data])
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._folder / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
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
                yield _parse(path.read_bytes())
            except (OSError, ValueError, msgspec.MsgspecError) as error:
                log.warning("snapshot ignored", file=path.name, reason=str(error))


def _parse(content: bytes) -> Snapshot:
    whole, _, rest = content.partition(b"\n")
    if digest(rest).encode() != whole:
        raise ValueError("its bytes are damaged")
    head, _, data = rest.partition(b"\n")
    return Snapshot(msgspec.json.decode(head, type=SnapshotHeader), data)


class SnapshotMemory:
    """Keep snapshots in memory, for simulations."""

    def __init__(self, code: str = "simulated") -> None:
        self._code = code
        self.kept: list[Snapshot] = []

    @property
    def code(self) -> str:
        return self._code

    async def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`."""
        self.kept = [snapshot, *self.kept][:SNAPSHOTS_KEPT]

    async def load(self) -> list[Snapshot]:
        """Return all, newest first."""
        return list(self.kept)
