"""The archiver: copies what is sealed into the archive."""

import asyncio
from typing import Any

import structlog

from deploy.observe.heartbeat import heartbeat
from deploy.processes.genesis import wait_for_genesis
from deploy.venue.paths import VenuePaths
from replay.archive.archiver import Archiver
from replay.archive.segments import SegmentFolder
from schemas.errors import StoreUnavailable
from streams.log.clock import SystemClock

_log = structlog.get_logger(__name__)


async def run(paths: VenuePaths, stop: asyncio.Event) -> None:
    """Archive until `stop`. Raises StoreUnavailable when the folder cannot be written."""
    log = await paths.log("archiver")
    archiver = Archiver(log, SystemClock(), SegmentFolder(paths.archive, paths.shard))

    def status() -> dict[str, Any]:
        hint = {"same_disk": True} if paths.archive_shares_disk else {}
        return {**archiver.status(), **hint}

    try:
        async with heartbeat(paths, "archiver", status):
            if await wait_for_genesis(log, stop):
                await archiver.tick()
                if paths.archive_shares_disk:
                    _log.warning("on the disk of the log: set EVERYTHING_ARCHIVE to another")
            while not stop.is_set():
                await archiver.tick()
    except OSError as error:
        raise StoreUnavailable(f"the archive cannot be written: {error}") from error
    finally:
        await archiver.close()
        await log.close()
