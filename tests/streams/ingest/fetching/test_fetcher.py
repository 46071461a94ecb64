"""The fetcher's handler: what each job leaves on the log, in a simulated world."""

from collections.abc import Coroutine
from typing import Any

import pytest
import structlog

from schemas import articles, subjects
from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import LogUnavailable
from schemas.jobs import FetchPage, FetchSource
from schemas.limits import MAX_EXCERPT_CHARS, MAX_PAYLOAD_BYTES
from schemas.observations import (
    ArticleObserved,
    FetchProblem,
    SourceFetched,
    SourceListed,
    SourceListed1,
)
from streams.ingest import limits
from streams.ingest.fetching import observing
from streams.ingest.fetching.fetcher import Fetcher
from streams.ingest.fetching.observing import FetchJournal
from streams.ingest.fetching.problems import HostBusy, Unfetched
from streams.ingest.jobs.services import DONE, Delivery, Later
from tests.simulated.virtual_time import START_NS, simulate
from tests.streams.ingest.fetching.web import Page, feed, html, source
from tests.streams.ingest.fetching.world import FetchWorld

FEED = "https://a.example/feed"
PARAGRAPH = "<p>Something happened today in the harbour, and many people saw it happen.</p>"


def run(work: Coroutine[Any, Any, None]) -> None:
    simulate(work)


def due(due_ns: int = 0) -> FetchSource:
    return FetchSource(source="wire", due_ns=due_ns)


def page_job(url: str = "https://a.example/1", **told: Any) -> FetchPage:
    fields: dict[str, Any] = {
        "title": "",
        "language": "",
        "published_ns": None,
        "wanted_by": "",
        "asked_ns": START_NS,
        **told,
    }
    return FetchPage(source="wire", url=url, **fields)


def test_a_feed_becomes_articles_oldest_first_with_its_listing() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, excerpt_chars=20))
        world.web[FEED] = feed(
            ("Two", "https://a.example/2"), ("One", "https://a.example/1"), ETag='"7"'
        )
        assert await world.do(due()) == DONE
        one, two, listed, fetched = await world.seen()
        assert isinstance(one, ArticleObserved) and isinstance(two, ArticleObserved)
        assert (one.title, two.title) == ("One", "Two")
        text = "One is what happened today, people say."
        assert one.snapshot_id == articles.snapshot_id("One", text)
        assert one.locator == articles.locator("https://a.example/1", None)
        assert (one.excerpt, one.text_chars) == (text[:20], len(text))
        assert (one.via, one.robots_hash, one.raw, one.push) == ("rss", "f" * 64, "", None)
        assert isinstance(listed, SourceListed)
        assert listed.etag == '"7"' and len(listed.items) == 2
        assert isinstance(fetched, SourceFetched)
        assert (fetched.outcome, fetched.items, fetched.new_articles) == ("fetched", 2, 2)
        assert fetched.status == 200 and fetched.body_bytes > 0
        assert fetched.started_ns < fetched.ended_ns

    run(work())


def test_what_was_seen_is_not_observed_again() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[FEED] = feed(("One", "https://a.example/1"), ETag='"7"')
        await world.do(due(0))
        first = len(await world.seen())
        world.web[FEED] = feed(("Two", "https://a.example/2"), ("One", "https://a.example/1"))
        await world.do(due(world.clock.now_ns()))
        assert world.asked[-1][1] == {"If-None-Match": '"7"'}
        observed = (await world.seen())[first:]
        assert [one.title for one in observed if isinstance(one, ArticleObserved)] == ["Two"]

    run(work())


def numbered(link: str, words: str = "", **headers: str) -> Page:
    """Return a feed of three undated stories; `link` has a place for a number, `words` are more."""
    items = "".join(
        f"<item><title>Story number {n} about the harbour</title><link>{link.format(n)}</link>"
        f"<guid isPermaLink='false'>{n}</guid><description>What happened in story {n}, at some "
        f"length, people say.{words}</description></item>"
        for n in range(3)
    )
    return Page(f"<rss version='2.0'><channel>{items}</channel></rss>".encode(), headers=headers)


