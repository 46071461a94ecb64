"""The scheduler: says which source is due to be fetched."""

import asyncio

from deploy.observe.heartbeat import heartbeat
from deploy.processes.genesis import founded
from deploy.venue.paths import Place
from streams.ingest.fetching.processes import SchedulerService
from streams.ingest.jobs.services import bus
from streams.log.clock import SystemClock


async def run(place: Place, stop: asyncio.Event) -> None:
    """Ask for what is due until `stop`."""
    log = await place.log("scheduler")
    try:
        service = SchedulerService(log, SystemClock())
        async with heartbeat(place, "scheduler", service.status):
            if await founded(log, stop):
                async with bus(place.settings.broker_url, **place.login("scheduler")) as it:
                    await service.run(it, stop)
    finally:
        await log.close()
