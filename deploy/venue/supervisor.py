"""`everything up`: start the servers and processes of a venue, keep them up, stop them.

A child that ends is started again with growing pauses, except when it halted (exit codes
of `docs/how-to/halts.md`): a halt says that a person must look, and starting again would only
say so again. A child that is alive and whose event loop has stood still for SILENT_AFTER_S is
killed with all of its process group, and then started again as after a crash (decision 0063).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from deploy.limits import SILENT_AFTER_S, STARTING_S, UNWATCHED_S
from deploy.observe.pulse import LAST_END, PulseListener
from deploy.venue.stop_flag import StopFlag
from schemas.errors import Halt, OperatingError

STOP_AFTER_S = 10
"""How long a child may take to end after SIGTERM before it is killed."""
MAX_PAUSE_S = 10
STEADY_AFTER_S = 5
"""A child that ran this long starts again at once."""
WATCH_EVERY_S = 0.2

HALT_CODES = {kind.exit_code: kind.code for kind in Halt.__subclasses__()}


class StartFailed(OperatingError):
    code = "start_failed"


@dataclass
class Child:
    """One process of the venue, its log file, and how it last ended."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log_path: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    quick_ends: int = 0
    not_before: float = 0.0
    halted: str | None = None
    last_end: str = ""
    """How it last ended, for its heartbeats."""
    silenced: str = ""
    """Why it was killed, from then until it is started again."""
    heard_at: float = 0.0
    has_pulse: bool = False
    _pulse: PulseListener | None = field(default=None, repr=False)
    _log: IO[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self._log = self._log or self.log_path.open("ab")
        self._end_pulse()
        pulse = self._pulse = PulseListener()
        last_end = {LAST_END: self.last_end} if self.last_end else {}
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.environment, **pulse.environment, **last_end},
            pass_fds=pulse.inherited,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        pulse.started()
        self.started_at = self.heard_at = time.monotonic()
        self.has_pulse, self.silenced = False, ""

    def listen(self, now: float) -> None:
        """Note whether the process's loop has turned since the last look."""
        if self._pulse is not None and self._pulse.heard():
            self.heard_at, self.has_pulse = now, True

    def silence_problem(self, now: float) -> str:
        """Return why the process counts as silent, empty if it does not."""
        silent_s = now - self.heard_at
        if self.has_pulse:
            return f"silent for {silent_s:.0f} s" if silent_s > SILENT_AFTER_S else ""
        return f"silent since its start {silent_s:.0f} s ago" if silent_s > STARTING_S else ""

    def silence(self, problem: str) -> None:
        """Kill the process and all that it started: it answers no signal that it may refuse."""
        if self.process is not None and not self.silenced:
            self.silenced = problem
            os.killpg(self.process.pid, signal.SIGKILL)

    def _end_pulse(self) -> None:
        pulse, self._pulse = self._pulse, None
        if pulse is not None:
            pulse.close()

    def stop(self) -> None:
        """Ask the process to end, and kill it if it does not in time."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_AFTER_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._end_pulse()
        if self._log is not None:
            self._log.close()
            self._log = None


class Supervisor:
    """Keep `children` running until told to stop; `say` hears what a person should know."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.children: list[Child] = []
        self._watched: list[tuple[str, Callable[[], bool], Callable[[], None]]] = []
        self.stopping = StopFlag()
        self._looked_at = time.monotonic()

    def add(self, child: Child) -> None:
        self.children.append(child)
        child.start()

    def watch(self, name: str, alive: Callable[[], bool], revive: Callable[[], None]) -> None:
        """Also keep something up that is no Child of ours, such as a server."""
        self._watched.append((name, alive, revive))

    def look(self) -> None:
        """Look at everything once, and start again what has ended."""
        for name, alive, revive in self._watched:
            if not alive():
                self._say(f"{name} is gone; starting it again")
                try:
                    revive()
                except (OperatingError, OSError, subprocess.SubprocessError) as error:
                    self._say(f"{name} did not start: {error}")
        now = time.monotonic()
        was_held_up = now - self._looked_at > UNWATCHED_S
        self._looked_at = now
        for child in self.children:
            child.listen(now)
            if was_held_up:
                child.heard_at = now
            self._look_at(child, now)

    def _look_at(self, child: Child, now: float) -> None:
        if child.halted is not None or now < child.not_before or child.process is None:
            return
        code = child.process.poll()
        if code is None:
            if problem := child.silence_problem(now):
                child.silence(problem)
            return
        if child.not_before == 0.0:
            self._ended(child, code, now)
        else:
            child.not_before = 0.0
            child.start()

    def _ended(self, child: Child, code: int, now: float) -> None:
        if code in HALT_CODES:
            child.halted = HALT_CODES[code]
            self._say(
                f"{child.name} halted: {child.halted} (exit {code}). It stays down; "
                f"see docs/how-to/halts.md and {child.log_path}"
            )
            return
        steady = now - child.started_at >= STEADY_AFTER_S
        child.quick_ends = 0 if steady else child.quick_ends + 1
        pause = 0.0 if child.quick_ends <= 1 else min(MAX_PAUSE_S, 2.0 ** (child.quick_ends - 2))
        when = f" in {pause:.0f} s" if pause else ""
        child.last_end = f"killed: {child.silenced}" if child.silenced else _reason(code)
        self._say(f"{child.name} ended ({child.last_end}); starting it again{when}")
        child.not_before = now + pause if pause else 0.0
        if not pause:
            child.start()

    def stop(self) -> None:
        """Stop the children, the last started first."""
        for child in reversed(self.children):
            child.stop()


def _reason(code: int) -> str:
    if code < 0:
        return signal.Signals(-code).name
    return f"exit {code}"


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs `module` with this very interpreter."""
    return [sys.executable, "-P", "-m", module, *arguments]
