"""How a process ends, and what it says."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_MAINS = {
    "stops": "await stop.wait()",
    "halts": "raise LogDiverged('sequence 7')",
    "gives up": "raise LogUnavailable('nobody there')",
    "fails": "raise KeyError('a bug')",
    "ends": "pass",
    "lingers": "await asyncio.sleep(60)",
}
_SCRIPT = """
import asyncio, sys
from schemas.errors import LogDiverged, LogUnavailable
from deploy.processes.service import run_service
async def main(stop):
    print("ready", flush=True)
    {body}
sys.exit(run_service(main, "tested"))
"""


def start(name: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT.format(body=_MAINS[name])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("name", "code", "event"),
    [
        ("ends", 0, "stopped"),
        ("halts", 72, "halted"),
        ("gives up", 69, "gave up"),
        ("fails", 70, "failed"),
    ],
)
def test_each_end_has_its_exit_code_and_its_line(name: str, code: int, event: str) -> None:
    with start(name) as process:
        _, errors = process.communicate(timeout=20)
    lines = [json.loads(line) for line in errors.splitlines()]
    assert process.returncode == code
    assert lines[-1]["event"] == event
    assert {line["service"] for line in lines} == {"tested"}
    if code == 72:
        assert (lines[-1]["code"], lines[-1]["reason"]) == ("log_diverged", "sequence 7")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_peace(number: signal.Signals) -> None:
    with start("stops") as process:
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert '"event": "stopped"' in errors


def test_a_second_signal_does_not_wait() -> None:
    with start("lingers") as process:
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        while "told to stop" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0
