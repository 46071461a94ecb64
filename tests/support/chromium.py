"""Whether Chromium's sandbox can be had here. Where it cannot, tests run Chromium without it."""

import os
import shutil
import subprocess
from typing import Final

import pytest

from streams.ingest.fetching.chromium import UNSANDBOXED

IS_ROOT: Final = os.geteuid() == 0
UNPRIVILEGED: Final = 61_999
"""A uid that owns nothing."""


def _is_sandbox_refused() -> bool:
    """Return whether the kernel gives a user namespace to the user whom Chromium runs as."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "--user", "--pid", "--fork", "true"],
        user=UNPRIVILEGED if IS_ROOT else None,
        group=UNPRIVILEGED if IS_ROOT else None,
        extra_groups=[] if IS_ROOT else None,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return tried.returncode != 0


IS_SANDBOX_REFUSED: Final = _is_sandbox_refused()


def pytest_report_header(config: pytest.Config) -> str:
    """Say which of the two happened."""
    if IS_SANDBOX_REFUSED:
        return f"Chromium: without its sandbox, as with {UNSANDBOXED}=1: this kernel refuses it"
    return "Chromium: in its sandbox"
