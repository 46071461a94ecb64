"""Another login on this machine: what it meets when it tries the venue's files and sockets.

Where root runs the tests, a child takes another uid and really tries. Elsewhere nobody can
become another login, so owners and modes are looked at, which is what the system would do.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

STRANGER = 65_534
"""The uid called nobody on most systems; it need not have a name."""


def as_stranger(act: Callable[[], object]) -> str | None:
    """Return the name of the error that `act` meets as another login, "" if it meets none.

    None where we are not root, so that it cannot be tried.
    """
    if os.geteuid() != 0:
        return None
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _tell(writing, act)
    os.close(writing)
    with os.fdopen(reading) as told:
        said = told.read()
    os.waitpid(child, 0)
    return said


def _tell(writing: int, act: Callable[[], object]) -> None:
    said = ""
    try:
        os.setgroups([])
        os.setgid(STRANGER)
        os.setuid(STRANGER)
        act()
    except BaseException as error:
        said = type(error).__name__
    finally:
        os.write(writing, said.encode())
        os._exit(0)


def refuses_strangers(path: Path, act: Callable[[], object]) -> bool:
    """Tell whether `act` on `path` is refused to another login, by trying or by the modes."""
    said = as_stranger(act)
    if said is not None:
        return said == "PermissionError"
    return not can_reach(path)


def can_reach(path: Path) -> bool:
    """Tell whether modes let other logins through to `path`, and do anything with it."""
    passable = all(one.stat().st_mode & stat.S_IXOTH for one in path.resolve().parents)
    return passable and bool(path.stat().st_mode & 0o007)
