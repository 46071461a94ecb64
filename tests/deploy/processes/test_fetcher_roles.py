"""The services as they run in a venue: each with no more than its own role's permissions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.processes.fetcher import BrowserService, FetcherService
from deploy.processes.scheduler import SchedulerService
from schemas.observations import ArticleObserved, SourceFetched
from streams.broker import roles
from streams.ingest.fetching.http import Agent
from streams.ingest.jobs.services import bus
from streams.log import nats_log
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog
from tests.deploy.processes.test_fetcher import PARAGRAPH, observed_until, titles
from tests.streams.broker.venue import SHARD, BrokerVenue
from tests.streams.ingest.fetching.test_rendering import CHROMIUM, needs_chromium, script
from tests.streams.ingest.fetching.web import feed, html, site, source
from tests.streams.ingest.fetching.world import added, decide
from tests.support.chromium import IS_SANDBOX_REFUSED

Service = SchedulerService | FetcherService | BrowserService


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[BrokerVenue]:
    it = BrokerVenue(tmp_path)
    await it.start()
    try:
        yield it
    finally:
        await it.server.kill9()


async def connect(venue: BrokerVenue, role: str) -> NatsLog:
    seed = venue.keyring.seed(role)
    return await nats_log.connect(
        venue.server.url, SHARD, name=role, seed=seed, inbox_prefix=roles.inbox(role)
    )


@pytest.fixture
async def office(venue: BrokerVenue) -> AsyncIterator[NatsLog]:
    """Governance's own connection, by which sources come onto the log."""
    log = await connect(venue, "engine-governance")
    yield log
    await log.close()


@contextlib.asynccontextmanager
async def running(venue: BrokerVenue, *names: str) -> AsyncIterator[None]:
    """Run the named services, each as its role."""
    stop = asyncio.Event()

    async def run(name: str) -> None:
        log, clock = await connect(venue, name), SystemClock()
        service: Service
        if name == "scheduler":
            service = SchedulerService(log, clock)
        elif name == "fetcher":
            service = FetcherService(log, clock, Agent(), has_browser=True)
        else:
            service = BrowserService(
                log, clock, Agent(), chromium=CHROMIUM, sandboxed=not IS_SANDBOX_REFUSED
            )
        seed = venue.keyring.seed(name)
        try:
            async with bus(
                venue.server.url, name=name, seed=seed, inbox_prefix=roles.inbox(name)
            ) as it:
                await service.run(it, stop)
        finally:
            await log.close()

    works = [asyncio.create_task(run(name)) for name in names]
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*works)


async def test_a_feed_its_pages_and_its_bytes(venue: BrokerVenue, office: NatsLog) -> None:
    pages = {
        "/feed": feed(("One", "/1"), ("Two", "/2")),
        "/1": html(f"<title>One</title>{PARAGRAPH}"),
        "/2": html(f"<title>Two</title>{PARAGRAPH}"),
    }
    async with site(dict(pages)) as it, running(venue, "scheduler", "fetcher"):
        signed = source(f"{it.url}/feed", follow_links=True, keep_raw_days=1)
        await decide(office, 1, added(signed))
        found = await observed_until(office, lambda found: len(titles(found)) == 2)
        assert sorted(titles(found)) == ["One", "Two"]
        assert all(one.raw for one in found if isinstance(one, ArticleObserved))
        assert all(not one.problem for one in found if isinstance(one, SourceFetched))


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("kind", ["html", "browser"])
async def test_pages_that_take_a_browser(venue: BrokerVenue, office: NatsLog, kind: str) -> None:
    """An index and a page that show nothing before their scripts have run."""
    index = "document.getElementById('root').innerHTML = '<a href=/1>One</a>'"
    page = f"document.title = 'One'; document.getElementById('root').innerHTML = '{PARAGRAPH}'"
    pages = {"/": html(script(index)), "/1": html(script(page))}
    async with site(dict(pages)) as it, running(venue, "scheduler", "fetcher", "browser"):
        signed = source(f"{it.url}/", kind=kind, link_selector="a", poll_interval_s=600)
        await decide(office, 1, added(signed))
        found = await observed_until(office, lambda found: bool(titles(found)))
        (article,) = [one for one in found if isinstance(one, ArticleObserved)]
        assert (article.title, article.via) == ("One", "browser")
