"""A skip can be made a failure, groups stay together, the longest come first."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.house.source import ROOT
from tests.support.running import NO_SKIP_VARIABLE, group_of, longest_first

SKIPS = """
import pytest

def test_passes(): pass
def test_skips_itself(): pytest.skip("no such thing here")
@pytest.mark.skipif(True, reason="not on this machine")
def test_is_skipped(): pass
@pytest.fixture
def part(): pytest.skip("no part")
def test_lacks_a_part(part): pass
@pytest.mark.xfail(strict=True)
def test_fails_as_it_should(): assert False
"""
MODULE_SKIPS = """
import pytest

pytest.importorskip("a_module_that_nobody_has")
"""


def outcomes(folder: Path, **environment: str) -> dict[str, int]:
    """Run pytest on what stands in `folder`, with nothing but the hooks; count the outcomes."""
    (folder / "test_skips.py").write_text(SKIPS)
    (folder / "test_module_skips.py").write_text(MODULE_SKIPS)
    kept = {name: value for name, value in os.environ.items() if name != NO_SKIP_VARIABLE}
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(folder)]
    command += ["-p", "tests.support.running", "-p", "no:cacheprovider", "-c", os.devnull]
    told = subprocess.run(
        [*command, str(folder)],
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    last = told.strip().splitlines()[-1]
    return {what: int(count) for count, what in re.findall(r"(\d+) ([a-z]+)", last)}


def test_a_skip_is_a_skip(tmp_path: Path) -> None:
    assert outcomes(tmp_path) == {"passed": 1, "skipped": 4, "xfailed": 1}


def test_a_skip_is_a_failure_where_none_is_allowed(tmp_path: Path) -> None:
    told = {NO_SKIP_VARIABLE: "1", "PYTEST_ADDOPTS": "--continue-on-collection-errors"}
    assert outcomes(tmp_path, **told) == {"passed": 1, "failed": 1, "errors": 3, "xfailed": 1}


def test_groups_stay_together_and_the_longest_comes_first() -> None:
    def item(nodeid: str, *marks: pytest.Mark) -> Any:
        named = {mark.name: mark for mark in marks}
        return SimpleNamespace(nodeid=nodeid, get_closest_marker=named.get)

    quick, other = item("tests/a.py::test_a[b::c]"), item("tests/a.py::test_b")
    long = item("tests/b.py::test_c", pytest.mark.timeout(300).mark)
    shared = item("tests/c.py::test_d", pytest.mark.xdist_group("shared").mark)
    assert group_of(quick) == group_of(other) == "tests/a.py"
    assert group_of(shared) == "shared"
    items = [quick, other, shared, long]
    longest_first(items)
    assert items == [long, quick, other, shared]
