"""Every benchmark that takes a count still runs: a small count, and tables come out."""

import subprocess
import sys

import pytest

from tests.bench.__main__ import ROOT

SMALL = {
    "flip": "2000",
    "http": "200",
    "path": "6400",
    "rebuild": "2000",
    "verify": "2000",
}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_prints_its_table(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.bench_{name}", SMALL[name]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert any(set(line) <= set("|- :") for line in done.stdout.splitlines() if "|" in line)
