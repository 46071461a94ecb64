"""Travel snapshots: an engine's states along the whole log, to start from instead of its genesis.

They are files in the format of `streams.host.snapshots`, and like those they are never an
authority. A snapshot is used only if this code wrote it, its bytes are whole, its state has the
hash that it names, and the log holds the record that it was taken at. Losing all of them costs
only time.
"""

from bisect import bisect_right
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from replay.travel.limits import TRAVEL_SNAPSHOTS_KEPT
from schemas.chain import digest
from streams.host.code_digest import code_digest
from streams.host.snapshots import (
    Snapshot,
    lines_of,
    parse,
    write_whole,
)

log = structlog.get_logger(__name__)

_SUFFIX: Final = ".travel"
_ID_CHARS: Final = 12


class SnapshotStore(Protocol):
    """Keeps the travel snapshots of one engine."""

    @property
    def code(self) -> str:
        """The digest of the code that may use them."""

    def before(self, sequence: int) -> Snapshot | None:
        """Return the newest whole one that was taken at or before `sequence`."""

    def newest(self) -> int:
        """Return the sequence of the newest one, 0 for none."""

    def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`. Snapshots beyond the bound are thinned evenly along the log."""


class TravelSnapshotFolder:
    """Keep an engine's travel snapshots as files in a folder; the name says the sequence."""

    def __init__(
        self,
        folder: Path,
        engine: str,
        code: str | None = None,
        kept: int = TRAVEL_SNAPSHOTS_KEPT,
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._code = code or code_digest(engine)
        self._kept = kept

    @property
    def code(self) -> str:
        return self._code

    def before(self, sequence: int) -> Snapshot | None:
        """Return the newest whole one that was taken at or before `sequence`."""
        files = self._files()
        for at in reversed(files[: bisect_right(files, sequence)]):
            snapshot = self._read(at)
            if snapshot is not None:
                return snapshot
        return None

    def newest(self) -> int:
        """Return the sequence of the newest one, 0 for none."""
        return max(self._files(), default=0)

    def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`; raises OSError when the disk does not take it.

        The file is not forced to the disk: a snapshot that a crash damages is made again.
        """
        write_whole(self._path(snapshot.header.sequence), lines_of(snapshot), sync=False)
        files = self._files()
        if len(files) > self._kept:
            self._thin(files)

    def _thin(self, files: list[int]) -> None:
        """Delete snapshots until about half of the bound are left, at even distances."""
        distance, last = files[-1] // max(self._kept // 2, 1), 0
        for at in files[:-1]:
            if at - last < distance:
                self._path(at).unlink(missing_ok=True)
            else:
                last = at

    def _path(self, sequence: int) -> Path:
        return self._folder / f"{self._stem}{sequence:015d}{_SUFFIX}"

    @property
    def _stem(self) -> str:
        return f"{self._engine}-{self._code[:_ID_CHARS]}-"

    def _files(self) -> list[int]:
        """Return the sequences of this code's files, the lowest first."""
        found = (path.name for path in self._folder.glob(f"{self._stem}*{_SUFFIX}"))
        digits = (name.removeprefix(self._stem).removesuffix(_SUFFIX) for name in found)
        return sorted(int(one) for one in digits if one.isdecimal())

    def _read(self, sequence: int) -> Snapshot | None:
        path = self._path(sequence)
        try:
            snapshot = parse(path.read_bytes())
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log.warning("travel snapshot ignored", file=path.name, reason=str(error))
            return None
        header = snapshot.header
        good = (header.engine, header.code, header.sequence) == (self._engine, self._code, sequence)
        if not good or digest(snapshot.data) != header.state_hash:
            log.warning("travel snapshot ignored", file=path.name, reason="is not what it says")
            return None
        return snapshot
