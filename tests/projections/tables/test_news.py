"""What the tables say of articles, events, reviews and sources, checked against the news."""

import asyncio

import pytest

from projections.limits import PROJECT_BATCH_RECORDS
from projections.store import checkpoint
from schemas.chain import digest
from schemas.codec import encode
from tests.projections.news import UNKNOWN_SOURCE, News
from tests.projections.reading import project_all, rows
from tests.projections.story import Story, told
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def story() -> Story:
    it = told(seed=5, records=60)
    it.news.fetch("fetched", 2)
    return it


@pytest.fixture
def news(story: Story) -> News:
    return story.news


@pytest.fixture(scope="module", params=[2, PROJECT_BATCH_RECORDS], ids="batches of {}".format)
def dsn(request: pytest.FixtureRequest, postgres: PostgresServer, story: Story) -> str:
    """A database that the story was projected into; these tests only read it.

    In small batches the steps of SQL have to get right what else is settled in memory.
    """
    name = postgres.new_database()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoint, "PROJECT_BATCH_RECORDS", request.param)
        asyncio.run(_project(story, name))
    return name


async def _project(story: Story, dsn: str) -> None:
    await project_all(story.scribe.server, dsn)


async def test_every_article_has_its_first_outcome(dsn: str, news: News) -> None:
    found = {row["article"]: row for row in rows(dsn, "TABLE articles")}
    assert {key: row["status"] for key, row in found.items()} == news.outcomes
    assert {key: row["title"] for key, row in found.items()} == news.titles
    assert set(news.outcomes.values()) == {"observed", "dropped", "grouped"}
    for row in found.values():
        assert (row["cluster"] is not None) == (row["status"] == "grouped")
        assert (row["drop_reason"] == "duplicate") == (row["status"] == "dropped")
        assert row["sequence"] > row["article"] or row["status"] == "observed"
    assert "excerpt" not in next(iter(found.values()))
    twice = "SELECT snapshot_id FROM articles GROUP BY snapshot_id HAVING count(*) > 1"
    assert rows(dsn, twice), "an article that is observed twice is two rows"


async def test_events_stand_as_the_last_word_on_them_says(dsn: str, news: News) -> None:
    found = {row["event_id"]: row for row in rows(dsn, "TABLE events")}
    assert {key: row["state"] for key, row in found.items()} == {
        key: event.state for key, event in news.events.items()
    }
    assert len({row["state"] for row in found.values()}) >= 5
    assert {key: row["summary"] for key, row in found.items()} == {
        key: event.summary for key, event in news.events.items()
    }
    assert any(event.summary.startswith("words") for event in news.events.values())
    articles = rows(dsn, "SELECT event_id, article FROM event_articles")
    assert {(row["event_id"], row["article"]) for row in articles} == {
        (key, article) for key, event in news.events.items() for article in event.articles
    }
    for row in found.values():
        assert row["opened_ns"] <= row["changed_ns"]
        assert row["event_id"] == f"{row['cluster']}-{row['symbol']}"
        if row["state"] not in ("candidate", "final"):
            assert row["proposal_hash"] is not None


async def test_reviews_and_their_audit(dsn: str, news: News) -> None:
    found = {row["proposal_hash"]: row for row in rows(dsn, "TABLE reviews")}
    assert {key: row["status"] for key, row in found.items()} == news.reviews
    assert len(set(news.reviews.values())) >= 3
    for key, row in found.items():
        assert digest(row["proposal"].encode()) == key
        assert row["proposal"].encode() == encode(news.proposals[key])
        assert (row["final_price_e2"], row["final_if_approved_e2"]) == (5_100, 4_300)
        assert (row["closed_ns"] is None) == (row["status"] == "open")
    assert any(row["refused"] == "holds_the_symbol" for row in found.values())
    audit = {row["proposal_hash"]: row for row in rows(dsn, "TABLE llm_audit")}
    assert {key: row["summary"] for key, row in audit.items()} == news.audited
    for key, row in audit.items():
        assert row["outcome"] == news.reviews[key]
        assert row["approved"] == (row["outcome"] == "approved") == bool(row["approved_by"])
        assert row["impact_e2"] == -1_750


async def test_scores_and_their_moves(dsn: str, news: News) -> None:
    scores = {row["symbol"]: row for row in rows(dsn, "TABLE scores")}
    assert {key: scores[key]["reality_score_e2"] for key in news.scores} == news.scores
    assert any(row["confidence_bp"] for row in scores.values())
    moves = rows(dsn, "SELECT * FROM score_changes ORDER BY sequence, ordinal")
    assert len(moves) == news.moves
    for symbol, score in news.scores.items():
        own = [row for row in moves if row["symbol"] == symbol]
        assert 5_000 + sum(row["delta_e2"] for row in own) == score
    approved = {key for key, status in news.reviews.items() if status == "approved"}
    assert {row["proposal_hash"] for row in moves if row["proposal_hash"]} == approved


async def test_sources_with_what_was_fetched(dsn: str, news: News) -> None:
    found = {row["source"]: row for row in rows(dsn, "TABLE sources")}
    assert set(found) == set(news.sources)
    assert UNKNOWN_SOURCE not in found
    assert {
        key: [row["fetches"], row["failures"], row["articles"]] for key, row in found.items()
    } == news.fetches
    fetched = next(row for row in found.values() if row["fetches"])
    assert fetched["last_outcome"] in ("fetched", "unchanged", "failed", "refused")
    released = found[news.sources[-1]]
    assert (released["quarantined_until_ns"] == 0) == (released["quarantine_reason"] == "")


async def test_calls_and_mode_of_the_llm(dsn: str, news: News) -> None:
    calls = rows(dsn, "TABLE llm_calls")
    statuses = {row["status"] for row in calls}
    assert statuses == {"used", "unknown", "invalid", "undecided"}
    for row in calls:
        assert (row["summary"] is None) == (row["error"] != "")
        if row["status"] == "undecided":
            assert row["request_id"] == "7-S0"
    [mode] = rows(dsn, "TABLE llm_mode")
    assert (mode["mode"], mode["availability"]) == ("degraded", "enabled")
    assert mode["until_ns"] > 0


async def test_what_people_answer_for_is_audited(dsn: str, news: News) -> None:
    kinds = {row["event"] for row in rows(dsn, "SELECT DISTINCT event FROM audit_events")}
    assert {
        "review_opened/1",
        "review_closed/2",
        "review_answer_refused/1",
        "source_added/1",
        "source_quarantined/1",
        "llm_mode_changed/1",
    } <= kinds
    assert not kinds & {"article_dropped/1", "impact_assessed/2", "score_changed/1"}
    opened = rows(dsn, "SELECT * FROM audit_events WHERE event = 'review_opened/1'")
    assert {row["proposal_hash"] for row in opened} == set(news.reviews)
    assert {row["symbol"] for row in opened} <= set(news.symbols)
    added = rows(dsn, "SELECT source FROM audit_events WHERE event = 'source_added/1'")
    assert {row["source"] for row in added} == set(news.sources)
