"""The simulation itself: a short run of every plan, and proof that it can fail."""

import os
import subprocess
import sys
from unittest.mock import patch

import pytest

from tests.sim import plan as plans
from tests.sim import swarm
from tests.sim.__main__ import find, plan_of
from tests.sim.bugs import all_bugs
from tests.sim.orders import Orders
from tests.sim.report import PATHS, Totals, failure
from tests.sim.result import Result
from tests.sim.run import run

COMMANDS = 300
SEEDS = range(12)
MORE_SEEDS = range(100, 140)


def short(seed: int) -> Result:
    return run(seed, plan_of(seed), COMMANDS, twice=seed == 7)


def test_one_seed_of_the_worst_plan() -> None:
    result = run(1, "storm", 100, keep=True)
    assert not result.failed, failure(result, 100)
    assert result.account.lost == result.account.doubled == 0
    assert result.account.present >= result.account.acknowledged >= 100
    text = "\n".join(result.lines)
    for word in ("starts     host-exchange#", "stored     1 main.cmd.admin", "HEALED", "SPELL"):
        assert word in text


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_short_run(seed: int) -> None:
    result = short(seed)
    assert not result.failed, failure(result, COMMANDS)
    assert result.twice == (seed == 7)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=pytest.mark.xdist_group(f"sim-{seed // 2 % 2}"))
        for seed in MORE_SEEDS
    ],
)
def test_one_more_run(seed: int) -> None:
    result = run(seed, plan_of(seed), COMMANDS, twice=seed % 10 == 0)
    assert not result.failed, failure(result, COMMANDS)


def test_the_canary_dies() -> None:
    assert not run(0, "canary", 100).failed, "a fault that nobody survives was not found"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", ["cent_kept", "not_deterministic", "unfenced", "numbers_reused", "unknown_ignored"]
)
def test_a_planted_bug_is_found(name: str) -> None:
    found = find(name, 200, 40)
    assert found is not None, f"{name} was not found"
    assert found.problems
    assert f"--bug {name} --trace" in failure(found, 200, name)


def test_a_bug_is_gone_when_its_run_is_over() -> None:
    assert run(0, "calm", 50, bug="input_dropped").failed
    assert not run(0, "calm", 50).failed


def test_every_plan_can_be_read_and_every_bug_has_one() -> None:
    for name in plans.names():
        assert plans.load(name).about
    assert len(all_bugs()) >= 12
    assert {bug.plan for bug in all_bugs().values()} <= set(plans.names())
    assert {plan_of(seed) for seed in range(100)} == {*plans.in_turn(), swarm.NAME}


def test_a_drawn_plan_is_the_seeds_own_and_names_what_it_leaves_out() -> None:
    plans_drawn = [swarm.draw(seed) for seed in range(50)]
    assert plans_drawn[7] == swarm.draw(7) != swarm.draw(8)
    told = [swarm.options(plan) for plan in plans_drawn]
    for kind in ("disk_full", "kills", "snapshots", "store", "lost_e4"):
        assert 0 < sum(f'"{kind}"' in options for options in told) < len(told), kind
    found = failure(Result(seed=7, plan=swarm.NAME, problems=["x"]), 300)
    assert f"options: {told[7]}\n  again: python -m tests.sim --seed 7 --plan swarm" in found


def test_a_venue_that_no_longer_decides_is_found() -> None:
    """The phase after the heal: all is quiet, and a command is acked, and nothing comes of it."""
    with patch.object(Orders, "probe", _ahead):
        result = run(0, "calm", 50)
    assert any(problem.startswith("liveness: ") for problem in result.problems), result.problems


async def _ahead(orders: Orders) -> int:
    return 10**9


def test_paths_that_were_never_taken_are_named() -> None:
    totals = Totals()
    totals.add(Result(seed=1, plan="calm", marks={PATHS[0]: 2}))
    assert totals.never_taken() == list(PATHS[1:])
    assert any(PATHS[0] in line for line in totals.lines())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 5])
def test_one_seed_is_one_run_in_every_process(seed: int) -> None:
    """Who gives a seed to somebody else gives them the run."""
    traces = {_trace(seed, {"PYTHONHASHSEED": "1"})}
    traces.add(_trace(seed, {"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"}))
    assert len(traces) == 1


def _trace(seed: int, environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "tests.sim", "--seed", str(seed), "--commands", "200"]
    told = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, check=True, text=True
    ).stdout
    return next(line for line in told.splitlines() if line.startswith("trace "))
