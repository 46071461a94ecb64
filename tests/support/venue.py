"""A throwaway venue: `everything up` in a temporary home, driven as a person would.

Markets exist here because the test signs them, never because code ships them.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from deploy.cli import main
from deploy.venue.paths import VenuePaths
from deploy.venue.settings import Settings
from deploy.venue.supervisor import python
from tests.support.ports import free_port
from tests.support.postgres import lay_out
from tests.support.waiting import wait_for

READY_WITHIN_S = 90
_START_SERVERS = ("up", "restore", "upgrade")


class Venue:
    """One venue's processes and files; without `ingest`, one that only trades: it starts sooner."""

    def __init__(self, home: Path, *, ingest: bool = True) -> None:
        self.home = home
        self.http_port = free_port()
        self.environment = {
            **os.environ,
            "EVERYTHING_HOME": str(home),
            "EVERYTHING_HTTP_PORT": str(self.http_port),
            "EVERYTHING_NATS_PORT": str(free_port()),
        }
        self.environment["EVERYTHING_INGEST"] = "on" if ingest else "off"
        for name in (
            *(f"EVERYTHING_{one}" for one in ("URL", "SHARD", "ARCHIVE", "CHROMIUM")),
            *("NATS_URL", "DATABASE_URL", "USER_AGENT", "FROM_ADDRESS", "POLL_INTERVAL"),
            *("LLM_MODE", "LLM_MODEL", "LLM_MODEL_SHA256", "SPACY_MODEL", "REALITY_API_SECRET"),
        ):
            self.environment.pop(name, None)
        self.hurried = True
        """Whether Postgres finds a data folder on its first start, made once for all venues."""
        self._up: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def launch(self) -> None:
        """Run `everything up`."""
        self.home.mkdir(parents=True, exist_ok=True)
        if self.hurried:
            lay_out(self.home / "postgres")
        with (self.home / "up.log").open("ab") as log:
            self._up = subprocess.Popen(
                [sys.executable, "-P", "-m", "deploy.cli", "up"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self) -> None:
        """Run `everything up` and wait until it says that it is ready."""
        ready = self.home / "run" / "ready"
        ready.unlink(missing_ok=True)
        self.launch()
        up = self._up
        assert up is not None

        def is_ready() -> bool:
            if up.poll() is not None:
                raise AssertionError(f"up ended with {up.returncode}:\n{self.up_log()[-3000:]}")
            return ready.exists()

        wait_for("the venue is ready", is_ready, READY_WITHIN_S)

    def stop(self) -> int:
        """Stop as Ctrl-C does; return the exit code."""
        assert self._up is not None
        self._up.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """Wait until `everything up` has ended; return the exit code."""
        assert self._up is not None
        return self._up.wait(60)

    @property
    def up_pid(self) -> int:
        assert self._up is not None
        return self._up.pid

    def kill_up(self) -> None:
        """Kill -9 `everything up` itself; what it started is left running."""
        assert self._up is not None
        self._up.kill()
        self._up.wait()

    @contextlib.contextmanager
    def unwatched(self) -> Iterator[None]:
        """Hold `everything up` still, so that it starts nothing again meanwhile."""
        os.kill(self.up_pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.up_pid, signal.SIGCONT)

    def leftovers(self) -> list[str]:
        """Return the command lines of this venue's processes that run, `up` included."""
        home = str(self.home)
        ourselves = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        found = []
        for process in psutil.process_iter():
            if process.pid in ourselves:
                continue
            with contextlib.suppress(psutil.Error):
                ours = any(home in part for part in process.cmdline())
                if not ours and "python" in process.name():
                    ours = process.environ().get("EVERYTHING_HOME") == home
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
        return found

    def start_process(self, name: str) -> "subprocess.Popen[bytes]":
        """Start one more process of the venue by hand, beside what `up` runs."""
        with self.log_of(f"{name}.by-hand").open("ab") as log:
            return subprocess.Popen(
                python("deploy.processes", name),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log_of(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    @property
    def place(self) -> VenuePaths:
        """What the processes know of the venue."""
        settings = Settings(
            home=self.home,
            http_port=self.http_port,
            nats_port=int(self.environment["EVERYTHING_NATS_PORT"]),
        )
        return VenuePaths(settings)

    def up_log(self) -> str:
        return (self.home / "up.log").read_text()

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `everything` with `arguments`, as a process."""
        done = self._run(*arguments)
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "deploy.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def invoke(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `everything` with `arguments` in this process: for what starts nothing of its own.

        It passes through the program's entry, as a process does, and costs no start.
        """
        out, err = io.StringIO(), io.StringIO()
        command = ["everything", *arguments]
        code: Any = 0
        with (
            patch.dict(os.environ, self.environment, clear=True),
            patch.object(sys, "argv", command),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as ended:
                code = ended.code or 0
        return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())

    def json(self, *arguments: str) -> Any:
        """Run `everything … --json` and return its document.

        In this process where that can be: what starts servers takes the signals of a process.
        """
        inside = threading.current_thread() is threading.main_thread()
        run = self.invoke if inside and arguments[0] not in _START_SERVERS else self._run
        done = run(*arguments, "--json")
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def pids(self) -> dict[str, int]:
        """Return the process ids by name, servers included."""
        found: dict[str, int] = json.loads((self.home / "run" / "processes.json").read_text())
        return found

    def kill(self, name: str) -> int:
        """Kill -9 one process and return the id that it had."""
        pid = self.pids()[name]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid

    def restarted(self, name: str, old_pid: int, within_s: float = 60) -> None:
        """Wait until `name` runs with another process id than `old_pid`."""

        def check() -> bool:
            with contextlib.suppress(json.JSONDecodeError):
                return self.pids().get(name, old_pid) != old_pid
            return False

        wait_for(f"{name} is up again", check, within_s)

    def service_seed(self, name: str) -> str:
        return (self.home / "keys" / "services" / f"{name}.nk").read_text().strip()

    @property
    def broker_url(self) -> str:
        return f"nats://127.0.0.1:{self.environment['EVERYTHING_NATS_PORT']}"


@contextlib.contextmanager
def venue(home: Path, *, ingest: bool = True) -> Iterator[Venue]:
    """Give a running venue and stop it at the end."""
    it = Venue(home, ingest=ingest)
    it.start()
    try:
        yield it
    finally:
        if it._up is not None and it._up.poll() is None:
            it.stop()
