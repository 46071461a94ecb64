"""The read API of reality, over what a story's news led to."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from schemas.chain import digest
from schemas.units import from_decimal
from tests.projections.api.test_api import ok, reading_from, refused
from tests.projections.news import News
from tests.projections.reading import last_projected, project_all, rows
from tests.projections.story import Story, told
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def story() -> Story:
    it = told(seed=3, records=80)
    it.news.fetch("fetched", 2)
    return it


@pytest.fixture
def news(story: Story) -> News:
    return story.news


@pytest.fixture(scope="module")
def news_dsn(postgres: PostgresServer, story: Story) -> str:
    """A database that the story was projected into; these tests only read it."""
    dsn = postgres.new_database()
    asyncio.run(_project(story, dsn))
    return dsn


async def _project(story: Story, dsn: str) -> None:
    await project_all(story.scribe.server, dsn)


@pytest.fixture
async def api(news_dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    async with reading_from(news_dsn) as client:
        yield client


async def pages(api: httpx.AsyncClient, path: str, name: str, **query: Any) -> list[dict[str, Any]]:
    """Walk a list to its end in small pages."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await ok(api, path, limit=3, **query)
        assert len(answer[name]) <= 3
        found += answer[name]
        if answer["next"] is None:
            return found
        query["before"] = answer["next"]


async def test_events_of_a_market(api: httpx.AsyncClient, news: News, story: Story) -> None:
    found = await pages(api, "/market/S1/events", "events")
    wanted = {key: event for key, event in news.events.items() if event.symbol == "S1"}
    assert len(found) == len(wanted) > 3
    assert {one["event_id"]: (one["state"], one["summary"]) for one in found} == {
        key: (event.state, event.summary) for key, event in wanted.items()
    }
    clusters = [one["cluster"] for one in found]
    assert clusters == sorted(clusters, reverse=True)
    assert found[0]["quick_score"] == "-0.0550"
    assert found[0]["weight"] == "2.0282"
    assert found[0]["points"] == "-11.50"
    answer = await ok(api, "/market/S1/events")
    assert answer["sequence"] == last_projected(story.scribe.server)


async def test_one_event_with_all_that_belongs_to_it(api: httpx.AsyncClient, news: News) -> None:
    asked = reviewed = moved = 0
    for key, event in news.events.items():
        answer = await ok(api, f"/events/{key}")
        assert answer["event"]["event_id"] == key
        assert {one["article"] for one in answer["articles"]} == set(event.articles)
        assert {one["title"] for one in answer["articles"]} == {
            news.titles[one] for one in event.articles
        }
        assert answer["articles"][0]["sentiment"] == "-0.0100"
        assert all(call["event_id"] == key for call in answer["llm_calls"])
        assert all(change["event_id"] == key for change in answer["score_changes"])
        asked += len(answer["llm_calls"])
        reviewed += len(answer["reviews"])
        moved += len(answer["score_changes"])
    assert asked > 0
    assert reviewed == len(news.reviews)
    assert moved == news.moves


async def test_articles_by_source_and_symbol(api: httpx.AsyncClient, news: News) -> None:
    found = await pages(api, "/articles", "articles")
    assert {one["article"]: one["status"] for one in found} == news.outcomes
    assert {one["article"]: one["title"] for one in found} == news.titles
    ids = [one["article"] for one in found]
    assert ids == sorted(ids, reverse=True)
    assert "excerpt" not in found[0]
    name = news.sources[0]
    own = await pages(api, "/articles", "articles", source=name)
    assert [one["article"] for one in own] == [
        one["article"] for one in found if one["source"] == name
    ]
    assert 0 < len(own) < len(found)
    about = await pages(api, "/articles", "articles", symbol="S0")
    assert {one["article"] for one in about} == {
        article
        for event in news.events.values()
        if event.symbol == "S0"
        for article in event.articles
    }
    both = await pages(api, "/articles", "articles", symbol="S0", source=name)
    assert {one["article"] for one in both} == {
        one["article"] for one in about if one["source"] == name
    }
    assert (await ok(api, "/articles", source="no-such-source"))["articles"] == []


async def test_sources(api: httpx.AsyncClient, news: News) -> None:
    answer = await ok(api, "/sources", limit=2)
    rest = await ok(api, "/sources", after=answer["next"])
    found = answer["sources"] + rest["sources"]
    assert [one["source"] for one in found] == sorted(news.sources)
    for one in found:
        counts = [one["fetches"], one["failures"], one["articles"]]
        assert counts == news.fetches[one["source"]]
        assert (await ok(api, f"/sources/{one['source']}"))["source"] == one
        assert one["trust"] in ("0.8500", "0.4000")
        assert one["last_fetch"]["outcome"] in ("fetched", "unchanged", "failed", "refused")


