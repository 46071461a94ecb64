"""Spells: what comes over the world from time to time, until it is healed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tests.sim.plan import Spell
from tests.sim.world import Process, World
from tests.simulated.log import SimulatedLog, SimulatedServer

MILLISECONDS: Final = 1_000
NANOSECONDS_PER_MS: Final = 1_000_000
_DOUBLED: Final = ("host-", "feeds", "projector")
"""Processes of which there must never be two, and so sometimes are."""


def start_all(world: World) -> list["asyncio.Task[None]"]:
    """Let the plan's spells begin."""
    loop = asyncio.get_running_loop()
    return [
        loop.create_task(_again_and_again(world, _SPELLS[name], spell))
        for name, spell in world.plan.spells.items()
    ]


async def _again_and_again(
    world: World, cast: Callable[[World, Spell], Awaitable[None]], spell: Spell
) -> None:
    while not world.healed:
        await asyncio.sleep(world.dice.uniform(*spell.every_s))
        if not world.healed:
            await cast(world, spell)


def _lasts_s(world: World, spell: Spell) -> float:
    return world.dice.randint(*spell.lasts_ms) / MILLISECONDS


def _one(world: World, only: tuple[str, ...]) -> Process:
    return world.dice.choice(
        [process for name, process in world.processes.items() if name.startswith(only)]
    )


async def _restart(world: World, server: SimulatedServer, spell: Spell) -> None:
    world.trace.note(f"SPELL      the server of {server.shard} is down")
    server.stop()
    await asyncio.sleep(_lasts_s(world, spell))
    server.start()


async def _server_restart(world: World, spell: Spell) -> None:
    await _restart(world, world.server, spell)


async def _feed_restart(world: World, spell: Spell) -> None:
    await _restart(world, world.feed_server, spell)


async def _disk_full(world: World, spell: Spell) -> None:
    server = world.dice.choice((world.server, world.server, world.feed_server))
    world.trace.note(f"SPELL      the disk of {server.shard} is full")
    server.full = True
    await asyncio.sleep(_lasts_s(world, spell))
    server.full = False


async def _zombie(world: World, spell: Spell) -> None:
    process = _one(world, _DOUBLED)
    world.trace.note(f"SPELL      a second {process.name}")
    await world.second(process, _lasts_s(world, spell))


async def _stall(world: World, spell: Spell) -> None:
    """Stop a process, let another take its place, and let the first go on."""
    process = _one(world, _DOUBLED)
    life = process.life
    if life is None or not life.alive:
        return
    world.trace.note(f"SPELL      {life.name} is stopped")
    stalled = [log for log in life.connections if isinstance(log, SimulatedLog)]
    for log in stalled:
        log.stall()
    loop = asyncio.get_running_loop()
    second = loop.create_task(world.second(process, 2 * _lasts_s(world, spell)))
    await asyncio.sleep(_lasts_s(world, spell))
    for log in stalled:
        log.resume()
    await second


async def _clock_jump(world: World, spell: Spell) -> None:
    process = _one(world, ("host-", "feeds"))
    milliseconds = world.dice.randint(*spell.lasts_ms) * world.dice.choice((-1, 1))
    world.trace.note(f"SPELL      the clock of {process.name} jumps by {milliseconds} ms")
    world.clock(process.name).jump(milliseconds * NANOSECONDS_PER_MS)


async def _stop(world: World, spell: Spell) -> None:
    process = _one(world, ("host-", "feeds", "projector", "door-"))
    if process.life is not None:
        world.trace.note(f"SPELL      {process.life.name} is told to stop")
        process.life.stop.set()


_SPELLS: Final[dict[str, Callable[[World, Spell], Awaitable[None]]]] = {
    "server_restart": _server_restart,
    "feed_restart": _feed_restart,
    "disk_full": _disk_full,
    "zombie": _zombie,
    "stall": _stall,
    "clock_jump": _clock_jump,
    "stop": _stop,
}
