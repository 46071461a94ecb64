"""Checkouts of earlier releases, from this repository's own history."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.venue.engines import engine_of
from engines.kernel import Engine
from schemas.subjects import ENGINES
from tests.house.source import ROOT

COMMITS: Final = {"v0.1.0": "7abb224"}
"""The commit of each release; a tag may be missing in a clone, its commit is not."""


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def checkout_of(release: str, folder: Path) -> Iterator[Path]:
    """Check a release out into `folder`; fails where the history is not there."""
    commit = COMMITS[release]
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        pytest.fail(
            f"{release} (commit {commit}) is not in this clone, and old records must be decided "
            "again by the code that decided them: git fetch --unshallow"
        )
    added = _git("worktree", "add", "--detach", str(folder), commit)
    assert added.returncode == 0, added.stderr
    try:
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


def newer(shard: str = "main") -> list[Engine[Any]]:
    """Return the engines of a release that decides otherwise: no release has their deciders."""
    found: list[Any] = [engine_of(name, shard) for name in ENGINES]
    for engine in found:
        name, _, number = engine.decider.partition("/")
        engine.decider = f"{name}/{int(number) + 1}"
    return found
