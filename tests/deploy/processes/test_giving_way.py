"""Who computes for long gives way, as a process and as the session that it is."""

import os
import subprocess
import sys
from pathlib import Path

from deploy.processes.names import NICENESS

GROUPS = Path("/proc/self/autogroup")
TELL = f"""
import os
from deploy.processes.giving_way import give_way
give_way({NICENESS})
print(os.nice(0))
print(open("{GROUPS}").read() if os.path.exists("{GROUPS}") else "")
"""


def told() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        start_new_session=True, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split("\n")


def test_a_hard_worker_is_nicer_than_who_started_it() -> None:
    assert int(told()[0]) == min(19, os.nice(0) + NICENESS)


def test_its_session_is_nicer_too_where_the_kernel_groups_by_them() -> None:
    assert told()[1].endswith(f" nice {NICENESS}") or not GROUPS.exists()
