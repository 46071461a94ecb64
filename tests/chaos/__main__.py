"""`python -m tests.chaos`: kill every process of a venue under load and account for it all."""

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.chaos.restoring import Kept, check_restored, keep
from tests.chaos.run import Chaos, Plan, halts
from tests.chaos.trading import Load
from tests.support.venue import Venue


def main() -> int:
    """Run, print the table, and return 0 only if all of it adds up."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each main process (20)")
    parser.add_argument("--other-kills", type=int, default=5, help="of each other process (5)")
    parser.add_argument("--rate", type=int, default=1_200, help="commands per second (1200)")
    parser.add_argument("--seconds", type=float, default=0, help="go on for at least this long")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10_000)
    parser.add_argument("--keep", type=Path, help="the venue's folder, kept afterwards")
    given = parser.parse_args()
    load = Load(rate=given.rate, seed=given.seed)
    plan = Plan(given.kills, given.other_kills, given.seconds, load)
    print(f"seed {load.seed}: {len(load.accounts)} traders, {load.symbols} markets", flush=True)
    with tempfile.TemporaryDirectory(prefix="everything-chaos-") as folder:
        venue = Venue(given.keep or Path(folder) / "home")
        venue.start()
        kept: Kept | None = None
        chaos = Chaos(venue, plan, lambda text: print(text, flush=True))
        try:
            asyncio.run(chaos.run())
            kept = keep(venue, Path(folder) / "archive")
        except Exception as error:  # whatever it is, what was counted so far must be told
            traceback.print_exc()
            chaos.reckoning.blame("the run ended", repr(error)[:200])
        finally:
            code = venue.stop()
        try:
            if kept is not None:
                check_restored(kept, Path(folder) / "restored", chaos.reckoning, print)
        except Exception as error:
            traceback.print_exc()
            chaos.reckoning.blame("was not restored", repr(error)[:200])
        for line in halts(venue):
            chaos.reckoning.blame("a process halted", line)
        if code or venue.leftovers():
            chaos.reckoning.blame("did not stop well", f"exit {code}, {venue.leftovers()}")
    print("\n".join(["", *chaos.kills.lines(), "", *chaos.reckoning.lines()]))
    print("ALL ACCOUNTED FOR" if chaos.reckoning.sound else "NOT SOUND")
    return 0 if chaos.reckoning.sound else 1


if __name__ == "__main__":
    sys.exit(main())
