"""The projector: folds records into Postgres."""

import asyncio

from deploy.observe.heartbeat import heartbeat
from deploy.processes.until_stopped import run_until_stopped
from deploy.venue.paths import VenuePaths, writer_name
from projections.store.projector import Projector


async def run(paths: VenuePaths, stop: asyncio.Event) -> None:
    """Project until `stop`."""
    log = await paths.log("projector")
    try:
        projector = Projector(log, paths.database_url, writer=writer_name())
        async with heartbeat(paths, "projector", projector.status):
            await run_until_stopped(stop, projector.run())
    finally:
        await log.close()
