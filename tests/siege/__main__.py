"""`python -m tests.siege`: every attack of a stranger at once, beside honest traders."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.siege.report import bounds, report
from tests.siege.run import SiegePlan, lay_siege


def main() -> int:
    """Run, print the tables, and return 0 only if every bound holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.siege", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=60, help="of attack; well-behaved clients have half (60)"
    )
    parser.add_argument("--rounds", type=int, help="in which both take turns (one each 5 minutes)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10_000)
    parser.add_argument("--keep", type=Path, help="the venue's folder, kept afterwards")
    given = parser.parse_args()
    rounds = given.rounds or max(1, round(given.minutes / 5))
    plan = SiegePlan(given.minutes * 60, rounds, given.seed)
    with tempfile.TemporaryDirectory(prefix="everything-siege-") as folder:
        home = given.keep or Path(folder) / "home"
        found = lay_siege(home, Path(folder), plan, lambda text: print(text, flush=True))
    print("\n".join(["", *report(found)]))
    for kind, examples in found.reckoning.wrong.items():
        print(f"WRONG {kind}: {'; '.join(examples[:5])}")
    failed = [one.what for one in bounds(found) if not one.holds]
    print(f"DOES NOT HOLD: {'; '.join(failed)}" if failed else "EVERY BOUND HOLDS")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
