"""`python -m tests.determinism.others`: make other CPythons that are at hand ready to decide a log.

Each gets an environment with the few packages that the engines need, in `others/` within that
of the tests. Interpreters are looked for as `python3.x` on the PATH and among pyenv's versions.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

FOLDER = Path(sys.prefix) / "others"
MINORS = range(11, 16)
PACKAGES = ("msgspec", "nkeys", "pynacl")
_VERSION = "import sys; print(*sys.version_info[:2], sep='.')"
_LOCK = Path(__file__).parents[2] / "requirements" / "run.lock"


def at_hand() -> Iterator[str]:
    """Yield the paths of interpreters that may be of another version."""
    on_path = (shutil.which(f"python3.{minor}") for minor in MINORS)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    versions = sorted(pyenv.glob("versions/3.*/bin/python"))
    yield from chain(filter(None, on_path), map(str, versions))


def version_of(python: str) -> str:
    """Return an interpreter's version, such as `3.12`; empty if it does not run."""
    done = subprocess.run([python, "-c", _VERSION], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def of_other_minors(pythons: Iterator[str]) -> dict[str, str]:
    """Return the first interpreter of each version that the project runs on, but not this one."""
    wanted = {f"3.{minor}" for minor in MINORS} - {version_of(sys.executable)}
    found: dict[str, str] = {}
    for python in pythons:
        version = version_of(python)
        if version in wanted:
            found.setdefault(version, python)
    return found


def make(version: str, python: str) -> str:
    """Make an environment of `python` and return why not, or an empty text."""
    folder = FOLDER / version
    for command in (
        [python, "-m", "venv", "--clear", str(folder)],
        [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "-c", str(_LOCK), *PACKAGES],
    ):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            return (done.stderr or done.stdout).strip().rpartition("\n")[2]
    return ""


def main() -> None:
    """Make what is not there yet. That one cannot be made is told, and no failure."""
    for version, python in of_other_minors(at_hand()).items():
        if not (FOLDER / version).exists():
            why_not = make(version, python)
            print(f"CPython {version}: {why_not or 'ready'}")


if __name__ == "__main__":
    main()
