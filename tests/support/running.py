"""How a run of the tests is ordered, spread over workers, and kept free of skips.

The hooks stand here and not in `conftest.py`, so that a test can run pytest with them alone.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

SHARED_VARIABLE: Final = "EVERYTHING_TESTS_SHARED"
"""Names the folder that all workers of one run share; what is dear to make is made once there."""
NO_SKIP_VARIABLE: Final = "EVERYTHING_NO_SKIP"
MEMORY_DISK: Final = Path("/dev/shm")  # the kernel's, not a guessable file
ENOUGH_BYTES: Final = 6 * 2**30
"""What two workers may need at most; with less, temporary folders stay on the disk."""


def use_memory_disk() -> None:
    """Have temporary folders stand in memory, unless TMPDIR says where they are.

    A test that kills a process needs no disk: what a process wrote outlives it in memory, too.
    """
    if "TMPDIR" in os.environ or not MEMORY_DISK.is_dir():
        return
    if shutil.disk_usage(MEMORY_DISK).free < ENOUGH_BYTES:
        return
    os.environ["TMPDIR"] = str(MEMORY_DISK)
    tempfile.tempdir = None


def group_of(item: pytest.Item) -> str:
    """Return which tests one worker runs, in their order: a module's, or those of a mark."""
    mark = item.get_closest_marker("xdist_group")
    if mark is None:
        return item.nodeid.partition("::")[0]
    return str(mark.args[0] if mark.args else mark.kwargs["name"])


def longest_first(items: list[pytest.Item]) -> None:
    """Order groups by the time that their tests may take: no worker ends long after another."""
    may_take: dict[str, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        seconds = float(mark.args[0]) if mark is not None and mark.args else 0.0
        group = group_of(item)
        may_take[group] = max(seconds, may_take.get(group, 0.0))
    items.sort(key=lambda item: -may_take[group_of(item)])


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock beside `path`, which keeps other workers out."""
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have `-n 2` mean: whole groups to each worker, in our order."""
    if SHARED_VARIABLE not in os.environ:
        shared = os.environ[SHARED_VARIABLE] = tempfile.mkdtemp(prefix="em-tests-")
        config.add_cleanup(partial(shutil.rmtree, shared, ignore_errors=True))
        config.add_cleanup(partial(os.environ.__delitem__, SHARED_VARIABLE))
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadgroup"
        config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every test of a worker a group, and start with the longest."""
    if not getattr(config.option, "loadgroup", False):
        return
    longest_first(items)
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group_of(item)))


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure, where none is allowed."""
    if not os.environ.get(NO_SKIP_VARIABLE) or not report.skipped or hasattr(report, "wasxfail"):
        return
    why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid}: {NO_SKIP_VARIABLE} is set, and it was skipped: {why}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips."""
    report = yield
    _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skips itself."""
    report = yield
    _fail(report)
    return report
