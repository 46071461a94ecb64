"""Run the simulation: `python -m tests.sim`, or `--help` for one seed, a bug, or all bugs.

Exit code 0: nothing was found, every run that was made twice had one trace, and every
recovery path was taken. 1: something was found. With `--bugs`: 0 when every bug was found.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Final

from tests.sim import plan as plans
from tests.sim import swarm
from tests.sim.bugs import MAX_SEEDS, all_bugs
from tests.sim.report import Totals, command, failure
from tests.sim.result import Result
from tests.sim.run import plan_for, run

ALL_SEEDS: Final = 320
TWICE_EVERY: Final = 20
"""5% of the seeds run twice."""
_SAY_EVERY_S: Final = 10.0
_COMMANDS_OF_BUGS: Final = 300


def plan_of(seed: int) -> str:
    """Return the plan that a seed takes if none is named."""
    names = plans.in_turn()
    # Every second seed draws its own; the others take in turn what is written down.
    return swarm.NAME if seed % 2 else names[seed // 2 % len(names)]


def main() -> int:
    """Run what the command line asks for and return the exit code."""
    options = _options()
    if options.bugs:
        return _find_all(options)
    if options.seed is not None:
        return _one(options)
    return _many(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=ALL_SEEDS, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--commands", type=int, help="orders and cancels in each run")
    parser.add_argument(
        "--plan", choices=[*plans.names(), swarm.NAME], help="one plan instead of all in turn"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, help="run this seed only")
    parser.add_argument("--trace", action="store_true", help="print what happened in that run")
    parser.add_argument("--bug", choices=all_bugs(), default="", help="with this bug planted")
    parser.add_argument("--bugs", action="store_true", help="look for every planted bug")
    return parser.parse_args()


def _one(options: argparse.Namespace) -> int:
    name = options.plan or _plan_with(options.bug, options.seed)
    commands = options.commands or 2_000
    twice = not options.trace and options.seed % TWICE_EVERY == 0
    result = run(options.seed, name, commands, bug=options.bug, keep=options.trace, twice=twice)
    for line in result.lines:
        print(line)
    totals = Totals()
    totals.add(result)
    print(f"plan {name}: {plan_for(name, options.seed).about}")
    print(f"options: {swarm.options(plan_for(name, options.seed))}")
    print(f"again: {command(result, commands, options.bug)}")
    print(*totals.lines(), f"trace {result.digest}", sep="\n")
    if result.failed:
        print(failure(result, commands, options.bug))
    return int(result.failed)


def _plan_with(bug: str, seed: int) -> str:
    return all_bugs()[bug].plan if bug else plan_of(seed)


def _many(options: argparse.Namespace) -> int:
    commands, totals, began = options.commands or 2_000, Totals(), time.monotonic()
    said = began
    for result in _results(options, commands):
        totals.add(result)
        if result.failed:
            print(failure(result, commands, options.bug), flush=True)
        if time.monotonic() - said > _SAY_EVERY_S:
            said = time.monotonic()
            print(
                f"{totals.runs} of {options.seeds} runs, {len(totals.failures)} failed, "
                f"{said - began:.0f} s",
                flush=True,
            )
    print(*totals.lines(), sep="\n")
    # A few seeds cannot take every path.
    missed = totals.never_taken() if options.seeds >= ALL_SEEDS and not options.plan else []
    for path in missed:
        print(f"never taken: {path}")
    print(f"{len(totals.failures)} of {totals.runs} failed, {time.monotonic() - began:.0f} s")
    return int(bool(totals.failures or missed))


def _results(options: argparse.Namespace, commands: int) -> Iterator[Result]:
    with ProcessPoolExecutor(options.workers) as pool:
        seeds = range(options.first, options.first + options.seeds)
        futures = [
            pool.submit(
                run,
                seed,
                options.plan or plan_of(seed),
                commands,
                bug=options.bug,
                twice=seed % TWICE_EVERY == 0,
            )
            for seed in seeds
        ]
        for future in as_completed(futures):
            yield future.result()


def find(name: str, commands: int = _COMMANDS_OF_BUGS, seeds: int = MAX_SEEDS) -> Result | None:
    """Return the first run in which a planted bug is found, None if it never is."""
    for seed in range(seeds):
        twice = seed % TWICE_EVERY == 0
        result = run(seed, all_bugs()[name].plan, commands, bug=name, twice=twice)
        if result.failed:
            return result
    return None


def _find_all(options: argparse.Namespace) -> int:
    commands, missed = options.commands or _COMMANDS_OF_BUGS, []
    with ProcessPoolExecutor(options.workers) as pool:
        futures = {
            pool.submit(find, name, commands): name
            for name in all_bugs()
            if not options.bug or options.bug == name
        }
        for future in as_completed(futures):
            name, result = futures[future], future.result()
            if result is None:
                missed.append(name)
                print(f"{name:22} not found in {MAX_SEEDS} seeds", flush=True)
                continue
            seen = result.problems[0].splitlines()[0][:150]
            print(f"{name:22} seed {result.seed:3}, plan {result.plan}: {seen}", flush=True)
    canary = run(0, "canary", commands)
    print(f"{'the canary':22} {'lived' if canary.failed else 'died, as it must'}")
    return int(bool(missed) or canary.failed)


if __name__ == "__main__":
    sys.exit(main())
