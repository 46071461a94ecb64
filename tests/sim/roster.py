"""The processes of a simulated venue: the real shells, given simulated ports."""

from functools import partial
from typing import Any

from deploy.limits import SCRUB_PAUSE_S
from deploy.processes.until_stopped import run_until_stopped
from deploy.venue.engines import engine_of
from engines.kernel import Engine
from projections.feeds.process import Feeds
from projections.store.projector import Projector
from schemas import signatures, subjects
from schemas.errors import OperatingError
from streams.host.host import EngineHost
from streams.host.scrub import scrub
from streams.log.appender import Appender
from tests.engines.governance.people import NOTARY
from tests.sim.life import Life
from tests.sim.world import DOORS, World


def engines() -> list[Engine[Any]]:
    """Return a fresh instance of every engine that there is."""
    found = []
    for name in subjects.ENGINES:
        try:
            found.append(engine_of(name, subjects.DEFAULT_SHARD))
        except KeyError:
            continue
    return found


def start_all(world: World) -> None:
    """Start every process."""
    for engine in engines():
        world.start(f"host-{engine.name}", partial(_host, engine.name))
    for name in DOORS:
        world.start(name, partial(_door, name))
    if "feed" in world.plan.workloads:
        world.start("feeds", _feeds)
    if "projection" in world.plan.workloads:
        world.start("projector", _projector)
    world.start("scrub", _scrub)


async def _host(name: str, world: World, life: Life) -> None:
    host: EngineHost[Any] = EngineHost(
        engine_of(name, subjects.DEFAULT_SHARD),
        world.connect(life),
        world.clock(f"host-{name}"),
        writer=life.name,
        snapshots=world.hand(life, name),
        sign=_sign if name == subjects.NOTARY else None,
        snapshot_every=world.snapshot_every,
    )
    life.host = host
    await host.run(life.stop)


async def _feeds(world: World, life: Life) -> None:
    log, feed = world.connect(life), world.connect_feed(life)
    feeds = Feeds(log, feed, world.clock("feeds"), writer=life.name)
    await run_until_stopped(life.stop, feeds.run())


async def _projector(world: World, life: Life) -> None:
    projector = Projector(world.connect(life), "", writer=life.name)
    await run_until_stopped(life.stop, projector.run())


async def _door(name: str, world: World, life: Life) -> None:
    appender = Appender(world.connect(life))
    world.open_door(name, life, appender)
    await life.stop.wait()
    await appender.close()


async def _scrub(world: World, life: Life) -> None:
    """Do as the notary's process does beside its host."""
    log, clock = world.connect(life), world.clock("scrub")
    while True:
        try:
            await scrub(log, clock)
        except OperatingError:
            world.trace.mark("scrub: begun again")
        await clock.sleep(SCRUB_PAUSE_S)


def _sign(data: bytes) -> str:
    return signatures.sign(NOTARY.seed, data)
