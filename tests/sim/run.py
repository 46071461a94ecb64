"""One run: set a world up, load it under faults, heal it, and see what has become of it."""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, Final
from unittest.mock import patch

import structlog

from projections.feeds.channels import PROGRESS
from projections.feeds.outbox import decode_progress
from schemas import subjects
from schemas.records import EVENT_MESSAGES
from tests.sim import bugs, checks, damage, roster, spells, swarm
from tests.sim.decisions import SYMBOLS, Decisions
from tests.sim.ingest import ASKERS, Ingest
from tests.sim.life import make_task
from tests.sim.orders import Orders, open_accounts
from tests.sim.plan import Plan, load
from tests.sim.result import Result
from tests.sim.reviews import Reviews
from tests.sim.trace import Trace
from tests.sim.world import World
from tests.simulated.virtual_time import simulate

PATIENCE_S: Final = 900.0
"""Virtual seconds within which a healed world must come to rest."""
CPU_S: Final = 40.0
LOAD_S: Final = 3_600.0
_LOOK_EVERY_S: Final = 2.0
_STILL: Final = 4
"""Looks in a row at which nothing has changed."""


def run(
    seed: int, plan: str, commands: int, *, bug: str = "", keep: bool = False, twice: bool = False
) -> Result:
    """Run one seed under one plan; with `twice`, compare two runs of it."""
    result = _run(seed, plan, commands, bug, keep)
    if twice and not result.failed:
        again = _run(seed, plan, commands, bug, False)
        result.twice = True
        if again.digest != result.digest:
            result.problems.append(
                f"two runs of seed {seed} differ: {result.steps} and {again.steps} steps"
            )
    return result


def plan_for(name: str, seed: int) -> Plan:
    """Return the plan called `name`: one that is written down, or one drawn from the seed."""
    return swarm.draw(seed) if name == swarm.NAME else load(name)


def _run(seed: int, name: str, commands: int, bug: str, keep: bool) -> Result:
    trace, plan, began = Trace(keep), plan_for(name, seed), time.process_time()
    result = Result(seed=seed, plan=name)
    with bugs.planted(bug):
        try:
            with _bounded():
                simulate(_world(seed, plan, commands, trace, result), trace.moved)
        except Exception as error:
            if plan.expected != "fail":
                result.problems.append(f"the run itself failed: {error!r}")
    result.marks, result.digest, result.steps = trace.marks, trace.digest, trace.steps
    result.lines, result.real_s = trace.lines, time.process_time() - began
    return result


async def _world(seed: int, plan: Plan, commands: int, trace: Trace, result: Result) -> None:
    loop = asyncio.get_running_loop()
    world = World(seed, plan, trace)
    loop.set_task_factory(make_task)
    loop.set_exception_handler(world.on_loop_error)
    with _listening(world), _patched(world):
        try:
            await _phases(world, commands, result)
        finally:
            await world.end()
        result.problems += world.problems
        result.virtual_s = loop.time()
        result.faults, result.deaths = dict(world.faults.drawn), world.deaths
        result.messages = world.server.last_sequence
        if plan.expected != "halt" and not world.problems:
            result.problems += await _checked(world)
        world.store.close()
    if plan.expected == "fail":
        result.problems = [] if result.problems else ["a fault that nobody survives was not found"]


async def _phases(world: World, commands: int, result: Result) -> None:
    roster.start_all(world)
    decisions = Decisions(world)
    await decisions.found()
    await open_accounts(world, decisions.venue_id)
    reviews = Reviews(world, decisions)
    await reviews.found()
    ingest = Ingest(world, decisions)
    if "ingest" in world.plan.workloads:
        await ingest.found()
    casting = spells.start_all(world)
    orders = Orders(world, commands, SYMBOLS)
    async with asyncio.timeout(LOAD_S):
        await asyncio.gather(*(one.drive() for one in (orders, decisions, reviews, ingest)))
    world.heal()
    await asyncio.gather(*casting)
    if "ingest" in world.plan.workloads:
        await _ingested(world, ingest)
    await _rest(world)
    await _alive(world, orders)
    result.account, problems = checks.account_for(world.sent, world.server.messages())
    result.problems += problems
    if world.plan.expected == "halt":
        await damage.inflict(world)
    else:
        for problem in checks.check_states(world):
            world.problem(problem)