def reborn(world: FetchWorld) -> None:
    """Replace the fetcher by another process: it knows what the log and governance say."""
    deps = world.fetcher.deps
    journal = FetchJournal(world.log, world.clock, world.kept)
    world.fetcher = Fetcher(deps._replace(journal=journal))


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("polls", "new"),
    [
        ([numbered(f"https://pub.example/{{}}?cid={time}") for time in range(3)], [3, 0, 0]),
        (
            [
                numbered("https://pub.example/{}"),
                Page(b"<rss version='2.0'><channel></channel></rss>"),
                numbered("https://pub.example/{}"),
            ],
            [3, 0, 0],
        ),
    ],
    ids=["tracking", "empty once"],
)
def test_the_same_articles_are_observed_once(
    polls: list[Page], new: list[int], restarts: bool
) -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        for page in polls:
            world.web[FEED] = page
            await world.do(due(world.clock.now_ns()))
            if restarts:
                reborn(world)
        observed = await world.seen()
        fetches = [one for one in observed if isinstance(one, SourceFetched)]
        assert [one.new_articles for one in fetches] == new
        found = [one for one in observed if isinstance(one, ArticleObserved)]
        assert len(found) == 3 and all(one.backlog for one in found)
        assert len([one for one in observed if isinstance(one, SourceListed)]) == 1

    run(work())


def test_a_corrected_item_is_observed_as_the_same() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[FEED] = numbered("https://pub.example/{}")
        await world.do(due(0))
        world.web[FEED] = page = numbered("https://pub.example/{}")
        body = page.body.replace(b"Story number 1", b"CORRECTED-Story number 1")
        world.web[FEED] = Page(body)
        await world.do(due(world.clock.now_ns()))
        *first, corrected = [one for one in await world.seen() if isinstance(one, ArticleObserved)]
        (of,) = [one for one in first if one.item == corrected.item]
        assert of.title == "Story number 1 about the harbour"
        assert corrected.title == "CORRECTED-Story number 1 about the harbour"
        assert corrected.backlog  # it has no date yet, and may be of last year

    run(work())


def test_a_document_in_which_nothing_is_new_is_asked_for_by_its_newest_validators() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        for time in range(3):
            world.web[FEED] = numbered(f"https://pub.example/{{}}?cid={time}", ETag=f'"{time}"')
            await world.do(due(world.clock.now_ns()))
        assert world.asked[-1][1] == {"If-None-Match": '"1"'}
        reborn(world)
        world.web[FEED] = Page(status=304)
        await world.do(due(world.clock.now_ns()))
        assert world.asked[-1][1] == {"If-None-Match": '"0"'}  # what the log has
        last = (await world.seen())[-1]
        assert isinstance(last, SourceFetched) and (last.outcome, last.items) == ("unchanged", 3)

    run(work())


def test_a_listing_of_an_earlier_release_is_remembered_and_junk_is_passed_over() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        subject = subjects.listings("main", "wire")
        title = "Story number {0} about the harbour"
        known = [f"{n}|https://pub.example/{n}|{title.format(n)}" for n in range(3)]
        old = SourceListed1(
            source="wire", url=FEED, body_hash="", etag='"7"', last_modified="",
            items=[digest(one.encode())[:16] for one in known], listed_ns=1,
        )  # fmt: skip
        await world.log.send(subject, encode(old))
        world.web[FEED] = numbered("https://pub.example/{}")
        await world.do(due(0))
        assert world.asked[-1][1] == {"If-None-Match": '"7"'}
        assert [one for one in await world.seen() if isinstance(one, ArticleObserved)] == []
        await world.log.send(subject, b'{"type":"source_listed/9"}')
        journal = FetchJournal(world.log, world.clock, world.kept)
        memory = await journal.memory(source(FEED))
        assert (len(memory), memory.last) == (0, None)

    run(work())


