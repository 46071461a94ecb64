"""Scheduler and fetcher on a real nats-server, against a site on loopback."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.processes.fetcher import FetcherService
from deploy.processes.scheduler import SchedulerService
from schemas import subjects
from schemas.chain import digest
from schemas.jobs import FetchPage, FetchSource
from schemas.observations import ArticleObserved, Observation, SourceFetched
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.raw_store import NatsRawStore
from streams.ingest.jobs.queue import NatsJobQueue
from streams.ingest.jobs.services import bus
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog
from streams.log.nats_wire import Wire
from streams.log.streams import ensure_streams, jobs_spec, raw_spec
from tests.streams.ingest.fetching.web import Page, feed, html, site, source
from tests.streams.ingest.fetching.world import added, decide, observations
from tests.support.nats import TestServer, nats_server
from tests.support.waiting import wait_until

WITHIN_S = 40
PARAGRAPH = "<p>Something happened today in the harbour, and many people saw it happen.</p>"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    async with nats_server(tmp_path) as it:
        specs = [jobs_spec("main"), raw_spec("main")]
        async with Wire.opened(it.url, name="operator") as wire, it.monitor() as monitor:
            await ensure_streams(wire, specs, monitor)
        yield it


@contextlib.asynccontextmanager
async def running(server: TestServer, *, scheduler: bool = True) -> AsyncIterator[None]:
    """Run the services, and stop them as a process would."""
    stop = asyncio.Event()

    async def run(name: str, log: NatsLog) -> None:
        clock = SystemClock()
        service = (
            SchedulerService(log, clock)
            if name == "scheduler"
            else FetcherService(log, clock, Agent(), has_browser=False)
        )
        async with bus(server.url, name=name) as it:
            await service.run(it, stop)

    names = ("scheduler", "fetcher") if scheduler else ("fetcher",)
    logs = [await server.connect(name) for name in names]
    works = [asyncio.create_task(run(*one)) for one in zip(names, logs, strict=True)]
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(15):
            await asyncio.gather(*works)
        for log in logs:
            await log.close()


async def observed_until(
    log: NatsLog, enough: Callable[[list[Observation]], bool]
) -> list[Observation]:
    """Wait until what was observed is `enough`, and return it."""

    async def found() -> list[Observation]:
        seen = await observations(log)
        return seen if enough(seen) else []

    seen: list[Observation] = await wait_until(found, within_s=WITHIN_S, every_s=0.1)
    return seen


def titles(found: list[Observation]) -> list[str]:
    return [one.title for one in found if isinstance(one, ArticleObserved)]


async def test_from_a_signed_source_to_its_articles(server: TestServer) -> None:
    log = await server.connect()
    pages: dict[str, Page] = {"/feed": feed(("One", "/1"))}
    async with site(dict(pages)) as it, running(server):
        await decide(log, 1, added(source(f"{it.url}/feed", keep_raw_days=1)))
        found = await observed_until(log, lambda found: bool(titles(found)))
        assert titles(found) == ["One"]
        it.pages["/feed"] = feed(("Two", "/2"), ("One", "/1"))
        found = await observed_until(log, lambda found: len(titles(found)) == 2)
        assert titles(found) == ["One", "Two"]
        (article, *_) = [one for one in found if isinstance(one, ArticleObserved)]
        assert article.raw == digest(pages["/feed"].body)
        async with bus(server.url, name="reader") as one:
            store = await one.client.jetstream().object_store(subjects.raw_bucket("main"))
            assert (await store.get(article.raw)).data == pages["/feed"].body
    await log.close()


async def test_pages_are_fetched_through_the_queue(server: TestServer) -> None:
    log = await server.connect()
    pages = {
        "/": html('<a href="/1">One</a><a href="/2">Two</a>'),
        "/1": html(f"<title>One</title>{PARAGRAPH}"),
        "/2": html(f"<title>Two</title>{PARAGRAPH}"),
    }
    async with site(dict(pages)) as it, running(server):
        await decide(log, 1, added(source(f"{it.url}/", kind="html", link_selector="a")))
        found = await observed_until(log, lambda found: len(titles(found)) == 2)
        assert sorted(titles(found)) == ["One", "Two"]
    await log.close()


async def test_a_page_that_somebody_asked_for(server: TestServer) -> None:
    log = await server.connect()
    async with site({"/1": html(f"<title>One</title>{PARAGRAPH}")}) as it:
        await decide(log, 1, added(source(f"{it.url}/feed")))
        job = FetchPage(source="wire", url=f"{it.url}/1", title="", language="",
                        published_ns=None, wanted_by="key", asked_ns=0)  # fmt: skip
        async with bus(server.url, name="gateway") as asker:
            for _ in range(3):
                await NatsJobQueue(asker.client, "main").put("page", job, "key:1")
        async with running(server, scheduler=False):
            found = await observed_until(log, lambda found: bool(titles(found)))
        assert titles(found) == ["One"]
    await log.close()


async def test_bytes_are_kept_once(server: TestServer) -> None:
    async with bus(server.url, name="fetcher") as it:
        store = NatsRawStore(it.client, "main")
        for _ in range(2):
            await store.put("name", b"x" * 300_000)
        stream = await it.client.jetstream().stream_info(subjects.raw_stream("main"))
        assert stream.state.messages == 4  # three chunks and what they are


PROCESS = """
import asyncio, sys
from streams.ingest.fetching.http import Agent
from deploy.processes.fetcher import FetcherService
from streams.ingest.jobs.services import bus
from streams.log import nats_log
from streams.log.clock import SystemClock

async def main():
    log = await nats_log.connect(sys.argv[1], "main", name="fetcher")
    service = FetcherService(log, SystemClock(), Agent(), has_browser=False)
    async with bus(sys.argv[1], name="fetcher") as it:
        await service.run(it, asyncio.Event())

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_fetcher_killed_in_the_middle_loses_nothing(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 while the site takes its time: the job comes again, the articles come once."""
    monkeypatch.setattr("deploy.processes.fetcher.JOB_ACK_S", 2)
    log = await server.connect()
    slow = feed(("One", "/1"), ("Two", "/2"))
    slow.stalls_s = 3
    async with site({"/feed": slow}) as it:
        await decide(log, 1, added(source(f"{it.url}/feed", poll_interval_s=3_600)))
        patched = PROCESS.replace(
            "asyncio.run(main())",
            "import deploy.processes.fetcher as s; s.JOB_ACK_S = 2\nasyncio.run(main())",
        )
        process = subprocess.Popen(  # noqa: ASYNC220  # it is to be killed, not awaited
            [sys.executable, "-c", patched, server.url]
        )
        try:
            async with bus(server.url, name="scheduler") as asker:
                await NatsJobQueue(asker.client, "main").put(
                    "source", FetchSource(source="wire", due_ns=0)
                )
            async with asyncio.timeout(WITHIN_S):
                while "/feed" not in it.paths:  # noqa: ASYNC110  # no event tells
                    await asyncio.sleep(0.01)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert await observations(log) == []
        async with running(server, scheduler=False):
            found = await observed_until(log, lambda found: bool(titles(found)))
        assert titles(found) == ["Two", "One"]
        (fetched,) = [one for one in found if isinstance(one, SourceFetched)]
        assert fetched.outcome == "fetched"
        assert it.paths.count("/feed") == 2
    await log.close()
