"""The host of one engine. At most one is leader; a newcomer takes over at once."""

import asyncio
from functools import partial
from typing import Any

import structlog

from deploy.limits import SCRUB_PAUSE_S
from deploy.observe.heartbeat import heartbeat
from deploy.venue import keys
from deploy.venue.engines import engine_of
from deploy.venue.paths import NOTARY_KEY, VenuePaths, writer_name
from schemas import signatures, subjects
from schemas.errors import OperatingError
from streams.host.gc_control import ManualCollection
from streams.host.host import EngineHost
from streams.host.scrub import scrub
from streams.host.snapshots import SnapshotFolder
from streams.log.clock import SystemClock
from streams.log.ports import Clock, Log
from streams.log.tasks import run_until_first_exits

_log = structlog.get_logger(__name__)


async def run(paths: VenuePaths, name: str, stop: asyncio.Event) -> None:
    """Host the engine `name` until `stop`."""
    role = f"engine-{name}"
    log, clock = await paths.log(role), SystemClock()
    try:
        host: EngineHost[Any] = EngineHost(
            engine_of(name, paths.shard),
            log,
            clock,
            writer=writer_name(),
            snapshots=SnapshotFolder(paths.home.snapshots, name),
            sign=_signer(paths) if name == subjects.NOTARY else None,
            collection=ManualCollection(),
        )
        async with heartbeat(paths, role, host.status):
            if name == subjects.NOTARY:
                await run_until_first_exits(_scrubbing(log, clock), host.run(stop))
            else:
                await host.run(stop)
    finally:
        await log.close()


async def _scrubbing(log: Log, clock: Clock) -> None:
    """Scrub the log for ever. Raises only a Halt: what passes is tried again."""
    while True:
        try:
            await scrub(log, clock)
        except OperatingError as error:
            _log.warning("scrub interrupted", code=error.code, reason=str(error))
        await clock.sleep(SCRUB_PAUSE_S)


def _signer(paths: VenuePaths) -> "partial[str]":
    return partial(signatures.sign, keys.ensure(paths.home.keys, NOTARY_KEY))
