"""The desk: jobs for runners elsewhere, in a simulated world."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

import msgspec

from schemas.articles import snapshot_id
from schemas.chain import digest
from schemas.codec import encode
from schemas.jobs import FetchSource, Job
from schemas.observations import (
    ArticleObserved,
    JobGivenUp,
    JobReported,
    Observation,
    SourceFetched,
    SourceListed,
)
from schemas.runners import (
    DeskTold,
    ReportedItem,
    ReportGiven,
    RunnerJob,
    RunnerReport,
    WorkAsked,
)
from schemas.sources import Source
from schemas.stored import Stored
from streams.ingest.fetching.desk import Desk, desk_responder
from streams.ingest.fetching.fetcher import Downloader, Fetcher, FetcherDeps
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.observing import FetchJournal
from streams.ingest.fetching.polite import Fetched, Polite
from streams.ingest.jobs.registry import KnownSources
from streams.ingest.jobs.services import DONE, Delivery, Later, Verdict
from streams.ingest.limits import (
    JOB_ATTEMPTS,
    RUNNER_ABSENT_S,
    RUNNER_ANSWER_S,
    RUNNER_ASK_S,
)
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import VirtualClock, simulate
from tests.streams.ingest.fetching.test_fetcher import page_job
from tests.streams.ingest.fetching.web import Page, Wires, robots_read_here, source
from tests.streams.ingest.fetching.world import Queued, added, governance_record, observations

URL = "https://a.example/1"
INDEX = "https://a.example/"
TEXT = "Something happened today in the harbour, and many people saw it happen."
RUNNER = "far-away"


def run(work: Coroutine[Any, Any, None]) -> None:
    simulate(work)


def item(title: str = "One", text: str = TEXT, link: str = URL) -> ReportedItem:
    return ReportedItem(
        guid=link,
        link=link,
        title=title,
        text=text,
        language="en",
        published_ns=7,
        snapshot_id=snapshot_id(title, text) if text else "",
    )


def report(job: RunnerJob, *items: ReportedItem, **fields: Any) -> RunnerReport:
    told = RunnerReport(
        ticket=job.ticket,
        url=job.url,
        status=200,
        body_hash=digest(b"<html>"),
        problem="",
        detail="",
        items=list(items),
    )
    return msgspec.structs.replace(told, **fields)


class DeskWorld:
    """A fetcher whose documents come from the desk; no page is ever dialled from here."""

    def __init__(self, signed: Source, robots: str = "") -> None:
        self.wires = Wires({"a.example/robots.txt": Page(robots.encode())})
        self.log = SimulatedServer("main").connect()
        self.clock = VirtualClock()
        polite = Polite(Agent(), self.wires.resolve, self.clock, robots_read_here, self.wires.dial)
        self.desk = Desk(self.log, self.clock, polite)
        sources = KnownSources()
        sources.fold(Stored(1, "main.evt.governance", governance_record(1, added(signed))))
        self.fetcher = Fetcher(
            FetcherDeps(
                sources=sources,
                downloader=Downloader(self._get, self.desk.read, renders=True),
                journal=FetchJournal(self.log, self.clock),
                jobs=Queued(),
                has_browser=True,
            )
        )

    async def _get(self, signed: Source, url: str, who: str, headers: Mapping[str, str]) -> Fetched:
        return await self.desk.get(signed, url, who, headers)

    @contextlib.asynccontextmanager
    async def doing(self, job: Job, attempt: int = 2) -> AsyncIterator[asyncio.Task[Verdict]]:
        delivery = Delivery(1, "jobs.main.browser", encode(job), attempt)
        task = asyncio.create_task(self.fetcher.handle(delivery))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def taken(self, runner: str = RUNNER) -> RunnerJob:
        job = await self.desk.take(runner)
        assert job is not None
        return job

    async def seen(self) -> list[Observation]:
        return await observations(self.log)


def test_what_a_runner_reports_is_observed_with_its_name() -> None:
    async def work() -> None:
        signed = source(INDEX, kind="browser")
        world = DeskWorld(signed)
        async with world.doing(page_job(URL)) as doing:
            job = await world.taken()
            assert (job.source, job.url, job.links) == (signed, URL, False)
            assert world.desk.status() == {"given": 1, "offered": 0}
            moved = "https://a.example/moved"
            assert world.desk.report(RUNNER, report(job, item(), url=moved))
            assert await doing == DONE
        noted, article, fetched = await world.seen()
        assert isinstance(noted, JobReported) and isinstance(article, ArticleObserved)
        assert isinstance(fetched, SourceFetched)
        assert (noted.source, noted.url, noted.runner) == ("wire", URL, RUNNER)
        assert noted.body_hash == digest(b"<html>")
        assert noted.snapshot_ids == [article.snapshot_id] == [snapshot_id("One", TEXT)]
        assert noted.taken_ns <= noted.reported_ns
        assert (article.title, article.via, article.published_ns) == ("One", "browser", 7)
        assert article.robots_hash == fetched.robots_hash != ""
        assert (fetched.outcome, fetched.url, fetched.what) == ("fetched", URL, "page")
        assert world.desk.status() == {"given": 0, "offered": 0}

    run(work())


def test_the_links_of_an_index_are_listed_and_asked_for() -> None:
    async def work() -> None:
        world = DeskWorld(source(INDEX, kind="browser", link_selector="a", crawl_delay_s=1))
        links = [item(title, "", f"https://a.example/{title}") for title in ("one", "two")]
        async with world.doing(FetchSource(source="wire", due_ns=1)) as doing:
            job = await world.taken()
            assert job.links
            assert world.desk.report(RUNNER, report(job, *links))
            await doing
        queued = world.fetcher.deps.jobs
        assert isinstance(queued, Queued)
        assert [queue for queue, _, _ in queued.put_in] == ["browser", "browser"]
        _, listed, _ = await world.seen()
        assert isinstance(listed, SourceListed) and len(listed.items) == 2
        # the same links again are the same document
        world.clock.jump(60 * 10**9)
        async with world.doing(FetchSource(source="wire", due_ns=world.clock.now_ns())) as doing:
            job = await world.taken()
            assert world.desk.report(RUNNER, report(job, *links))
            await doing
        assert len(queued.put_in) == 2
        (*_, last) = await world.seen()
        assert isinstance(last, SourceFetched) and last.outcome == "unchanged"

    run(work())


def test_what_robots_forbids_is_handed_to_nobody() -> None:
    async def work() -> None:
        world = DeskWorld(source(INDEX, kind="browser"), "User-agent: *\nDisallow: /1")
        async with world.doing(page_job(URL)) as doing:
            assert await doing == DONE
            assert await world.desk.take(RUNNER) is None
        fetched, letter = await world.seen()
        assert isinstance(fetched, SourceFetched) and fetched.problem == "robots"
        assert isinstance(letter, JobGivenUp) and letter.reason == "robots"

    run(work())


def test_without_a_runner_a_job_waits_and_is_not_tried() -> None:
    async def work() -> None:
        world = DeskWorld(source(INDEX, kind="browser"))
        for attempt in range(2, JOB_ATTEMPTS + 5):
            async with world.doing(page_job(URL), attempt) as doing:
                assert await doing == Later(RUNNER_ABSENT_S)
        assert await world.seen() == []
        # and one that asks later does not get what nobody waits for any more
        before = world.clock.now_ns()
        assert await world.desk.take(RUNNER) is None
        assert world.clock.now_ns() - before == RUNNER_ASK_S * 10**9

    run(work())


def test_a_runner_that_falls_silent_is_a_failed_attempt() -> None:
    async def work() -> None:
        world = DeskWorld(source(INDEX, kind="browser"))
        async with world.doing(page_job(URL), JOB_ATTEMPTS) as doing:
            job = await world.taken()
            began = world.clock.now_ns()
            assert await doing == DONE
            assert world.clock.now_ns() - began == RUNNER_ANSWER_S * 10**9
        assert not world.desk.report(RUNNER, report(job, item())), "it comes too late"
        fetched, letter = await world.seen()
        assert isinstance(fetched, SourceFetched) and fetched.problem == "given_up"
        assert isinstance(letter, JobGivenUp)
        assert (letter.reason, letter.detail) == ("too_slow", "the runner fell silent")

    run(work())


def test_a_report_counts_once_and_for_who_has_the_job() -> None:
    async def work() -> None:
        world = DeskWorld(source(INDEX, kind="browser"))
        async with world.doing(page_job(URL)) as doing:
            job = await world.taken()
            good = report(job, item())
            assert not world.desk.report("another", good)
            unknown = msgspec.structs.replace(good, ticket="0" * 32)
            assert not world.desk.report(RUNNER, unknown)
            assert world.desk.report(RUNNER, good)
            assert not world.desk.report(RUNNER, report(job, item("Two")))
            await doing
            assert not world.desk.report(RUNNER, good)
        titles = [one.title for one in await world.seen() if isinstance(one, ArticleObserved)]
        assert titles == ["One"]

    run(work())


def test_what_a_runner_met_is_the_problem_of_the_fetch() -> None:
    async def work() -> None:
        world = DeskWorld(source(INDEX, kind="browser", crawl_delay_s=1))
        cases: list[tuple[dict[str, Any], str]] = [
            ({"problem": "http_status", "status": 404}, "http_status"),
            ({"items": []}, "no_text"),
            ({"items": [item(), item("Two")]}, "no_text"),
            ({"items": [item()], "url": "http://a.example:25/"}, "bad_url"),
        ]
        for fields, problem in cases:
            before = len(await world.seen())
            async with world.doing(page_job(URL)) as doing:
                job = await world.taken()
                assert world.desk.report(RUNNER, report(job, **fields))
                assert await doing == DONE
            noted, fetched, letter = (await world.seen())[before:]
            assert isinstance(noted, JobReported) and isinstance(fetched, SourceFetched)
            assert isinstance(letter, JobGivenUp)
            assert (fetched.problem, letter.reason) == (problem, problem)

    run(work())


def test_a_host_gives_its_turns_one_after_the_other() -> None:
    async def work() -> None:
        world = DeskWorld(source(INDEX, kind="browser", crawl_delay_s=7))
        async with world.doing(page_job(URL)) as one, world.doing(page_job(URL + "2")) as two:
            first = await world.taken()
            at = world.clock.now_ns()
            assert await world.desk.take("another") is None, "it is not its host's turn"
            world.desk.report(RUNNER, report(first, item()))
            await one
            second = await world.taken()
            assert world.clock.now_ns() - at >= 7 * 10**9
            world.desk.report(RUNNER, report(second, item("Two")))
            await two

    run(work())


def test_the_gateway_is_answered_in_its_words() -> None:
    async def work() -> None:
        world = DeskWorld(source(INDEX, kind="browser"))
        answering = desk_responder(world.desk)

        async def told(asked: Any) -> DeskTold:
            return msgspec.json.decode(await answering.answer(encode(asked)), type=DeskTold)

        async with world.doing(page_job(URL)) as doing:
            job = (await told(WorkAsked(RUNNER))).job
            assert job is not None
            assert (await told(ReportGiven(RUNNER, report(job, item())))).taken
            await doing
        assert not (await told(ReportGiven(RUNNER, report(job, item())))).taken
        assert await told(WorkAsked(RUNNER)) == DeskTold()
        junk = msgspec.json.decode(await answering.answer(b"junk"), type=DeskTold)
        assert junk.problem == "failed"

    run(work())
