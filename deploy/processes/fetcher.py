"""The fetcher, over HTTP, and the browser, here or elsewhere: processes that do jobs alike.

This is where a fetcher is put together: the guarded HTTP client behind robots.txt and
throttle, the child process that reads documents, the registry of sources, the queue and
the log. Nothing in `streams` builds these for itself.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from deploy.observe.heartbeat import heartbeat
from deploy.processes.genesis import wait_for_genesis
from deploy.venue.paths import VenuePaths
from schemas import subjects
from schemas.errors import InputError
from schemas.jobs import QueueName
from schemas.runners import RUNNERS
from schemas.sources import Source
from streams.ingest.fetching.desk import Desk, desk_responder
from streams.ingest.fetching.fetcher import Downloader, Fetcher, FetcherDeps
from streams.ingest.fetching.guard import SystemResolver
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.observing import FetchJournal
from streams.ingest.fetching.polite import Fetched, Polite
from streams.ingest.fetching.raw_store import NatsRawStore
from streams.ingest.jobs.queue import NatsJobQueue
from streams.ingest.jobs.registry import SourceRegistry
from streams.ingest.jobs.services import Bus, Consumer, bus
from streams.ingest.limits import FETCHES_AT_ONCE, JOB_ACK_S, RUNNERS_ASKING
from streams.ingest.sources.model import Document, Item
from streams.ingest.sources.reader import DocumentReader
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog
from streams.log.ports import Clock, Log
from streams.log.tasks import run_until_first_exits

BROWSER = "browser"
RENDERS_AT_ONCE: Final = 2


async def run(place: VenuePaths, name: str, stop: asyncio.Event) -> None:
    """Do jobs as the process `name` until `stop`. Raises InputError without a browser."""
    log = await place.log(name)
    try:
        service = _service(place, name, log)
        async with heartbeat(place, name, service.status):
            if await wait_for_genesis(log, stop):
                async with bus(place.settings.broker_url, **place.login(name)) as it:
                    await service.run(it, stop)
    finally:
        await log.close()


def _service(place: VenuePaths, name: str, log: NatsLog) -> "FetcherService":
    settings, clock = place.settings, SystemClock()
    agent = Agent(user_agent=settings.user_agent, sender=settings.from_address)
    chromium = settings.browser
    if name != BROWSER:
        return FetcherService(log, clock, agent, has_browser=settings.renders)
    if settings.render == "elsewhere":
        return DeskService(log, clock, agent, has_browser=True)
    if chromium is None:
        raise InputError("no Chromium is found: set EVERYTHING_CHROMIUM")
    sandboxed = not settings.browser_unsandboxed
    return BrowserService(log, clock, agent, chromium=str(chromium), sandboxed=sandboxed)


class FetcherService:
    """Does the jobs that plain HTTP is enough for.

    With `has_browser` a page without text goes on to the browser's queue.
    """

    queues: tuple[tuple[QueueName, int], ...] = (
        ("source", FETCHES_AT_ONCE),
        ("page", FETCHES_AT_ONCE),
    )
    renders = False

    def __init__(self, log: Log, clock: Clock, agent: Agent, *, has_browser: bool) -> None:
        self._log = log
        self._clock = clock
        self._has_browser = has_browser
        self._resolver = SystemResolver()
        self._reader = DocumentReader()
        self._registry = SourceRegistry(log, clock)
        self._polite = Polite(agent, self._resolver, clock, self._reader.read_robots)
        self._fetcher: Fetcher | None = None

    def status(self) -> dict[str, Any]:
        """Return what a heartbeat says."""
        return {"jobs": self._fetcher.done if self._fetcher is not None else 0}

    async def run(self, bus: Bus, stop: asyncio.Event) -> None:
        """Do jobs until `stop`. Raises a Halt or an OperatingError."""
        self._fetcher = fetcher = Fetcher(self._deps(bus))
        shard = self._log.shard
        for queue, at_once in self.queues:
            consumer = Consumer(
                stream=subjects.jobs_stream(shard),
                durable=queue,
                subject=subjects.jobs(shard, queue),
                ack_wait_s=JOB_ACK_S,
            )
            bus.consume(consumer, fetcher.handle, at_once=at_once)
        try:
            await run_until_first_exits(self._registry.run(), self._serve(bus, stop))
        finally:
            await self._close()

    def _deps(self, bus: Bus) -> FetcherDeps:
        shard = self._log.shard
        return FetcherDeps(
            sources=self._registry.known,
            downloader=Downloader(self._get, self._read, renders=self.renders),
            journal=FetchJournal(self._log, self._clock, NatsRawStore(bus.client, shard)),
            jobs=NatsJobQueue(bus.client, shard),
            has_browser=self._has_browser,
        )

    async def _serve(self, bus: Bus, stop: asyncio.Event) -> None:
        await self._registry.caught_up()
        await bus.serve(stop)

    async def _get(self, source: Source, url: str, who: str, headers: Mapping[str, str]) -> Fetched:
        """Get a document; see `fetcher.Get`."""
        return await self._polite.get(source, url, who=who, headers=headers)

    async def _read(self, reading: str, document: Document) -> list[Item]:
        """Read a document; see `reader.Read`."""
        return await self._reader.read(reading, document)

    async def _close(self) -> None:
        await self._reader.close()
        self._resolver.close()


class DeskService(FetcherService):
    """Has runners elsewhere do the jobs that take a browser; see `Desk`."""

    queues = (("browser", RUNNERS_ASKING),)
    renders = True

    def __init__(self, log: Log, clock: Clock, agent: Agent, *, has_browser: bool) -> None:
        super().__init__(log, clock, agent, has_browser=has_browser)
        self._desk = Desk(log, clock, self._polite)
        self._answering = desk_responder(self._desk)

    def status(self) -> dict[str, Any]:
        return {**super().status(), **self._desk.status()}

    async def _serve(self, bus: Bus, stop: asyncio.Event) -> None:
        await self._answering.serve(bus.client, subjects.ask(self._log.shard, RUNNERS))
        await super()._serve(bus, stop)

    async def _get(self, source: Source, url: str, who: str, headers: Mapping[str, str]) -> Fetched:
        return await self._desk.get(source, url, who, headers)

    async def _read(self, reading: str, document: Document) -> list[Item]:
        return await self._desk.read(reading, document)

    async def _close(self) -> None:
        await self._answering.close()
        await super()._close()


class BrowserService(FetcherService):
    """Does the jobs that take a browser, the program at `chromium`; see `Renderer`."""

    queues = (("browser", RENDERS_AT_ONCE),)
    renders = True

    def __init__(
        self, log: Log, clock: Clock, agent: Agent, *, chromium: str, sandboxed: bool = True
    ) -> None:
        # playwright is large, and the fetcher does without it
        from streams.ingest.fetching.rendering import Renderer

        super().__init__(log, clock, agent, has_browser=True)
        self._renderer = Renderer(self._polite, chromium, sandboxed=sandboxed)

    def status(self) -> dict[str, Any]:
        return {**super().status(), "reason": self._renderer.problem}

    async def _get(self, source: Source, url: str, who: str, headers: Mapping[str, str]) -> Fetched:
        return await self._renderer.get(source, url, who)

    async def _close(self) -> None:
        await self._renderer.close()
        await super()._close()
