"""A log that real engines wrote, decided again elsewhere: equal bytes, equal state hashes.

Other interpreters are those that `others` has made ready.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas import subjects
from tests.determinism import again, others
from tests.engines.governance.people import NOTARY
from tests.replay.venue import history

ROOT = Path(__file__).parents[2]
WITHIN_S = 100

SETTINGS: dict[str, dict[str, str]] = {
    "hash seed 0": {"PYTHONHASHSEED": "0"},
    "hash seed 1": {"PYTHONHASHSEED": "1"},
    "hash seed random": {"PYTHONHASHSEED": "random"},
    "UTC": {"TZ": "UTC"},
    "Kathmandu": {"TZ": "Asia/Kathmandu"},
    "zone behind": {"TZ": "XXX+11:30"},
    "locale C": {"LC_ALL": "C"},
    "locale C, no UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "locale German": {"LC_ALL": "de_DE.UTF-8"},
    "locale Turkish": {"LC_ALL": "tr_TR.UTF-8"},
    "fewest digits": {"PYTHONINTMAXSTRDIGITS": "640"},
    "any digits": {"PYTHONINTMAXSTRDIGITS": "0"},
    "one thread": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    "many threads": {"OMP_NUM_THREADS": "7", "MKL_NUM_THREADS": "7"},
    "optimised": {"PYTHONOPTIMIZE": "1"},
    "optimised, no docstrings": {"PYTHONOPTIMIZE": "2"},
    "development mode": {"PYTHONDEVMODE": "1"},
    "other allocator": {"PYTHONMALLOC": "malloc"},
}
"""A locale that is not installed changes nothing, and is tried all the same."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log, on a file."""
    path = tmp_path_factory.mktemp("determinism") / "log.jsonl"
    path.write_text(again.dump(list(history()), NOTARY.seed))
    return path


def run(python: str, log: Path, settings: dict[str, str]) -> dict[str, Any]:
    """Decide the log again in a process of its own and return what it printed."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings}
    done = subprocess.run(
        [python, str(Path(again.__file__)), str(log)],
        env=environment,
        cwd=log.parent,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@cache
def here() -> dict[str, Any]:
    """Return what the engines make of the log in this very process."""
    messages = list(history())
    return {made().name: again.decide(made(), messages, NOTARY.seed) for made in again.ENGINES}


def test_the_log_says_much_and_is_decided_again_to_the_letter() -> None:
    for engine, found in here().items():
        assert found["equal"] == found["records"] > 3, engine
    kinds = {message.subject.split(".")[1] for message in history()}
    assert kinds == {"cmd", "obs", "evt"}
    assert set(here()) == set(subjects.ENGINES)


@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_makes_a_difference(name: str, log: Path) -> None:
    found = run(sys.executable, log, SETTINGS[name])
    assert found["engines"] == here(), found["setting"]


def test_the_settings_reach_the_process(log: Path) -> None:
    """Without this, a setting that is not passed on would show as one that is harmless."""
    seen = {
        name: run(sys.executable, log, SETTINGS[name])["setting"]
        for name in ("hash seed 0", "hash seed 1", "fewest digits", "optimised", "Kathmandu")
    }
    assert seen["hash seed 0"]["hash"] != seen["hash seed 1"]["hash"]
    assert seen["fewest digits"]["digits"] == 640
    assert seen["optimised"]["optimize"] == 1
    assert seen["Kathmandu"]["zone"] == "Asia/Kathmandu"


PYTHONS = [sys.executable, *map(str, sorted(others.FOLDER.glob("*/bin/python")))]
"""Our own interpreter, with what no setting above has, and every other that was made ready."""


@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: Path(python).parents[1].name)
def test_no_interpreter_makes_a_difference(python: str, log: Path) -> None:
    found = run(python, log, {"PYTHONHASHSEED": "4294967295", "PYTHONNODEBUGRANGES": "1"})
    same = tuple(found["setting"]["python"][:2]) == sys.version_info[:2]
    assert same == (python == sys.executable)
    assert found["engines"] == here(), found["setting"]


def test_a_difference_would_be_seen(log: Path, tmp_path: Path) -> None:
    messages, seed = again.load(log.read_text())
    place = next(
        number for number, one in enumerate(messages) if one.subject.startswith("main.cmd.order.")
    )
    changed = messages[place]._replace(payload=b'{"type":"cancel_all/1"}')
    other = tmp_path / "log.jsonl"
    other.write_text(again.dump([*messages[:place], changed, *messages[place + 1 :]], seed))
    found = run(sys.executable, other, {})["engines"]["exchange"]
    assert found["equal"] < found["records"]
    assert found["state"] != here()["exchange"]["state"]
