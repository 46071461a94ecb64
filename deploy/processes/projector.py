"""The projector: folds records into Postgres."""

import asyncio

from deploy.heartbeat import heartbeat
from deploy.place import Place, writer_name
from deploy.processes.until import until
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