async def test_reviews(api: httpx.AsyncClient, news: News) -> None:
    found = await pages(api, "/reviews", "reviews")
    assert {one["proposal_hash"]: one["status"] for one in found} == news.reviews
    for state in ("open", "approved", "rejected", "expired", "withdrawn"):
        some = await pages(api, "/reviews", "reviews", state=state)
        assert {one["proposal_hash"] for one in some} == {
            key for key, status in news.reviews.items() if status == state
        }
    own = await pages(api, "/reviews", "reviews", symbol="S0", state="open")
    assert own == [one for one in found if one["symbol"] == "S0" and one["status"] == "open"]
    over = 0
    for one in found:
        answer = await ok(api, f"/reviews/{one['proposal_hash']}")
        assert answer["review"] == one
        assert digest(one["proposal"].encode()) == one["proposal_hash"]
        assert (one["final_price_now"], one["final_price_if_approved"]) == ("51.00", "43.00")
        assert (answer["audit"] is None) == (one["status"] == "open")
        if answer["audit"] is not None:
            over += 1
            assert answer["audit"]["summary"] == news.audited[one["proposal_hash"]]
            assert answer["audit"]["approved"] == (one["status"] == "approved")
            assert answer["audit"]["impact"] == "-17.50"
    assert 0 < over < len(found)


async def test_score_changes(api: httpx.AsyncClient, news: News) -> None:
    found = await pages(api, "/score-changes", "changes")
    assert len(found) == len({one["change_id"] for one in found}) == news.moves
    for symbol, score in news.scores.items():
        own = await pages(api, "/score-changes", "changes", symbol=symbol)
        assert own == [one for one in found if one["symbol"] == symbol]
        assert own[0]["new_score"] == f"{score // 100}.{score % 100:02d}"
        for later, earlier in pairwise(own):
            assert later["old_score"] == earlier["new_score"]


async def test_a_sources_ledger(api: httpx.AsyncClient, news: News) -> None:
    days = await pages(api, "/sources/source0/ledger", "days")
    for later, earlier in pairwise(days):
        assert later["day"] > earlier["day"] or later["symbol"] < earlier["symbol"]
    assert sum(one["unsigned_moves"] for one in days) > 0
    of_it = await pages(api, "/sources/source0/ledger", "days", symbol="S1")
    assert of_it == [one for one in days if one["symbol"] == "S1"]
    first = await ok(api, "/sources/source0/ledger/symbols", limit=1)
    rest = await ok(api, "/sources/source0/ledger/symbols", after=first["next"])
    found = first["symbols"] + rest["symbols"]
    assert [one["symbol"] for one in found] == sorted({one["symbol"] for one in days})
    for one in found:
        own = [day for day in days if day["symbol"] == one["symbol"]]
        moved = sum(
            from_decimal(day[kind])
            for day in own
            for kind in ("unsigned", "approved", "taken_back")
        )
        score = news.scores[one["symbol"]]
        assert (from_decimal(one["moved"]), from_decimal(one["score"])) == (moved, score)
        assert from_decimal(one["score_without"]) == min(max(score - moved, 0), 10_000)
    assert (await ok(api, "/sources/source1/ledger"))["days"] == []


async def test_llm_calls(api: httpx.AsyncClient, news_dsn: str) -> None:
    found = await pages(api, "/llm-calls", "calls")
    stored = rows(news_dsn, "SELECT call FROM llm_calls ORDER BY call DESC")
    assert [one["call"] for one in found] == [row["call"] for row in stored]
    used = next(one for one in found if one["status"] == "used")
    assert (used["impact"], used["confidence"]) == ("-25.50", "0.7000")
    invalid = next(one for one in found if one["status"] == "invalid")
    assert (invalid["summary"], invalid["error"]) == (None, "not JSON")
    mode = (await ok(api, "/llm-calls"))["mode"]
    assert (mode["mode"], mode["availability"]) == ("degraded", "enabled")


async def test_markets_show_score_confidence_and_what_waits(
    api: httpx.AsyncClient, news: News
) -> None:
    for market in (await ok(api, "/markets"))["markets"]:
        score = news.scores[market["symbol"]]
        assert market["reality_score"] == f"{score // 100}.{score % 100:02d}"
        assert market["confidence"].startswith("0.6")
        waits = [
            event
            for event in news.events.values()
            if event.symbol == market["symbol"] and event.state == "pending_review"
        ]
        assert market["pending_reviews"] == len(waits)
        assert (await ok(api, f"/market/{market['symbol']}"))["market"] == market


async def test_search_by_recency_and_reputation(dsn: str) -> None:
    story = told(seed=5, records=4)
    story.list_markets(["QUIET"])
    server = story.scribe.server
    await project_all(server, dsn)
    async with reading_from(dsn) as api:

        async def found(**query: str) -> list[str]:
            answer = await ok(api, "/search", **query)
            return [market["symbol"] for market in answer["markets"]]

        assert await found() == ["QUIET", "S0", "S1"]
        assert await found(recency="24h") == ["S0", "S1"]
        assert await found(source_reputation="0.85") == ["S0", "S1"]
        assert await found(source_reputation="0.8501") == []
        assert await found(source_reputation="1", recency="1h") == []
        assert await found(recency="24h", source_reputation="0.5", q="s1") == ["S1"]
        story.scribe.time_ns += 8 * 24 * 3600 * 10**9
        story.list_markets(["LATER"])
        await project_all(server, dsn, "two")
        assert await found(recency="7d") == []
        assert await found(recency="7d", source_reputation="0") == []
        assert await found(recency="30d") == ["S0", "S1"]


