"""The fetcher, over HTTP, and the browser: two processes that do jobs alike."""

import asyncio

from deploy.observe.heartbeat import heartbeat
from deploy.processes.genesis import founded
from deploy.venue.paths import Place
from schemas.errors import InputError
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.processes import BrowserService, FetcherService
from streams.ingest.jobs.services import bus
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog

BROWSER = "browser"


async def run(place: Place, name: str, stop: asyncio.Event) -> None:
    """Do jobs as the process `name` until `stop`. Raises InputError without a browser."""
    log = await place.log(name)
    try:
        service = _service(place, name, log)
        async with heartbeat(place, name, service.status):
            if await founded(log, stop):
                async with bus(place.settings.broker_url, **place.login(name)) as it:
                    await service.run(it, stop)
    finally:
        await log.close()


def _service(place: Place, name: str, log: NatsLog) -> FetcherService | BrowserService:
    settings, clock = place.settings, SystemClock()
    agent = Agent(user_agent=settings.user_agent, sender=settings.from_address)
    chromium = settings.browser
    if name != BROWSER:
        return FetcherService(log, clock, agent, has_browser=chromium is not None)
    if chromium is None:
        raise InputError("no Chromium is found: set EVERYTHING_CHROMIUM")
    return BrowserService(log, clock, agent, chromium=str(chromium))