def test_memories_that_are_too_many_are_read_again_from_where_they_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        monkeypatch.setattr(observing, "MAX_ITEMS_IN_MEMORY", 4)
        sources = [source(f"https://{name}.example/feed", source=name) for name in ("aa", "bb")]
        world = FetchWorld(*sources)
        for time in range(3):
            for one in sources:
                page = numbered(f"https://{one.source}.example/{{}}?cid={time}")
                story = f"story {time + 5}".encode()
                world.web[one.url] = Page(page.body.replace(b"story 0", story))
                job = FetchSource(source=one.source, due_ns=time and world.clock.now_ns())
                await world.do(job)
        assert [one.new_articles for one in await world.fetches()] == [3, 3, 1, 1, 1, 1]
        listed = [one for one in await world.seen() if isinstance(one, SourceListed)]
        assert [one.since > 0 for one in listed] == [False, False, True, True, True, True]

    run(work())


def test_a_link_that_is_followed_hands_on_what_the_item_is() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, follow_links=True))
        for title in (b"Story", b"CORRECTED: Story"):
            page = numbered("https://a.example/{}")
            world.web[FEED] = Page(page.body.replace(b"Story number 1", title + b" number 1"))
            await world.do(due(world.clock.now_ns()))
        jobs = [job for job in world.queued.jobs if isinstance(job, FetchPage)]
        assert [job.url[-1] for job in jobs] == ["2", "1", "0", "1"]
        assert jobs[1].item == jobs[3].item and all(job.backlog for job in jobs)
        assert len({job_id for _, _, job_id in world.queued.put_in}) == 4
        world.web[jobs[3].url] = html(f"<article>{PARAGRAPH}</article>")
        await world.do(jobs[3])
        (article,) = [one for one in await world.seen() if isinstance(one, ArticleObserved)]
        assert (article.item, article.backlog) == (jobs[3].item, True)

    run(work())


@pytest.mark.parametrize("status", [304, 200])
def test_an_unchanged_document_leaves_one_line(status: int) -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[FEED] = page = feed(("One", "https://a.example/1"), ETag='"7"')
        await world.do(due(0))
        first = len(await world.seen())
        world.web[FEED] = page if status == 200 else Page(status=304)
        await world.do(due(world.clock.now_ns()))
        (fetched,) = (await world.seen())[first:]
        assert isinstance(fetched, SourceFetched)
        assert (fetched.outcome, fetched.items, fetched.new_articles) == ("unchanged", 1, 0)

    run(work())


def test_an_answer_304_that_nobody_asked_for_is_a_problem() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[FEED] = Page(status=304)
        await world.do(due())
        (fetched,) = await world.seen()
        assert isinstance(fetched, SourceFetched)
        assert (fetched.outcome, fetched.problem) == ("failed", "http_status")

    run(work())


def test_a_changed_address_is_a_new_document() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[FEED] = world.web[FEED + "2"] = feed(("One", "https://a.example/1"), ETag='"7"')
        await world.do(due(0))
        world.know(source(FEED + "2"))
        await world.do(due(world.clock.now_ns()))
        assert world.asked[-1] == (FEED + "2", {})
        found = [one for one in await world.seen() if isinstance(one, ArticleObserved)]
        assert len(found) == 2

    run(work())


@pytest.mark.parametrize(
    ("problem", "status", "outcome"),
    [
        (FetchProblem.ROBOTS, 0, "refused"),
        (FetchProblem.FORBIDDEN_ADDRESS, 0, "refused"),
        (FetchProblem.UNREACHABLE, 0, "failed"),
        (FetchProblem.HTTP_STATUS, 503, "failed"),
    ],
)
def test_a_problem_with_a_source_is_recorded_at_once(
    problem: FetchProblem, status: int, outcome: str
) -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[FEED] = Unfetched(problem, "why", status)
        assert await world.do(due()) == DONE
        (fetched,) = await world.seen()
        assert isinstance(fetched, SourceFetched)
        assert (fetched.outcome, fetched.problem) == (outcome, problem.value)
        assert (fetched.detail, fetched.status, fetched.what) == ("why", status, "source")

    run(work())


