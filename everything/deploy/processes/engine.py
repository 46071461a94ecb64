"""The host of one engine. At most one is in office; a newcomer takes over at once."""

import asyncio
from functools import partial
from typing import Any

from everything.deploy import keys
from everything.deploy.engines import engine_of
from everything.deploy.heartbeat import heartbeat
from everything.deploy.place import NOTARY_KEY, Place, writer_name
from everything.schemas import signatures, subjects
from everything.streams.log.clock import SystemClock
from everything.streams.log.host import EngineHost
from everything.streams.log.memory import ManualCollection
from everything.streams.log.snapshots import SnapshotFolder


async def run(place: Place, name: str, stop: asyncio.Event) -> None:
    """Host the engine `name` until `stop`."""
    role = f"engine-{name}"
    log = await place.log(role)
    try:
        host: EngineHost[Any] = EngineHost(
            engine_of(name, place.shard),
            log,
            SystemClock(),
            writer=writer_name(),
            snapshots=SnapshotFolder(place.home.snapshots, name),
            sign=_signer(place) if name == subjects.NOTARY else None,
            collection=ManualCollection(),
        )
        async with heartbeat(place, role, host.status):
            await host.run(stop)
    finally:
        await log.close()


def _signer(place: Place) -> "partial[str]":
    return partial(signatures.sign, keys.ensure(place.home.keys, NOTARY_KEY))
