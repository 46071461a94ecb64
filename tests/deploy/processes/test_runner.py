"""A runner elsewhere, end to end: roles on a real broker, the gateway over TCP, a site on loopback.

The desk runs with no more than the role `browser`, and the runner with nothing but its secret.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.processes.fetcher import DeskService
from deploy.processes.runner import Render, Runner, RunnerClient
from deploy.venue.runner_desk import NatsRunnerDesk
from schemas import subjects
from schemas.articles import snapshot_id
from schemas.codec import encode
from schemas.errors import LogUnavailable
from schemas.jobs import FetchPage
from schemas.limits import MAX_PUSHED_TEXT_CHARS, MAX_REPORT_BYTES, MAX_REPORT_ITEMS
from schemas.observations import ArticleObserved, JobGivenUp, JobReported, SourceFetched
from schemas.runners import RUNNERS, RunnerJob, report_problem
from schemas.services import ServiceSecret
from streams.broker import roles
from streams.gateway.context import GatewayContext
from streams.ingest.fetching.guard import SystemResolver
from streams.ingest.fetching.http import Agent, HttpResponse
from streams.ingest.fetching.polite import Fetched, Polite
from streams.ingest.fetching.rendering import Renderer
from streams.ingest.jobs.queue import NatsJobQueue
from streams.ingest.jobs.services import bus
from streams.ingest.sources.model import Document, Item
from streams.ingest.sources.reader import read_here
from streams.log import nats_client
from streams.log.appender import Appender
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog
from tests.deploy.processes.test_fetcher import PARAGRAPH, observed_until, titles
from tests.deploy.processes.test_fetcher_roles import connect
from tests.simulated.nonces import SimulatedNonces
from tests.streams.broker.venue import SHARD, BrokerVenue
from tests.streams.gateway.test_real import served
from tests.streams.ingest.fetching.test_rendering import CHROMIUM, needs_chromium, script
from tests.streams.ingest.fetching.web import Page, Site, html, robots_read_here, site, source
from tests.streams.ingest.fetching.world import added, decide
from tests.support.chromium import IS_SANDBOX_REFUSED

NAME, SECRET = "far-away", secrets.token_hex(32)
CLOCK = SystemClock()


def runner_keys(key_id: str) -> Sequence[ServiceSecret]:
    return [ServiceSecret(SECRET, None)] if key_id == NAME else []


def plainly(polite: Polite) -> Render:
    """Return what gets a page without a browser, as guarded and polite as with one."""

    async def render(signed: Any, url: str, who: str) -> Fetched:
        return await polite.get(signed, url, who=who)

    return render


def polite() -> Polite:
    return Polite(Agent(), SystemResolver(), CLOCK, robots_read_here)


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[BrokerVenue]:
    it = BrokerVenue(tmp_path)
    await it.start()
    try:
        yield it
    finally:
        await it.server.kill9()


@contextlib.asynccontextmanager
async def desk_running(venue: BrokerVenue) -> AsyncIterator[None]:
    stop, log = asyncio.Event(), await connect(venue, "browser")
    service = DeskService(log, CLOCK, Agent(), has_browser=True)

    async def run() -> None:
        seed, inbox = venue.keyring.seed("browser"), roles.inbox("browser")
        async with bus(venue.server.url, name="browser", seed=seed, inbox_prefix=inbox) as it:
            await service.run(it, stop)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await task
        await log.close()


@contextlib.asynccontextmanager
async def gateway_of(venue: BrokerVenue) -> AsyncIterator[str]:
    """Serve a gateway that asks the desk as its own role, and give its address."""
    log = await connect(venue, "gateway")
    seed = venue.keyring.seed("gateway")
    asking = await nats_client.connect(
        venue.server.url,
        name="gateway",
        seed=seed,
        inbox_prefix=subjects.answers(SHARD, RUNNERS),
    )
    appender = Appender(log)
    context = GatewayContext(
        log,
        appender,
        CLOCK,
        secrets.token_bytes(32),
        lambda _: None,
        nonces=SimulatedNonces(CLOCK),
        runner_keys=runner_keys,
        runner_desk=NatsRunnerDesk(asking, SHARD),
    )
    try:
        async with served(context) as url:
            yield url
    finally:
        await appender.close()
        await asking.close()
        await log.close()


@contextlib.asynccontextmanager
async def at_work(url: str, render: Render) -> AsyncIterator[Runner]:
    async with httpx.AsyncClient() as http:
        runner = Runner(RunnerClient(url, NAME, SECRET, http), render, read_here, CLOCK)
        task = asyncio.create_task(runner.run())
        try:
            yield runner
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def asked_for(venue: BrokerVenue, it: Site, *paths: str) -> AsyncIterator[NatsLog]:
    """Sign for the site, ask for its pages in the browser's queue, and give the log."""
    office = await connect(venue, "engine-governance")
    seed, inbox = venue.keyring.seed("scheduler"), roles.inbox("scheduler")
    async with bus(venue.server.url, name="scheduler", seed=seed, inbox_prefix=inbox) as asker:
        await decide(office, 1, added(source(f"{it.url}/", kind="browser")))
        for path in paths:
            job = FetchPage(
                source="wire",
                url=f"{it.url}{path}",
                title="",
                language="",
                published_ns=None,
                wanted_by="",
                asked_ns=CLOCK.now_ns(),
            )
            await NatsJobQueue(asker.client, SHARD).put("browser", job)
        yield office
    await office.close()


