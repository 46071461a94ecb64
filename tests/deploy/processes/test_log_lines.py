"""Log lines: cut, sampled by cause, and of libraries, too."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog

from deploy.limits import (
    LINES_PER_SECOND,
    MAX_LOG_CAUSES,
    MAX_LOGGED_CHARS,
    MAX_LOGGED_TRACE_CHARS,
)
from deploy.processes.log_lines import LineSampler, cut

LINE_BYTES = 8 * 1024
"""More than any line but one with a traceback has."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.5

    def __call__(self) -> float:
        return self.now


def written(sampler: LineSampler, number: int, **line: Any) -> list[dict[str, Any]]:
    lines = []
    for _ in range(number):
        try:
            lines.append(dict(sampler(None, "info", dict(line))))
        except structlog.DropEvent:
            continue
    return lines


def test_a_flood_leaves_a_few_lines_and_their_count() -> None:
    clock = Clock()
    sampler = LineSampler(clock)
    assert len(written(sampler, 5_000, event="request refused", status=404)) == LINES_PER_SECOND
    other = written(sampler, 3, event="request refused", status=503)
    assert len(other) == 3, "another cause is not drowned"
    assert not any("left_out" in line for line in other)
    clock.now += 1
    (first, second) = written(sampler, 2, event="started")
    assert first["left_out"] == {"request refused 404": 5_000 - LINES_PER_SECOND}
    assert "left_out" not in second
    assert len(written(sampler, 50, event="request refused", status=404)) == LINES_PER_SECOND


def test_what_is_left_out_over_many_seconds_is_all_counted() -> None:
    clock = Clock()
    sampler = LineSampler(clock)
    lines = []
    for _ in range(10):
        lines += written(sampler, 100, event="junk")
        clock.now += 1
    lines += written(sampler, 1, event="end")
    told = sum(line.get("left_out", {}).get("junk", 0) for line in lines)
    assert told == 1_000 - 10 * LINES_PER_SECOND


def test_causes_without_end_are_one_cause() -> None:
    sampler = LineSampler(Clock())
    lines = [line for n in range(10_000) for line in written(sampler, 1, event=f"cause {n}")]
    assert len(lines) == MAX_LOG_CAUSES + LINES_PER_SECOND
    assert len(sampler._written) == MAX_LOG_CAUSES + 1


def test_what_a_stranger_says_is_cut() -> None:
    line = cut(
        None,
        "info",
        {
            "event": "request refused",
            "path": "/" + "x" * 100_000,
            "names": ["y" * 10_000] * 3,
            "status": 404,
            "code": None,
            "exception": "first\n" + "z" * 100_000 + "\nValueError: last",
        },
    )
    assert line["status"] == 404
    assert line["code"] is None
    assert line["path"].startswith("/xxx")
    assert line["path"].endswith("(100001 characters)")
    assert len(line["names"]) < MAX_LOGGED_CHARS + 40
    assert line["exception"].endswith("ValueError: last")
    assert len(line["exception"]) == MAX_LOGGED_TRACE_CHARS + 2


_SCRIPT = """
import logging, structlog
from deploy.processes.log_lines import configure_logging
configure_logging("tested")
log = structlog.get_logger("gateway")
for number in range(20_000):
    log.info("request refused", path="/\\n\\u2028" * 20_000, status=404, method="GET")
for number in range(20_000):
    logging.getLogger("library").warning("%s said " + str(number), "x" * 5_000)
logging.getLogger("library").info("of no interest")
try:
    raise ValueError("y" * 50_000)
except ValueError:
    logging.getLogger("library").exception("failed")
"""


@pytest.mark.timeout(120)
def test_a_process_under_a_flood_writes_little() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[3],
        timeout=100,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["service"] for line in lines} == {"tested"}
    seconds = len({line["timestamp"][:19] for line in lines}) + 1
    assert len(lines) <= 2 * LINES_PER_SECOND * seconds + 1
    assert max(map(len, done.stderr.splitlines()[:-1])) < LINE_BYTES
    assert sum(line["event"].startswith("x") for line in lines) <= LINES_PER_SECOND * seconds
    assert lines[-1]["event"] == "failed"
    assert lines[-1]["exception"].endswith("y")
    assert len(done.stderr.splitlines()[-1]) < MAX_LOGGED_TRACE_CHARS + LINE_BYTES
    assert b"of no interest" not in done.stderr
