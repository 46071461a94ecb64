"""The scheduler, in virtual time: what is due, when, and once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import limits, subjects
from schemas.codec import encode
from schemas.errors import LogUnavailable, UnknownRecord
from schemas.jobs import FetchSource
from schemas.observations import SourceFetched
from schemas.sources import Source
from schemas.units import SECOND_NS
from streams.ingest.jobs.scheduler import Scheduler, due_ns
from streams.ingest.limits import FAILING_BACKOFF
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import VirtualClock, simulate
from tests.streams.ingest.fetching.web import source
from tests.streams.ingest.fetching.world import Queued, added, decide, quarantined

FEED = "https://a.example/feed"
MINUTE_S = 60


def run(work: Coroutine[Any, Any, None]) -> None:
    simulate(work)


class ScheduledVenue:
    """A log, and schedulers that run on it one after the other."""

    def __init__(self) -> None:
        self.server = SimulatedServer("main")
        self.log = self.server.connect()
        self.clock = VirtualClock()
        self.queued = Queued()
        self._number = 0

    async def decide(self, *events: Any) -> None:
        self._number += 1
        await decide(self.log, self._number, *events)

    @contextlib.asynccontextmanager
    async def scheduling(self) -> AsyncIterator[None]:
        scheduler = Scheduler(self.server.connect(), self.queued, self.clock)
        running = asyncio.create_task(scheduler.run())
        try:
            yield
            if running.done():
                running.result()
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    async def fetched(
        self,
        outcome: Literal["fetched", "unchanged", "failed"] = "fetched",
        what: Literal["source", "page"] = "source",
        name: str = "wire",
    ) -> None:
        now_ns = self.clock.now_ns()
        await self.log.send(
            subjects.fetches("main", name), encode(told(now_ns, outcome, what, name))
        )

    @property
    def due(self) -> list[FetchSource]:
        return [job for job in self.queued.jobs if isinstance(job, FetchSource)]


def told(
    now_ns: int,
    outcome: Literal["fetched", "unchanged", "failed"],
    what: Literal["source", "page"],
    name: str,
) -> SourceFetched:
    return SourceFetched(
        source=name, url=FEED, what=what, outcome=outcome, problem="", detail="", status=0,
        body_bytes=0, items=0, new_articles=0, robots_hash="", started_ns=now_ns, ended_ns=now_ns,
    )  # fmt: skip


def test_a_new_source_is_asked_for_at_once_and_once() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        async with venue.scheduling():
            await asyncio.sleep(5)
            await venue.decide(added(source(FEED)))
            await asyncio.sleep(30 * MINUTE_S)
        assert venue.queued.put_in == [("source", FetchSource(source="wire", due_ns=0), "wire@0")]

    run(work())


def test_a_source_is_asked_for_again_an_interval_after_its_fetch() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        await venue.decide(added(source(FEED)))
        async with venue.scheduling():
            await asyncio.sleep(10)
            await venue.fetched()
            started_ns = venue.clock.now_ns()
            await asyncio.sleep(299)
            assert len(venue.due) == 1
            await asyncio.sleep(40)
            assert len(venue.due) == 2
        assert started_ns + 300 * SECOND_NS <= venue.due[1].due_ns <= started_ns + 330 * SECOND_NS

    run(work())


def test_a_job_that_never_ends_is_asked_for_again_under_the_same_name() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        await venue.decide(added(source(FEED)))
        async with venue.scheduling():
            await asyncio.sleep(limits.JOBS_DEDUPE_S + 60)
        assert [name for _, _, name in venue.queued.put_in] == ["wire@0", "wire@0"]

    run(work())


def test_a_restart_fetches_nothing_anew() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        await venue.decide(added(source(FEED)))
        async with venue.scheduling():
            await asyncio.sleep(10)
            await venue.fetched("unchanged")
            await asyncio.sleep(10)
        async with venue.scheduling():
            await asyncio.sleep(100)
        assert len(venue.due) == 1

    run(work())


def test_a_restart_with_a_job_outstanding_asks_under_the_same_name() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        await venue.decide(added(source(FEED)))
        for _ in range(3):
            async with venue.scheduling():
                await asyncio.sleep(10)
        assert {name for _, _, name in venue.queued.put_in} == {"wire@0"}

    run(work())


def test_pages_do_not_count_as_the_document() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        await venue.decide(added(source(FEED)))
        async with venue.scheduling():
            await asyncio.sleep(10)
            await venue.fetched()
            for _ in range(20):
                await asyncio.sleep(20)
                await venue.fetched(what="page")
        assert len(venue.due) == 2

    run(work())


def test_a_failing_source_is_asked_more_and_more_rarely() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        await venue.decide(added(source(FEED, poll_interval_s=60)))
        asked_at: list[int] = []
        async with venue.scheduling():
            for _ in range(7):
                while len(venue.due) == len(asked_at):  # noqa: ASYNC110  # virtual time
                    await asyncio.sleep(1)
                asked_at.append(venue.clock.now_ns() // SECOND_NS)
                await venue.fetched("failed")
        gaps = [b - a for a, b in pairwise(asked_at)]
        for gap, factor in zip(gaps, (2, 4, 8, 8, 8, 8), strict=True):
            assert 60 * factor <= gap <= 66 * factor + 3

    run(work())


@pytest.mark.parametrize(
    "told", [{"active": False}, {"restricted": True}, {"kind": "push"}], ids=str
)
def test_what_is_not_fetched_is_not_asked_for(told: dict[str, Any]) -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        await venue.decide(added(source(FEED, **told)))
        async with venue.scheduling():
            await asyncio.sleep(MINUTE_S)
        assert venue.queued.put_in == []

    run(work())


def test_a_quarantined_source_is_left_alone_until_it_is_over() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        one = source(FEED)
        until_ns = venue.clock.now_ns() + 600 * SECOND_NS
        await venue.decide(added(one), quarantined(one, until_ns))
        async with venue.scheduling():
            await asyncio.sleep(590)
            assert venue.due == []
            await asyncio.sleep(20)
            assert len(venue.due) == 1

    run(work())


def test_a_browser_source_goes_to_the_browser() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        await venue.decide(added(source(FEED, kind="browser")))
        async with venue.scheduling():
            await asyncio.sleep(5)
        assert [queue for queue, _, _ in venue.queued.put_in] == ["browser"]

    run(work())


def test_a_full_queue_is_borne_for_a_while() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        venue.queued.failure = LogUnavailable("full")
        await venue.decide(added(source(FEED)))
        async with venue.scheduling():
            await asyncio.sleep(10)
            venue.queued.failure = None
            await asyncio.sleep(10)
            assert len(venue.due) == 1
        venue.queued.failure = LogUnavailable("full")
        with pytest.raises(LogUnavailable):
            async with venue.scheduling():
                await venue.decide(added(source(FEED, source="other")))
                await asyncio.sleep(10 * MINUTE_S)

    run(work())


def test_a_record_that_cannot_be_read_ends_it() -> None:
    async def work() -> None:
        venue = ScheduledVenue()
        await venue.log.send(subjects.events("main", subjects.GOVERNANCE), b"{}")
        with pytest.raises(UnknownRecord):
            async with venue.scheduling():
                await asyncio.sleep(MINUTE_S)

    run(work())


@given(
    st.integers(1, 2**62),
    st.integers(0, 10_000),
    st.integers(limits.MIN_POLL_INTERVAL_S, limits.MAX_POLL_INTERVAL_S),
)
def test_the_next_time_is_within_its_bounds(started_ns: int, failures: int, poll_s: int) -> None:
    one: Source = source(FEED, poll_interval_s=poll_s)
    wait_ns = due_ns(one, started_ns, failures) - started_ns
    assert poll_s * SECOND_NS <= wait_ns <= 1.1 * FAILING_BACKOFF * poll_s * SECOND_NS
    assert due_ns(one, started_ns, failures) == due_ns(one, started_ns, failures)


def test_sources_do_not_march_in_step() -> None:
    times = {due_ns(source(FEED, source=f"s{n}"), SECOND_NS, 0) for n in range(50)}
    assert len(times) == 50