async def test_what_a_runner_saw_is_observed_here(venue: BrokerVenue) -> None:
    pages = {"/1": html(f"<title>One</title><article>{PARAGRAPH}</article>")}
    async with (
        site(dict(pages)) as it,
        desk_running(venue),
        gateway_of(venue) as url,
        at_work(url, plainly(polite())),
        asked_for(venue, it, "/1", "/gone") as log,
    ):
        found = await observed_until(
            log,
            lambda found: len([one for one in found if isinstance(one, SourceFetched)]) == 2,
        )
    assert titles(found) == ["One"]
    reports = [one for one in found if isinstance(one, JobReported)]
    assert {one.runner for one in reports} == {NAME}
    good, gone = sorted(reports, key=lambda one: one.problem)
    (article,) = [one for one in found if isinstance(one, ArticleObserved)]
    assert good.snapshot_ids == [article.snapshot_id]
    assert (article.via, article.url) == ("browser", f"{it.url}/1")
    assert (gone.problem, gone.status, gone.snapshot_ids) == ("http_status", 404, [])
    (letter,) = [one for one in found if isinstance(one, JobGivenUp)]
    assert (letter.queue, letter.reason, letter.status) == ("browser", "http_status", 404)


@pytest.mark.slow
@needs_chromium
async def test_a_browser_elsewhere(venue: BrokerVenue) -> None:
    page = f"document.title = 'One'; document.getElementById('root').innerHTML = '{PARAGRAPH}'"
    renderer = Renderer(polite(), CHROMIUM, sandboxed=not IS_SANDBOX_REFUSED)
    try:
        async with (
            site({"/1": html(script(page))}) as it,
            desk_running(venue),
            gateway_of(venue) as url,
            at_work(url, renderer.get),
            asked_for(venue, it, "/1") as log,
        ):
            found = await observed_until(log, lambda found: bool(titles(found)))
    finally:
        await renderer.close()
    assert titles(found) == ["One"]


async def test_without_a_desk_the_gateway_says_so_and_the_runner_asks_again(
    venue: BrokerVenue,
) -> None:
    async with gateway_of(venue) as url, httpx.AsyncClient() as http:
        for secret in (SECRET, "0" * 64):
            with pytest.raises(LogUnavailable):
                await RunnerClient(url, NAME, secret, http).ask()
    async with httpx.AsyncClient() as http:
        with pytest.raises(LogUnavailable):
            await RunnerClient("http://127.0.0.1:9", NAME, SECRET, http).ask()


# -- what a runner makes of a page ----------------------------------------------------------------

JOB = RunnerJob(
    ticket="0" * 32, source=source("https://a.example/"), url="https://a.example/1", links=False
)


def fetched() -> Fetched:
    return Fetched(HttpResponse(JOB.url, 200, {"content-type": "text/html"}, b"<html>"), "")


async def report_of(items: list[Item], *, links: bool = False) -> Any:
    async def render(*_: Any) -> Fetched:
        return fetched()

    async def read(_: str, __: Document) -> list[Item]:
        return items

    job = RunnerJob(ticket=JOB.ticket, source=JOB.source, url=JOB.url, links=links)
    async with httpx.AsyncClient() as http:
        runner = Runner(RunnerClient("http://x", NAME, SECRET, http), render, read, CLOCK)
        return await runner.do(job)


def item(**fields: Any) -> Item:
    return Item(**({"guid": "1", "link": JOB.url, "title": "One", "text": "x" * 50} | fields))


async def test_a_report_is_within_the_gateways_bounds_whatever_the_page_held() -> None:
    long = "\U0001f600" * 300_000
    for made in (
        await report_of([item(text=long, title=long, guid=long)]),
        await report_of([item(text="two\nlines \x00 of it", title="a\n title")]),
        await report_of(
            [item(title=long, link=f"https://a.example/{n}", guid=str(n)) for n in range(500)],
            links=True,
        ),
    ):
        assert report_problem(made) is None
        assert len(encode(made)) <= MAX_REPORT_BYTES
        assert 0 < len(made.items) <= MAX_REPORT_ITEMS
        for one in made.items:
            assert len(one.text) <= MAX_PUSHED_TEXT_CHARS
            assert one.snapshot_id == (snapshot_id(one.title, one.text) if one.text else "")


async def test_whatever_goes_wrong_is_reported() -> None:
    async def broken(*_: Any) -> Fetched:
        raise ZeroDivisionError

    async with httpx.AsyncClient() as http:
        client = RunnerClient("http://x", NAME, SECRET, http)
        made = await Runner(client, broken, read_here, CLOCK).do(JOB)
    assert report_problem(made) is None
    assert (made.problem, made.detail) == ("render_failed", "the runner failed")


async def test_robots_and_the_guard_hold_where_the_runner_is() -> None:
    rules = Page(b"User-agent: *\nDisallow: /secret", 200, {"Content-Type": "text/plain"})
    async with (
        site({"/robots.txt": rules, "/secret": html("x")}) as it,
        httpx.AsyncClient() as http,
    ):
        client = RunnerClient("http://x", NAME, SECRET, http)
        runner = Runner(client, plainly(polite()), read_here, CLOCK)
        signed = source(f"{it.url}/", kind="browser")
        for url, problem in (
            (f"{it.url}/secret", "robots"),
            ("http://169.254.169.254/latest", "forbidden_address"),
            (f"http://127.0.0.1:{it.port + 1}/", "forbidden_address"),
        ):
            job = RunnerJob(ticket=JOB.ticket, source=signed, url=url, links=False)
            made = await runner.do(job)
            assert made.problem in (problem, "robots"), url
            assert made.items == []
        assert "/secret" not in it.paths
