"""The supervisor and real processes that stand still: which are started again, and which are not.

None of them has a nats-server: the pulse goes without.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

from deploy.venue.supervisor import Child, Supervisor
from tests.support.waiting import wait_for

ROOT: Final = Path(__file__).parents[3]
WITHIN_S: Final = 60
SCRIPT: Final = """
import asyncio, os, pathlib, subprocess, sys, time
from deploy.processes.service import run_service
from deploy.observe.pulse import LAST_END
here = pathlib.Path(sys.argv[1])

def say(name, text):
    here.joinpath(name + ".new").write_text(text)
    here.joinpath(name + ".new").rename(here / name)

def first_time():
    is_first = not here.joinpath("seen").exists()
    here.joinpath("seen").touch()
    return is_first

async def main(stop):
    say("turning", str(os.getpid()))
    say("last_end", os.environ.get(LAST_END, ""))
    await asyncio.sleep(0.5)
    {body}
    await stop.wait()

{before}
sys.exit(run_service(main, "tested"))
"""
HELPER: Final = 'subprocess.Popen(["sleep", "600"])'
BLOCKS_ONCE: Final = f"if first_time(): say('helper', str({HELPER}.pid)); time.sleep(600)"


@pytest.fixture(autouse=True)
def short_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.venue.supervisor.SILENT_AFTER_S", 4)
    monkeypatch.setattr("deploy.venue.supervisor.UNWATCHED_S", 2)


class Watch:
    """A supervisor with one child, and what the child wrote."""

    def __init__(self, folder: Path, body: str, before: str) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.supervisor = Supervisor(self.said.append)
        script = SCRIPT.format(body=body, before=before)
        command = [sys.executable, "-P", "-c", script, str(folder)]
        self.child = Child("tested", command, {"PYTHONPATH": str(ROOT)}, folder / "log")
        self.supervisor.add(self.child)

    @property
    def pid(self) -> int:
        assert self.child.process is not None
        return self.child.process.pid

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def until(self, what: str, is_so: Callable[[], bool]) -> None:
        def look() -> bool:
            self.supervisor.look()
            return is_so()

        wait_for(what, look, WITHIN_S)

    def is_turning(self) -> bool:
        return self.read("turning") == str(self.pid) and self.child.has_pulse

    def look_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.supervisor.look()
            time.sleep(0.1)


Start = Callable[..., Watch]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def starting(body: str = "pass", before: str = "") -> Watch:
        started.append(Watch(tmp_path, body, before))
        return started[-1]

    yield starting
    for one in started:
        one.supervisor.stop()


def test_a_process_whose_loop_stands_still_is_killed_and_started_again(start: Start) -> None:
    watch = start(BLOCKS_ONCE)
    first = watch.pid
    watch.until("another one turns", lambda: watch.pid != first and watch.is_turning())
    assert len(watch.said) == 1
    assert watch.said[0].startswith("tested ended (killed: silent for ")
    assert watch.read("last_end").startswith("killed: silent for "), "its heartbeats will say so"
    assert not psutil.pid_exists(first)
    helper = int(watch.read("helper"))
    wait_for("what it started is gone, too", lambda: not is_running(helper), WITHIN_S)


def test_a_process_that_starts_slowly_is_waited_for(start: Start) -> None:
    watch = start(before="time.sleep(7)")
    first = watch.pid
    watch.until("it turns", watch.is_turning)
    assert (watch.pid, watch.said) == (first, [])


def test_a_process_that_never_comes_to_turn_is_not_waited_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.venue.supervisor.STARTING_S", 3)
    watch = start(before="first_time() and time.sleep(600)")
    first = watch.pid
    watch.until("another one was started", lambda: watch.pid != first)
    assert "silent since its start" in watch.said[0]
    monkeypatch.setattr("deploy.venue.supervisor.STARTING_S", WITHIN_S)
    watch.until("it turns", watch.is_turning)


def test_a_process_that_is_stopped_for_a_short_while_goes_on(start: Start) -> None:
    watch = start()
    watch.until("it turns", watch.is_turning)
    first = watch.pid
    for _ in range(3):
        os.kill(first, signal.SIGSTOP)
        watch.look_for(1.5)
        os.kill(first, signal.SIGCONT)
        watch.child.has_pulse = False
        watch.until("it turns again", watch.is_turning)
    assert (watch.pid, watch.said) == (first, [])


def test_a_process_that_stays_stopped_is_started_again(start: Start) -> None:
    """SIGTERM would do nothing to it."""
    watch = start()
    watch.until("it turns", watch.is_turning)
    first = watch.pid
    os.kill(first, signal.SIGSTOP)
    watch.until("another one turns", lambda: watch.pid != first and watch.is_turning())
    assert not psutil.pid_exists(first)


def test_a_supervisor_that_was_held_up_itself_judges_nobody_by_that_time(start: Start) -> None:
    """The whole machine was frozen: child and supervisor alike."""
    watch = start()
    watch.until("it turns", watch.is_turning)
    first = watch.pid
    os.kill(first, signal.SIGSTOP)
    time.sleep(6)
    watch.supervisor.look()
    os.kill(first, signal.SIGCONT)
    watch.look_for(2)
    assert (watch.pid, watch.said) == (first, [])


def test_pulses_that_nobody_reads_hold_nobody_up(start: Start) -> None:
    """A supervisor that is stopped for a day must not stop the venue."""
    watch = start(
        "import fcntl, deploy.observe.pulse as it; it.PULSE_EVERY_S = 0; await asyncio.sleep(2);"
        " say('beat', 'on')"
    )
    wait_for("it goes on", lambda: watch.read("beat") == "on", WITHIN_S)
    watch.supervisor.look()
    assert watch.said == []


def test_without_a_supervisor_there_is_no_pulse(tmp_path: Path) -> None:
    """Killed or never there: the process goes on."""
    watch = Watch(tmp_path, "pass", "")
    watch.until("it turns", watch.is_turning)
    watch.child._end_pulse()
    time.sleep(2.5)
    assert psutil.Process(watch.pid).status() != psutil.STATUS_ZOMBIE
    watch.supervisor.stop()
    assert watch.child.process is not None
    assert watch.child.process.returncode == 0


def test_what_a_process_starts_inherits_no_pulse(start: Start) -> None:
    watch = start(
        "out = subprocess.run(['env'], capture_output=True, text=True, close_fds=False).stdout;"
        " say('env', 'PULSE' if 'PULSE' in out else 'none')"
    )
    watch.until("it is said", lambda: watch.read("env") != "")
    assert watch.read("env") == "none"


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
