"""How Chromium is started: in its sandbox, with nothing of our environment, never as root.

A process of root could read every key of the venue. Where we are root, Chromium gets a user of its
own: a uid that no account and no process has. Its home is a folder of its own in any case.
"""

import os
import pwd
import shlex
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from streams.ingest.fetching import unprivileged

UNSANDBOXED: Final = "EVERYTHING_BROWSER_UNSANDBOXED"
"""The variable by which an operator has Chromium run without its sandbox."""
_ROOT: Final = 0
_UIDS: Final = range(61_184, 65_520)
"""Where systemd takes the uids of its dynamic users from: no distribution gives them away."""
_PLACES: Final = ("/tmp", "/var/tmp", "/run")  # a folder is made in it  # noqa: S108
_INHERITED: Final = ("PATH", "LANG", "TZ", "TMPDIR")
_REFUSALS: Final = ("no usable sandbox", "move to new namespace", "without --no-sandbox")
"""What Chromium says, in lower case, when the kernel refuses what its sandbox is made of."""


class ChromiumStart:
    """What a start of the program at `chromium` needs, in a folder that `close` removes."""

    def __init__(self, chromium: str) -> None:
        """Make the folder. Raises OSError."""
        self._folder = Path(tempfile.mkdtemp(prefix="everything-chromium-", dir=_place()))
        home = self._folder / "home"
        home.mkdir(mode=0o700)
        self.environment: dict[str, str | float | bool] = {
            "HOME": str(home),
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        }
        self.program = chromium
        if os.geteuid() == _ROOT:
            uid = _unused_uid()
            self._folder.chmod(0o711)
            os.chown(home, uid, uid)
            self.program = self._launcher(chromium, uid)

    def _launcher(self, chromium: str, uid: int) -> str:
        """Write the one file that playwright can run in the place of Chromium."""
        found = shutil.which(chromium) or chromium
        command = shlex.join([sys.executable, "-I", unprivileged.__file__, str(uid), found])
        path = self._folder / "chromium"
        path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        path.chmod(0o700)
        return str(path)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _place() -> str:
    """Return where temporary files may be run: the launcher is one. Raises OSError."""
    for place in (tempfile.gettempdir(), *_PLACES):
        if not os.statvfs(place).f_flag & os.ST_NOEXEC:
            return place
    raise OSError("no temporary folder lets a file be run")


def _unused_uid() -> int:
    """Return a uid that no account and no process has. Raises OSError when there is none."""
    taken = {account.pw_uid for account in pwd.getpwall()}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError):
            taken.add(process.stat().st_uid)
    uid = next((uid for uid in _UIDS if uid not in taken), None)
    if uid is None:
        raise OSError("no uid is left for Chromium")
    return uid


def start_problem(said: str) -> str:
    """Return why Chromium did not start, from what it said."""
    if any(words in said.lower() for words in _REFUSALS):
        return f"the kernel refuses Chromium's sandbox; {UNSANDBOXED}=1 runs it without"
    return "Chromium does not start"