def test_a_broken_feed_says_where_on_the_log_and_in_the_log_lines() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[FEED] = Page(b"<rss>\n<item>\n<title>A &nbsp; br")
        with structlog.testing.capture_logs() as lines:
            await world.do(due())
        (fetched,) = await world.seen()
        assert isinstance(fetched, SourceFetched)
        told = {"problem": "bad_xml", "detail": "line 3, item 1: the feed breaks off"}
        assert {"problem": fetched.problem, "detail": fetched.detail} == told
        (line,) = lines
        assert line == {"event": "nothing fetched", "log_level": "warning", "source": "wire",
                        "status": 0, **told}  # fmt: skip

    run(work())


def test_a_job_that_was_done_is_not_done_again() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[FEED] = feed(("One", "https://a.example/1"))
        await world.do(due(0))
        assert await world.do(due(0)) == DONE
        reborn = FetchWorld(source(FEED))
        reborn.log = world.log  # the same log, another process
        again = type(world.fetcher)(world.fetcher.deps)
        await again.handle(Delivery(9, "jobs.main.source", b'{"type":"fetch_source/1",'
                                    b'"source":"wire","due_ns":0}', 1))  # fmt: skip
        assert len(world.asked) == 1

    run(work())


@pytest.mark.parametrize(
    "told", [{"active": False}, {"kind": "push", "push_key": "x"}], ids=["inactive", "push"]
)
def test_a_source_that_is_not_fetched_leaves_nothing(told: dict[str, Any]) -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, **told))
        assert await world.do(due()) == DONE
        assert world.asked == [] and await world.seen() == []

    run(work())


def test_a_restricted_source_is_never_asked() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, restricted=True))
        await world.do(due())
        await world.do(page_job())
        found = await world.seen()
        assert [one.problem for one in found if isinstance(one, SourceFetched)] == [
            "restricted",
            "restricted",
        ]
        assert world.asked == []

    run(work())


def test_links_are_asked_for_before_they_count_as_seen() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, follow_links=True))
        world.web[FEED] = feed(("Two", "https://b.example/2"), ("One", "https://a.example/1"))
        world.queued.failure = LogUnavailable("away")
        with pytest.raises(LogUnavailable):
            await world.do(due())
        assert await world.seen() == []
        world.queued.failure = None
        await world.do(due())
        assert [(queue, job.url) for queue, job, _ in world.queued.put_in
                if isinstance(job, FetchPage)] == [
            ("page", "https://a.example/1"), ("page", "https://b.example/2"),
        ]  # fmt: skip
        listed, fetched = await world.seen()
        assert isinstance(listed, SourceListed) and isinstance(fetched, SourceFetched)
        assert fetched.new_articles == 2

    run(work())


def test_the_pages_of_a_paywalled_source_are_left_alone() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, follow_links=True, paywalled=True))
        world.web[FEED] = feed(("One", "https://a.example/1"))
        await world.do(due())
        await world.do(page_job())
        assert world.queued.put_in == []
        article, _, _, refused, _ = await world.seen()
        assert isinstance(article, ArticleObserved) and article.title == "One"
        assert isinstance(refused, SourceFetched) and refused.problem == "restricted"

    run(work())


# -- pages -------------------------------------------------------------------------------------


def test_a_page_becomes_an_article_with_what_its_link_knew() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web["https://a.example/1"] = html(f"<article>{PARAGRAPH}</article>")
        job = page_job(title="Told", language="en", published_ns=5)
        assert await world.do(job) == DONE
        article, fetched = await world.seen()
        assert isinstance(article, ArticleObserved) and isinstance(fetched, SourceFetched)
        assert (article.title, article.language, article.published_ns) == ("Told", "en", 5)
        assert (article.via, article.url) == ("html", "https://a.example/1")
        assert (fetched.what, fetched.url) == ("page", "https://a.example/1")

    run(work())


