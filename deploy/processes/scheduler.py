"""The scheduler: says which source is due to be fetched."""

import asyncio
from typing import Any

from deploy.limits import COUNT_JOBS_EVERY_S
from deploy.observe.heartbeat import heartbeat
from deploy.processes.genesis import wait_for_genesis
from deploy.venue.paths import VenuePaths
from schemas.errors import LogUnavailable
from streams.ingest.jobs.queue import NatsJobQueue
from streams.ingest.jobs.scheduler import Scheduler
from streams.ingest.jobs.services import Bus, bus
from streams.log.clock import SystemClock
from streams.log.ports import Clock, Log
from streams.log.tasks import run_until_first_exits


async def run(place: VenuePaths, stop: asyncio.Event) -> None:
    """Ask for what is due until `stop`."""
    log = await place.log("scheduler")
    try:
        service = SchedulerService(log, SystemClock())
        async with heartbeat(place, "scheduler", service.status):
            if await wait_for_genesis(log, stop):
                async with bus(place.settings.broker_url, **place.login("scheduler")) as it:
                    await service.run(it, stop)
    finally:
        await log.close()


class SchedulerService:
    """Runs a scheduler on the queue behind a Bus."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._scheduler: Scheduler | None = None
        self._waiting: dict[str, int] = {}

    def status(self) -> dict[str, Any]:
        """Return what a heartbeat says: also how many jobs wait, or are being done."""
        asked = self._scheduler.status() if self._scheduler is not None else {}
        return {**asked, **self._waiting}

    async def run(self, bus: Bus, stop: asyncio.Event) -> None:
        """Ask for what is due until `stop`. Raises a Halt or an OperatingError."""
        jobs = NatsJobQueue(bus.client, self._log.shard)
        self._scheduler = Scheduler(self._log, jobs, self._clock)
        await run_until_first_exits(self._scheduler.run(), self._count(jobs), bus.serve(stop))

    async def _count(self, jobs: NatsJobQueue) -> None:
        while True:
            try:
                waiting = await jobs.waiting()
                self._waiting = {f"waiting_{queue}": count for queue, count in waiting.items()}
            except LogUnavailable:
                self._waiting = {}  # better no count than an old one
            await self._clock.sleep(COUNT_JOBS_EVERY_S)