async def test_the_audit_tells_of_reviews_and_quarantine(
    api: httpx.AsyncClient, news: News
) -> None:
    events = (await ok(api, "/audit", limit=1000))["events"]
    opened = [one for one in events if one["kind"] == "review_opened"]
    assert {one["proposal_hash"] for one in opened} == set(news.reviews)
    closed = next(one for one in events if one["kind"] == "review_closed")
    assert news.reviews[closed["proposal_hash"]] in closed["detail"]
    shut = next(one for one in events if one["kind"] == "source_quarantined")
    assert shut["source"] in news.sources
    assert "61 in an hour" in shut["detail"]


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/market/NOPE/events", {}, 404, "unknown_symbol"),
        ("/market/S1/events", {"before": "x"}, 422, "bad_input"),
        ("/events/1-NOPE", {}, 404, "not_found"),
        ("/events/a%00b", {}, 422, "bad_input"),
        (f"/events/{'9' * 65}", {}, 422, "bad_input"),
        ("/articles", {"symbol": "no\0"}, 404, "unknown_symbol"),
        ("/articles", {"source": "a\0"}, 422, "bad_input"),
        ("/articles", {"before": 2**63}, 422, "bad_input"),
        ("/sources/nobody", {}, 404, "not_found"),
        ("/sources", {"after": "\0"}, 422, "bad_input"),
        ("/sources/nobody/ledger", {}, 404, "not_found"),
        ("/sources/nobody/ledger/symbols", {}, 404, "not_found"),
        ("/sources/source0/ledger", {"before": "20787"}, 400, "malformed"),
        ("/sources/source0/ledger", {"before": "x-RAIN"}, 400, "malformed"),
        ("/sources/source0/ledger", {"before": "1-\0"}, 400, "malformed"),
        ("/sources/source0/ledger", {"symbol": "a b"}, 404, "unknown_symbol"),
        ("/reviews/nothing", {}, 404, "not_found"),
        ("/reviews", {"state": "maybe"}, 422, "bad_input"),
        ("/reviews", {"before": "1-x"}, 400, "malformed"),
        ("/score-changes", {"before": "-"}, 400, "malformed"),
        ("/score-changes", {"symbol": "a b"}, 404, "unknown_symbol"),
        ("/llm-calls", {"limit": 0}, 422, "bad_input"),
        ("/search", {"recency": "2h"}, 422, "bad_input"),
        ("/search", {"source_reputation": "1.1"}, 422, "bad_input"),
        ("/search", {"source_reputation": "nan"}, 422, "bad_input"),
    ],
)
async def test_bad_input(
    api: httpx.AsyncClient, path: str, query: dict[str, Any], status: int, code: str
) -> None:
    assert await refused(api, path, **query) == (status, code)


async def test_jobs_that_were_given_up(api: httpx.AsyncClient, news: News, story: Story) -> None:
    found = await pages(api, "/jobs", "jobs")
    assert {one["url"].rpartition("/")[2]: one["status"] for one in found} == {
        "dead": "dead",
        "retried": "retried",
        "done": "done",
        "again": "dead",
    }
    sequences = [one["sequence"] for one in found]
    assert sequences == sorted(sequences, reverse=True)
    dead = await pages(api, "/jobs", "jobs", status="dead")
    assert [one for one in found if one["status"] == "dead"] == dead
    robots = await pages(api, "/jobs", "jobs", status="dead", reason="robots")
    assert [one["url"] for one in robots] == [f"https://{news.sources[0]}.test/again"]
    assert await pages(api, "/jobs", "jobs", source=news.sources[0]) == found
    assert await pages(api, "/jobs", "jobs", source=news.sources[1]) == []
    one = dead[-1]
    answer = await ok(api, f"/jobs/{one['job']}")
    assert answer["job"] == one
    assert (one["attempts"], one["reason"], one["detail"]) == (5, "unreachable", "ConnectTimeout")
    assert (one["retried_by"], one["retried_at"]) == (None, None)


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/jobs/0123456789abcdef", {}, 404, "not_found"),
        ("/jobs/NOPE", {}, 422, "bad_input"),
        ("/jobs", {"status": "asked"}, 422, "bad_input"),
        ("/jobs", {"reason": "';--"}, 422, "bad_input"),
        ("/jobs", {"limit": 0}, 422, "bad_input"),
    ],
)
async def test_jobs_that_are_none(
    api: httpx.AsyncClient, path: str, query: dict[str, Any], status: int, code: str
) -> None:
    assert await refused(api, path, **query) == (status, code)
