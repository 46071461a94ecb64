"""Dead letters: what stands on the log of a job that leaves its queue undone."""

import pytest

from schemas import subjects
from schemas.codec import encode
from schemas.jobs import FetchSource, QueueName, job_name
from schemas.observations import FetchProblem, JobGivenUp, Observation, SourceFetched
from schemas.units import SECOND_NS
from streams.ingest import limits
from streams.ingest.fetching.problems import HostBusy, Unfetched
from streams.ingest.jobs.services import DONE, Later
from streams.log.limits import JOB_LIFE_S
from tests.simulated.virtual_time import START_NS
from tests.streams.ingest.fetching.test_fetcher import FEED, due, page_job, run
from tests.streams.ingest.fetching.web import feed, source
from tests.streams.ingest.fetching.world import FetchWorld

PAGE = "https://a.example/1"


def letter_of(found: list[Observation]) -> JobGivenUp:
    """Return the dead letter that stands behind the one failed fetch."""
    fetched, letter = found
    assert isinstance(fetched, SourceFetched) and isinstance(letter, JobGivenUp)
    assert (fetched.source, fetched.url) == (letter.source, letter.url)
    return letter


@pytest.mark.parametrize("queue", ["page", "browser"])
def test_it_holds_what_it_takes_to_try_again(queue: QueueName) -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        job = page_job(title="Told", language="en", published_ns=5, wanted_by="robot")
        assert await world.do(job, queue=queue) == DONE
        letter = letter_of(await world.seen())
        assert (letter.job, letter.queue) == (job, queue)
        assert (letter.reason, letter.status, letter.attempts) == ("http_status", 404, 1)
        assert letter.given_up_ns == world.clock.now_ns()
        stored = await world.log.last(subjects.job_fates("main", "wire"))
        assert stored is not None and stored.payload == encode(letter)

    run(work())


def test_a_passing_problem_is_its_reason_after_all_attempts() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[PAGE] = Unfetched(FetchProblem.UNREACHABLE, "refused")
        for attempt in range(1, limits.JOB_ATTEMPTS):
            assert isinstance(await world.do(page_job(), attempt), Later)
        assert await world.seen() == []
        assert await world.do(page_job(), limits.JOB_ATTEMPTS) == DONE
        letter = letter_of(await world.seen())
        assert (letter.reason, letter.detail) == ("unreachable", "refused")
        assert letter.attempts == limits.JOB_ATTEMPTS

    run(work())


def test_what_we_refuse_ourselves_is_one_too() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[PAGE] = Unfetched(FetchProblem.ROBOTS, "disallowed")
        await world.do(page_job())
        assert letter_of(await world.seen()).reason == "robots"

    run(work())


def test_a_poll_that_fails_is_none_as_its_next_one_comes() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        for _ in range(100):
            await world.do(due(world.clock.now_ns()))
        world.web[FEED] = feed(("One", PAGE))
        await world.do(due(world.clock.now_ns()))
        assert not [one for one in await world.seen() if isinstance(one, JobGivenUp)]

    run(work())


def test_a_poll_that_kills_whoever_does_it_is_one() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        assert await world.do(due(), limits.JOB_DELIVERIES + 1) == DONE
        letter = letter_of(await world.seen())
        assert (letter.url, letter.queue, letter.job) == (FEED, "source", due())
        assert (letter.reason, letter.detail) == ("given_up", "handed out too often")

    run(work())


def test_a_page_whose_turn_comes_after_its_queue_has_dropped_it_is_given_up_before() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[PAGE] = HostBusy(3_600)
        job = page_job(asked_ns=START_NS)
        assert await world.do(job, 1) == Later(3_600)
        world.clock.jump((JOB_LIFE_S - 3_600) * SECOND_NS)
        assert await world.do(job, 2) == DONE
        letter = letter_of(await world.seen())
        assert (letter.reason, letter.detail) == (
            "given_up",
            "its turn comes too late",
        )
        world.web[FEED] = HostBusy(10 * JOB_LIFE_S)
        assert await world.do(due()) == Later(10 * JOB_LIFE_S)

    run(work())


def test_a_job_has_one_name_however_often_it_is_asked_for() -> None:
    assert job_name("wire", PAGE) == job_name("wire", PAGE)
    assert len(job_name("wire", PAGE)) == 16
    assert job_name("wire", PAGE) != job_name("wire", PAGE + "0")
    assert job_name("wire", PAGE) != job_name("wires", PAGE)


def test_the_bytes_of_a_polls_letter_never_change() -> None:
    letter = JobGivenUp(
        source="wire",
        url=FEED,
        job=FetchSource(source="wire", due_ns=7),
        queue="source",
        attempts=21,
        reason="given_up",
        detail="",
        status=0,
        given_up_ns=9,
    )
    assert encode(letter) == (
        b'{"type":"job_given_up/1","source":"wire","url":"https://a.example/feed",'
        b'"job":{"type":"fetch_source/1","source":"wire","due_ns":7},"queue":"source",'
        b'"attempts":21,"reason":"given_up","detail":"","status":0,"given_up_ns":9}'
    )
