"""The processes that fetch, put together: scheduler, fetcher and browser.

Each is made with the log, run with a connected Bus of its role until it is told to stop,
and tells a heartbeat how it does.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from schemas import subjects
from schemas.sources import Source
from streams.ingest.fetching.fetcher import Fetcher, Means
from streams.ingest.fetching.guard import SystemResolver
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.polite import Fetched, Polite
from streams.ingest.fetching.rendering import Renderer
from streams.ingest.jobs.nats_ports import NatsJobs, NatsRawStore
from streams.ingest.jobs.ports import Queue
from streams.ingest.jobs.registry import Following
from streams.ingest.jobs.scheduler import Scheduler
from streams.ingest.jobs.services import Bus, Consumer
from streams.ingest.limits import FETCHES_AT_ONCE, JOB_ACK_S
from streams.ingest.sources.reader import Reader
from streams.log.ports import Clock, Log
from streams.log.tasks import run_until_first_exits

RENDERS_AT_ONCE: Final = 2


class SchedulerService:
    """Runs the scheduler."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._scheduler: Scheduler | None = None

    async def run(self, bus: Bus, stop: asyncio.Event) -> None:
        """Ask for what is due until `stop`. Raises a Halt or an OperatingError."""
        self._scheduler = Scheduler(self._log, NatsJobs(bus, self._log.shard), self._clock)
        await run_until_first_exits(self._scheduler.run(), bus.serve(stop))

    def status(self) -> dict[str, Any]:
        """Return what a heartbeat says."""
        return self._scheduler.status() if self._scheduler is not None else {}


class _Fetching:
    """What fetcher and browser have in common."""

    queues: tuple[tuple[Queue, int], ...]
    renders = False

    def __init__(self, log: Log, clock: Clock, agent: Agent, *, has_browser: bool) -> None:
        self._log = log
        self._clock = clock
        self._has_browser = has_browser
        self._resolver = SystemResolver()
        self._reader = Reader()
        self._following = Following(log, clock)
        self._polite = Polite(agent, self._resolver, clock)
        self._fetcher: Fetcher | None = None

    async def _get(self, source: Source, url: str, who: str, headers: Mapping[str, str]) -> Fetched:
        """Get a document; see `fetcher.Get`."""
        return await self._polite.get(source, url, who=who, headers=headers)

    async def run(self, bus: Bus, stop: asyncio.Event) -> None:
        """Do jobs until `stop`. Raises a Halt or an OperatingError."""
        shard = self._log.shard
        self._fetcher = Fetcher(
            Means(
                log=self._log,
                jobs=NatsJobs(bus, shard),
                clock=self._clock,
                registry=self._following.registry,
                get=self._get,
                read=self._reader.read,
                raw=NatsRawStore(bus, shard),
                renders=self.renders,
                has_browser=self._has_browser,
            )
        )
        for queue, at_once in self.queues:
            consumer = Consumer(
                stream=subjects.jobs_stream(shard),
                durable=queue,
                subject=subjects.jobs(shard, queue),
                ack_wait_s=JOB_ACK_S,
            )
            bus.consume(consumer, self._fetcher.handle, at_once=at_once)
        try:
            await run_until_first_exits(self._following.run(), self._serve(bus, stop))
        finally:
            await self._close()

    async def _serve(self, bus: Bus, stop: asyncio.Event) -> None:
        await self._following.caught_up()
        await bus.serve(stop)

    async def _close(self) -> None:
        await self._reader.close()
        self._resolver.close()

    def status(self) -> dict[str, Any]:
        """Return what a heartbeat says."""
        return {"jobs": self._fetcher.done if self._fetcher is not None else 0}


class FetcherService(_Fetching):
    """Does the jobs that plain HTTP is enough for.

    With `has_browser` a page without text goes on to the browser's queue.
    """

    queues = (("source", FETCHES_AT_ONCE), ("page", FETCHES_AT_ONCE))


class BrowserService(_Fetching):
    """Does the jobs that take a browser, the program at `chromium`."""

    queues = (("browser", RENDERS_AT_ONCE),)
    renders = True

    def __init__(self, log: Log, clock: Clock, agent: Agent, *, chromium: str) -> None:
        super().__init__(log, clock, agent, has_browser=True)
        self._renderer = Renderer(self._polite, chromium)

    async def _get(self, source: Source, url: str, who: str, headers: Mapping[str, str]) -> Fetched:
        return await self._renderer.get(source, url, who)

    async def _close(self) -> None:
        await self._renderer.close()
        await super()._close()