async def _ingested(world: World, ingest: Ingest) -> None:
    """Wait until all that was published is measured; then let nobody ask for more."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + PATIENCE_S
    while not world.problems and (lacking := ingest.missing() or ingest.unmeasured()):
        await asyncio.sleep(_LOOK_EVERY_S)
        if loop.time() > ends:
            world.problem(f"ingest: {len(lacking)} never came, such as {lacking[0]!r}")
    for name in ASKERS:
        world.retire(name)


async def _alive(world: World, orders: Orders) -> None:
    """Send from every account once more: a healed world that rests must still decide."""
    loop = asyncio.get_running_loop()
    ends, last = loop.time() + PATIENCE_S, await orders.probe()
    while not world.problems and _decided(world) < last:
        await asyncio.sleep(_LOOK_EVERY_S)
        if loop.time() > ends:
            world.problem(f"liveness: {last} was acked, and nothing behind {_decided(world)}")
    await _rest(world)


def _decided(world: World) -> int:
    """Return the last command that the exchange has decided."""
    stored = world.server.last(subjects.events(subjects.DEFAULT_SHARD, subjects.EXCHANGE))
    return EVENT_MESSAGES.decode(stored.payload).last_input if stored else 0


async def _rest(world: World) -> None:
    """Wait until nothing happens any more; note what has not come to its end."""
    loop = asyncio.get_running_loop()
    ends, still, before = loop.time() + PATIENCE_S, 0, (-1, -1)
    while still < _STILL:
        await asyncio.sleep(_LOOK_EVERY_S)
        now = world.server.last_sequence, world.feed_server.last_sequence
        behind = _behind(world)
        still = still + 1 if now == before and not behind else 0
        before = now
        if world.problems:
            return
        if loop.time() > ends:
            world.problem(f"no rest after {PATIENCE_S:.0f} s: {behind or 'messages go on'}")
            return


def _behind(world: World) -> str:
    """Return who has not come to the end of what is there, or an empty text."""
    for process in world.processes.values():
        if not process.retired and (process.life is None or not process.life.alive):
            return f"{process.name} does not run"
    for name, host in world.hosts().items():
        status = host.status()
        if status["phase"] != "leader" or (name != subjects.NOTARY and status.get("lag")):
            return f"host of {name}: {status}"
    records = [m for m in map(world.server.last, _records()) if m is not None]
    last = max((message.sequence for message in records), default=0)
    projected = next(
        (m.sequence for m in reversed(world.server.messages()) if checks.is_projected(m.subject)), 0
    )
    if "projection" in world.plan.workloads and world.store.checkpoint() < projected:
        return f"projector at {world.store.checkpoint()} of {projected}"
    progress = world.feed_server.last(subjects.feed("main", PROGRESS))
    if "feed" in world.plan.workloads and (
        progress is None or decode_progress(progress.payload).log_sequence < last
    ):
        return f"feeds behind {last}"
    return ""


def _records() -> Iterator[str]:
    for name in subjects.ENGINES:
        yield subjects.events(subjects.DEFAULT_SHARD, name)


async def _checked(world: World) -> list[str]:
    problems = await checks.check_log(world)
    problems += checks.check_records(world)
    if problems:
        return problems
    if "feed" in world.plan.workloads:
        problems += checks.check_feed(world)
    if "projection" in world.plan.workloads:
        problems += await checks.check_projection(world)
    return problems


class Endless(Exception):
    """A run takes so long that something in it must go round and round."""


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """End a run that takes too much of the processor's time, where signals allow it."""

    def give_up(*_: Any) -> None:
        raise Endless(f"no end after {CPU_S} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def _listening(world: World) -> Iterator[None]:
    """Have the program's log lines come to the world."""
    before: dict[str, Any] = structlog.get_config()
    structlog.configure(processors=[world.on_log_line], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


@contextlib.contextmanager
def _patched(world: World) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for target, name, value in world.patches():
            stack.enter_context(patch.object(target, name, value))
        yield