def test_a_page_that_fails_comes_again_and_is_given_up() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web["https://a.example/1"] = Unfetched(FetchProblem.HTTP_STATUS, "", 503)
        waits = []
        for attempt in range(1, limits.JOB_ATTEMPTS):
            verdict = await world.do(page_job(), attempt)
            assert isinstance(verdict, Later)
            waits.append(verdict.seconds)
        assert waits == [5, 10, 20, 40]
        assert await world.seen() == []
        assert await world.do(page_job(), limits.JOB_ATTEMPTS) == DONE
        fetched, _ = await world.seen()
        assert isinstance(fetched, SourceFetched)
        assert (fetched.problem, fetched.detail, fetched.status) == ("given_up", "http_status", 503)

    run(work())


def test_a_page_that_is_gone_is_given_up_at_once() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        assert await world.do(page_job()) == DONE
        fetched, _ = await world.seen()
        assert isinstance(fetched, SourceFetched)
        assert (fetched.problem, fetched.status) == ("http_status", 404)

    run(work())


def test_turns_far_off_are_no_attempts() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web["https://a.example/1"] = HostBusy(30)
        for attempt in range(1, 11):
            assert await world.do(page_job(), attempt) == Later(30)
        world.web["https://a.example/1"] = Unfetched(FetchProblem.UNREACHABLE)
        assert await world.do(page_job(), 11) == Later(5)

    run(work())


def test_a_job_that_kills_its_process_is_given_up() -> None:
    """Nothing but the number of deliveries is left of what a dead process tried."""

    async def work() -> None:
        world = FetchWorld(source(FEED))
        assert await world.do(page_job(), limits.JOB_DELIVERIES + 1) == DONE
        fetched, _ = await world.seen()
        assert isinstance(fetched, SourceFetched)
        assert (fetched.problem, world.asked) == ("given_up", [])

    run(work())


def test_a_job_for_an_unknown_source_waits_and_is_given_up() -> None:
    async def work() -> None:
        world = FetchWorld()
        assert await world.do(page_job()) == Later(5)
        assert await world.do(page_job(), limits.JOB_ATTEMPTS) == DONE
        fetched, _ = await world.seen()
        assert isinstance(fetched, SourceFetched)
        assert (fetched.problem, fetched.detail) == ("given_up", "unknown source")

    run(work())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"nonsense",
        b'{"type":"fetch_source/9"}',
        b'{"type":"fetch_source/1","source":"no.such>","due_ns":0}',
    ],
)
def test_a_job_that_is_none_is_dropped(payload: bytes) -> None:
    async def work() -> None:
        world = FetchWorld()
        assert await world.fetcher.handle(Delivery(1, "jobs.main.source", payload, 1)) == DONE
        assert await world.seen() == []

    run(work())


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://a.example/1", True),
        ("https://news.a.example/1", True),
        ("https://b.example/1", False),
        ("https://xa.example/1", False),
        ("https://a.example.evil.example/1", False),
        ("nonsense", False),
    ],
)
def test_others_may_ask_for_pages_of_the_sources_host_only(url: str, *, taken: bool) -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[url] = html(PARAGRAPH)
        await world.do(page_job(url, wanted_by="key"))
        assert bool(world.asked) is taken
        found = await world.seen()
        problems = [one.problem for one in found if isinstance(one, SourceFetched)]
        assert problems == ([""] if taken else ["bad_url"])

    run(work())


# -- html and the browser -----------------------------------------------------------------------


def test_an_index_asks_for_its_pages() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, kind="html", link_selector="a"))
        world.web[FEED] = html('<a href="/1">One</a>')
        await world.do(due())
        ((queue, job, _),) = world.queued.put_in
        assert isinstance(job, FetchPage)
        assert (queue, job.url, job.title) == ("page", "https://a.example/1", "One")

    run(work())


