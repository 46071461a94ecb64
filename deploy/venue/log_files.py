"""The log files of a venue's processes, each bounded, no matter who writes it.

A process holds its file open and appends to it, nats-server and Postgres as well as ours, and
also what a library prints. So a full file is copied and emptied; nobody has to be told.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from deploy.limits import LOG_FILE_BYTES, LOG_FILES, LOG_LOOK_MS

_COPY_BYTES: Final = 1024 * 1024
_MEANWHILE: Final = 10
"""What part of a full file may come while it is copied, and be copied, too."""
_NEW: Final = "new"


class LogFiles:
    """Looks after each `*.log` in `folder`, and after `others`, from a thread of its own."""

    def __init__(self, folder: Path, *others: Path) -> None:
        self._folder = folder
        self._others = others
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look from now on, also while a step of the start takes its time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log-files", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Look once. A disk that is full, or a file that is gone, is looked at again later."""
        for path in self._paths():
            with contextlib.suppress(OSError):
                rotate(path)

    def _run(self) -> None:
        while not self._stop.wait(LOG_LOOK_MS / 1e3):
            self.look()

    def _paths(self) -> Iterator[Path]:
        yield from self._folder.glob("*.log")
        yield from self._others


def rotate(path: Path, full_bytes: int = LOG_FILE_BYTES, files: int = LOG_FILES) -> bool:
    """Empty a file that is full, once its last `full_bytes` stand in `path`.1; tell whether.

    What was there becomes `path`.2 and so on, up to `files` with the one that is written. Its
    writer must append; a line written between the copy and the emptying is lost. Raises OSError.
    """
    # not through a link: the folder of Postgres is another user's
    with open(path, "r+b", opener=_without_links) as log:
        size = os.fstat(log.fileno()).st_size
        if size < full_bytes:
            return False
        copy = _numbered(path, _NEW)
        copy.unlink(missing_ok=True)
        try:
            with copy.open("xb") as out:
                os.fchmod(out.fileno(), 0o600)
                if size > full_bytes:
                    log.seek(size - full_bytes - 1)
                    log.readline(_COPY_BYTES)  # the rest of a line that is half gone
                _copy(log, out, size - log.tell())
                for number in range(files - 2, 0, -1):
                    with contextlib.suppress(FileNotFoundError):
                        _numbered(path, number).replace(_numbered(path, number + 1))
                copy.replace(_numbered(path, 1))
                # what came meanwhile, but a writer that is faster than we are is not chased
                part = log.read(full_bytes // _MEANWHILE)
                out.write(part[: part.rfind(b"\n") + 1])
                log.truncate(0)
        finally:
            copy.unlink(missing_ok=True)
    return True


def _copy(log: BinaryIO, out: BinaryIO, left: int) -> None:
    while left > 0 and (part := log.read(min(left, _COPY_BYTES))):
        out.write(part)
        left -= len(part)


def _numbered(path: Path, number: int | str) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _without_links(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
