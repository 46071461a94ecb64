"""The archiver: copies what is sealed into the archive."""

import asyncio
from typing import Any

import structlog

from deploy.observe.heartbeat import heartbeat
from deploy.processes.genesis import founded
from deploy.venue.paths import Place
from replay.archive.archiver import Archiver
from replay.archive.segments import SegmentFolder
from schemas.errors import StoreUnavailable
from streams.log.clock import SystemClock

_log = structlog.get_logger(__name__)


async def run(place: Place, stop: asyncio.Event) -> None:
    """Archive until `stop`. Raises StoreUnavailable when the folder cannot be written."""
    log = await place.log("archiver")
    archiver = Archiver(log, SystemClock(), SegmentFolder(place.archive, place.shard))

    def status() -> dict[str, Any]:
        hint = {"same_disk": True} if place.archive_shares_disk else {}
        return {**archiver.status(), **hint}

    try:
        async with heartbeat(place, "archiver", status):
            if await founded(log, stop):
                await archiver.tick()
                if place.archive_shares_disk:
                    _log.warning("on the disk of the log: set EVERYTHING_ARCHIVE to another")
            while not stop.is_set():
                await archiver.tick()
    except OSError as error:
        raise StoreUnavailable(f"the archive cannot be written: {error}") from error
    finally:
        await archiver.close()
        await log.close()
