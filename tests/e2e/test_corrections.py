"""A feed as it really is, on a real venue: polled with tracking, then corrected.

What moved the score is taken back, and nothing is counted twice.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from schemas.events import reality
from schemas.observations import ArticleObserved, SourceFetched, SourceListed
from tests.e2e.test_reality import FETCHED_WITHIN_S, MILD, SYMBOL, World, found
from tests.support.news import Document, Item, news
from tests.support.venue import venue
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OLD = Item(
    "Oslo rain disaster remembered: fatal flood and scandal",
    "A terrible disaster hit Oslo rain fans. The catastrophe killed hopes, the scandal is "
    "horrible, and the awful losses are a tragedy and a crisis for everyone.",
)
CORRECTED = Item(
    "CORRECTED-Oslo rain festival is cancelled",
    "(Corrects to say it was cancelled, not opened) The Oslo rain festival was cancelled on "
    "Friday after a terrible accident in the harbour. Visitors were angry and sad.",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with news() as web, venue(tmp_path / "data") as at:
        found(at, tmp_path)
        at.run(
            "admin", "list-market", SYMBOL, "--name", "Rain in Oslo", "--type", "social",
            "--alias", "Oslo rain", "--market-weight", "0.40",
        )  # fmt: skip
        yield World(at, web)


def publish(world: World, poll: int, story: Item) -> str:
    """Serve the story and one of unknown age, with links and guids that each poll has anew."""
    date = format_datetime(datetime.now(UTC) - timedelta(minutes=1))
    rows = "".join(
        f"<item><title>{item.title}</title><link>{world.web.url}/{name}?utm_term={poll}</link>"
        f"<guid isPermaLink='false'>{poll}-{name}</guid>{dated}"
        f"<description>{item.text}</description></item>"
        for name, item, dated in (
            ("story", story, f"<pubDate>{date}</pubDate>"),
            ("old", OLD, ""),
        )
    )
    text = f"<rss version='2.0'><channel><title>N</title>{rows}</channel></rss>"
    return world.web.serve("/herald.xml", Document(text.encode(), "application/rss+xml"))


def fetches(world: World) -> int:
    return sum(one.outcome == "fetched" for _, one in world.observed(SourceFetched))


def polled_again(world: World) -> None:
    before = fetches(world)
    wait_for("it is polled", lambda: fetches(world) > before, 60)


def test_a_story_is_counted_once_and_taken_back_when_it_is_corrected(world: World) -> None:
    world.add("herald", publish(world, 0, MILD))
    wait_for("a score moved", lambda: world.decided(reality.ScoreChanged), FETCHED_WITHIN_S)
    ((_, _, moved),) = world.decided(reality.ScoreChanged)
    assert (moved.old_score_e2, moved.delta_e2 > 0) == (5_000, True)
    assert len(world.dropped("undated")) == 1
    for poll in (1, 2):
        publish(world, poll, MILD)
        polled_again(world)
    assert len(world.observed(ArticleObserved)) == 2
    assert len(world.observed(SourceListed)) == 1

    publish(world, 3, CORRECTED)
    wait_for("it is taken back", lambda: world.decided(reality.ScoreTakenBack), 60)
    ((_, _, back),) = world.decided(reality.ScoreTakenBack)
    assert (back.old_score_e2, back.new_score_e2) == (moved.new_score_e2, 5_000)
    assert (back.source, back.reason) == ("herald", "corrected")
    by_title = {one.title: one for _, one in world.observed(ArticleObserved)}
    assert len(by_title) == 3
    assert by_title[MILD.title].item == by_title[CORRECTED.title].item != by_title[OLD.title].item
    told = [event for _, _, event in world.decided(reality.ArticleAssessed)]
    assert told[-1].quick_bp < 0
    assert world.venue.run("verify").returncode == 0
