"""The projector: folds records into Postgres."""

import asyncio

from deploy.observe.heartbeat import heartbeat
from deploy.processes.until_stopped import until
from deploy.venue.paths import Place, writer_name
from projections.store.projector import Projector


async def run(place: Place, stop: asyncio.Event) -> None:
    """Project until `stop`."""
    log = await place.log("projector")
    try:
        projector = Projector(log, place.database_url, writer=writer_name())
        async with heartbeat(place, "projector", projector.status):
            await until(stop, projector.run())
    finally:
        await log.close()
