"""`python -m tests.fuzz --minutes N`: fuzz every door again and again, with new seeds.

What fails is kept by hypothesis under `.hypothesis`, so the ordinary tests try it first.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.fuzz.budget import TIMES_VARIABLE

FOLDER: Final = Path(__file__).parent
TIMES: Final = 10
SETUP_S: Final = 120
"""What may pass beyond a round's own time before it is ended."""


def main() -> int:
    """Run rounds until time is up; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = parser.parse_args()
    ends = time.monotonic() + 60 * given.minutes
    modules = sorted(FOLDER.glob("test_*.py"))
    rounds = 0
    while time.monotonic() < ends:
        seed = given.seed + rounds // len(modules)
        module = modules[rounds % len(modules)]
        print(f"==> {module.name}, seed {seed}", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-o", "timeout=0"]
        command += [f"--hypothesis-seed={seed}", str(module)]
        done = subprocess.run(
            command,
            cwd=FOLDER.parents[1],
            env={**os.environ, TIMES_VARIABLE: str(TIMES)},
            timeout=60 * given.minutes + SETUP_S,
            check=False,
        )
        if done.returncode:
            return 1
        rounds += 1
    print(f"{rounds} rounds, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