def test_a_page_that_is_the_source_is_an_article_each_time_its_text_changes() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, kind="html"))
        for text in ("one", "two", "two"):
            world.web[FEED] = html(f"<title>T</title><article>{PARAGRAPH}<p>{text}</p></article>")
            await world.do(due(world.clock.now_ns()))
        found = [one for one in await world.seen() if isinstance(one, ArticleObserved)]
        assert [one.excerpt[-3:] for one in found] == ["one", "two"]

    run(work())


@pytest.mark.parametrize("job", [due(), page_job(FEED)], ids=["source", "page"])
def test_a_page_that_shows_nothing_goes_to_the_browser_if_there_is_one(
    job: FetchSource | FetchPage,
) -> None:
    async def work() -> None:
        with_one = FetchWorld(source(FEED, kind="html"), has_browser=True)
        with_one.web[FEED] = html("<div id=root></div>")
        assert await with_one.do(job) == DONE
        assert with_one.queued.put_in == [("browser", job, "")]
        assert await with_one.seen() == []
        without = FetchWorld(source(FEED, kind="html"))
        without.web[FEED] = html("<div id=root></div>")
        await without.do(job)
        fetched, *_ = await without.seen()
        assert isinstance(fetched, SourceFetched) and fetched.problem == "no_text"

    run(work())


def test_the_browser_leaves_a_page_alone_that_the_fetcher_has_just_asked_for() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, kind="html"), renders=True, has_browser=True)
        world.web[FEED] = html(f"<article>{PARAGRAPH}</article>")
        assert await world.do(page_job(FEED)) == Later(30)
        assert world.asked == []
        assert await world.do(page_job(FEED), 2) == DONE
        (article, _) = await world.seen()
        assert isinstance(article, ArticleObserved) and article.via == "browser"

    run(work())


def test_what_the_browser_saw_says_so() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, kind="browser"), renders=True, has_browser=True)
        world.web[FEED] = html(f"<article>{PARAGRAPH}</article>")
        await world.do(due())
        article = (await world.seen())[0]
        assert isinstance(article, ArticleObserved) and article.via == "browser"
        world.web[FEED] = html("")
        await world.do(due(world.clock.now_ns()))
        assert world.queued.put_in == []

    run(work())


# -- bytes, and a log that fails ------------------------------------------------------------------


def test_bytes_are_kept_where_the_source_says_so() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, keep_raw_days=7))
        page = world.web[FEED] = feed(("One", "https://a.example/1"))
        await world.do(due())
        article = (await world.seen())[0]
        assert isinstance(article, ArticleObserved)
        assert isinstance(page, Page)
        assert article.raw == digest(page.body)
        assert world.kept.bytes == {article.raw: page.body}

    run(work())


def test_an_article_counts_for_more_than_its_bytes() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, keep_raw_days=7))
        world.kept.failure = LogUnavailable("full")
        world.web[FEED] = feed(("One", "https://a.example/1"))
        await world.do(due())
        article = (await world.seen())[0]
        assert isinstance(article, ArticleObserved) and article.raw == ""

    run(work())


def test_two_copies_of_a_job_at_once_fetch_once() -> None:
    import asyncio

    async def work() -> None:
        world = FetchWorld(source(FEED))
        world.web[FEED] = feed(("One", "https://a.example/1"))
        await asyncio.gather(world.do(due(), sequence=1), world.do(due(), sequence=2))
        assert len(world.asked) == 1

    run(work())


def test_a_full_feed_fits_one_batch() -> None:
    async def work() -> None:
        world = FetchWorld(source(FEED, excerpt_chars=MAX_EXCERPT_CHARS))
        world.web[FEED] = feed(*[(f"T{n}", f"https://a.example/{n}") for n in range(1_000)])
        assert await world.do(due()) == DONE
        assert len(await world.seen()) == limits.MAX_FEED_ITEMS + 2
        listed = await world.log.last(subjects.listings("main", "wire"))
        assert listed is not None and len(listed.payload) < MAX_PAYLOAD_BYTES

    run(work())
