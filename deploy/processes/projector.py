"""The projector: folds records into Postgres.

Where another release made the tables that are read, it builds this version's beside them first,
and follows the log into those once they are live.
"""

import asyncio
from typing import Any

from deploy.observe.heartbeat import heartbeat
from deploy.processes.until_stopped import run_until_stopped
from deploy.venue.paths import VenuePaths, writer_name
from projections.store.beside import BesideBuilder
from projections.store.projector import Projector
from schemas.errors import SchemaDrift
from streams.log.ports import Log


class _Projecting:
    """Builds beside, projects, and builds beside again after the tables were rolled back."""

    def __init__(self, log: Log, dsn: str) -> None:
        self._log = log
        self._dsn = dsn
        self._beside = BesideBuilder(log, dsn)
        self._projector: Projector | None = None

    def status(self) -> dict[str, Any]:
        return (self._projector or self._beside).status()

    async def run(self) -> None:
        while True:
            await self._beside.run()
            self._projector = Projector(self._log, self._dsn, writer=writer_name())
            try:
                await self._projector.run()
            except SchemaDrift:
                if not await self._beside.is_needed():
                    raise
                self._projector = None


async def run(paths: VenuePaths, stop: asyncio.Event) -> None:
    """Project until `stop`."""
    log = await paths.log("projector")
    try:
        projecting = _Projecting(log, paths.database_url)
        async with heartbeat(paths, "projector", projecting.status):
            await run_until_stopped(stop, projecting.run())
    finally:
        await log.close()
