"""Damage to the log itself, and who must notice: the documented halt, and never a skip.

| damage     | what is done                               | who must halt, and how        |
|------------|--------------------------------------------|-------------------------------|
| `flip`     | one bit of a sealed record                 | scrub, feeds: 72 or 74        |
| `gap`      | a sealed record is gone                    | scrub 73, feeds 72            |
| `unknown`  | what no version wrote stands as a record   | all who read records: 74      |
| `truncate` | the end of the log is gone                 | all who had read that far: 72 |
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from replay.verify.verify import verify
from schemas import subjects
from schemas.errors import Halt, LogDiverged, LogGap, UnknownRecord
from schemas.stored import Stored
from tests.sim.roster import engines
from tests.sim.world import World

PATIENCE_S: Final = 120.0

_READERS_OF_GOVERNANCE: Final = ("host-governance", "host-exchange", "feeds", "projector")
_UNKNOWN: Final = (
    b"not JSON at all",
    b'{"type":"record/99"}',
    b'{"type":"record/1","engine":"governance"}',
)


class Expected(NamedTuple):
    """Who must halt, and the codes with which anyone may."""

    must: tuple[str, ...]
    codes: tuple[type[Halt], ...]
    is_found_by_verify: bool = True


async def inflict(world: World) -> None:
    """Damage the log, start every process again, and see who halts."""
    kind = world.dice.choice(world.plan.damage)
    world.damaged = True
    expected = _DAMAGE[kind](world)
    world.trace.mark(f"damage: {kind}")
    world.kill_all()
    loop = asyncio.get_running_loop()
    ends = loop.time() + PATIENCE_S
    waiting = list(expected.must)
    while loop.time() < ends and waiting:
        await asyncio.sleep(1.0)
        waiting = [name for name in waiting if not world.processes[name].ended]
    _judge(world, kind, expected)
    if expected.is_found_by_verify:
        report = await verify(world.server.connect("verify"), engines())
        if not report.findings and not report.unable:
            world.problem(f"{kind}: verify finds nothing")


def _judge(world: World, kind: str, expected: Expected) -> None:
    for name, process in world.processes.items():
        halt = process.halt
        if halt is None and name in expected.must:
            world.problem(f"{kind}: {name} goes on")
        elif halt is not None and not isinstance(halt, expected.codes):
            world.problem(f"{kind}: {name} halted with {halt.code}: {halt}")


def _sealed_record(world: World) -> Stored:
    """Return a record of the exchange that is under a seal, and none of the first or last."""
    subject = subjects.events("main", subjects.EXCHANGE)
    seal = world.server.last(subjects.events("main", subjects.NOTARY))
    assert seal is not None
    records = [
        message
        for message in world.server.messages()
        if message.subject == subject and message.sequence < seal.sequence - 50
    ]
    return world.dice.choice(records[1:])


def _flip(world: World) -> Expected:
    record = _sealed_record(world)
    place = world.dice.randrange(len(record.payload))
    changed = bytes([record.payload[place] ^ 1 << world.dice.randrange(8)])
    world.server.replace(
        record.sequence, record.payload[:place] + changed + record.payload[place + 1 :]
    )
    return Expected(("scrub", "feeds"), (LogDiverged, UnknownRecord))


def _gap(world: World) -> Expected:
    world.server.lose(_sealed_record(world).sequence)
    return Expected(("scrub", "feeds"), (LogGap, LogDiverged))


def _unknown(world: World) -> Expected:
    payload = world.dice.choice(_UNKNOWN)
    world.server.store([(subjects.events("main", subjects.GOVERNANCE), payload)])
    return Expected(_READERS_OF_GOVERNANCE, (UnknownRecord,))


def _truncate(world: World) -> Expected:
    last = world.server.last(subjects.events("main", subjects.EXCHANGE))
    assert last is not None
    world.server.truncate(last.sequence - world.dice.randint(1, 20))
    return Expected(("host-exchange", "feeds", "projector"), (LogDiverged,), False)


_DAMAGE: Final[dict[str, Callable[[World], Expected]]] = {
    "flip": _flip,
    "gap": _gap,
    "unknown": _unknown,
    "truncate": _truncate,
}
