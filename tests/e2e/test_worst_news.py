"""One feed of the worst kinds, polled three times by a real venue: what moves, and what does not.

Every item is about a market of its own, so that each kind of oddity moves a score or leaves it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final, NamedTuple

import pytest

from schemas.events import reality
from schemas.observations import ArticleObserved, SourceFetched
from tests.e2e.test_reality import FETCHED_WITHIN_S, World, found
from tests.support.news import Document, news
from tests.support.venue import venue
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NAMES: Final = {
    "ACME": "Acme",
    "APPLE": "Apple",
    "BRINE": "Brine & Sons",
    "LATIMER": "Latimer",
    "MCD": "McDonald's",
    "NORDAIR": "Nordair",
    "OLDEN": "Olden Lines",
    "QUAY": "Quay Port",
    "TRACKO": "Tracko",
    "UNDINE": "Undine Foods",
    "ZETA": "Zeta Bank",
}
START_E2: Final = 5_000
MONTHS: Final = timedelta(days=150)


class Told(NamedTuple):
    """An item of the feed, and how it says when it was: see `_dates`."""

    key: str
    title: str
    text: str
    date: str = "fresh"

    def row(self, query: str, dates: dict[str, str], link: str = "https://quay.example/") -> str:
        """Return the item as the feed has it; nothing in it is escaped."""
        return (
            f"<item><title>{self.title}</title><link>{link}{self.key}?{query}</link>"
            f'<guid isPermaLink="false">{self.key}</guid>{dates[self.date]}'
            f"<description>{self.text}</description></item>\n"
        )


STORIES: Final = (
    Told("brine", "Brine & Sons wins award", "Brine&nbsp;&amp;&nbsp;Sons is happy with the award "
         "for its pickles, and visitors were glad, too."),
    Told("apple", "An apple a day, orchards say", "A great harvest: every apple is good, and the "
         "growers are happy with the best summer in years."),
    Told("mcd", "McDonald’s wins praise for its kitchens", "McDonald’s was praised for clean "
         "kitchens and friendly staff. Guests were happy."),
    Told("nordair", "Nordair isn’t good on punctuality", "Passengers aren’t happy with Nordair. "
         "The service wasn’t good this summer, they say."),
    Told("tracko", "Tracko opens a new depot", "Tracko opened a depot in the north. Its staff are "
         "happy with the good new building."),
    Told("olden", "Olden Lines wins award for ferries", "Olden Lines is happy: a great award for "
         "the best ferries of the year.", "old, without a zone"),
    Told("olden-2", "Olden Lines praised by guests", "Guests praise Olden Lines for good food and "
         "a happy crew on the new ships.", "old, with slashes"),
    Told("undine", "Undine Foods wins award", "Undine Foods is happy with a great award for its "
         "best soups, and so are its friends.", "none"),
)  # fmt: skip
LATIMER: Final = Told(
    "latimer", "Latimer wins praise for its bridges", "Latimer built a good bridge. People in the "
    "town are happy with it and thank the workers.", "none",
)  # fmt: skip
"""It is there from the second poll on."""
RISES: Final = Told(
    "acme", "Acme profit rises 10%", "Acme said its profit rose 10% from a year earlier. The "
    "company is based in Oslo and employs 4,000 people.",
)  # fmt: skip
CORRECTED: Final = Told(
    "acme", "CORRECTED-Acme profit falls 10%", "(Corrects to say profit fell, not rose) Acme said "
    "its profit fell 10% from a year earlier. The company is based in Oslo and employs 4,000 "
    "people.",
)  # fmt: skip
"""What stands in its place at the third poll."""
LINKED: Final = Told("strike.html", "Strike at Quay Port ends", "")


def _dates() -> dict[str, str]:
    now = datetime.now(UTC)
    old = now - MONTHS
    said = {
        "fresh": format_datetime(now - timedelta(minutes=5)),
        "old, without a zone": f"{old:%a, %d %b %Y %H:%M:%S}",
        "old, with slashes": f"{old:%Y/%m/%d %H:%M:%S}",
    }
    return {"none": "", **{how: f"<pubDate>{text}</pubDate>" for how, text in said.items()}}


def feed(poll: int) -> bytes:
    """Return the feed as it is at a poll: its links track, its XML is broken, its dates are odd."""
    stories = [*STORIES, CORRECTED if poll == 3 else RISES]
    if poll > 1:
        stories.insert(0, LATIMER)
    rows = "".join(one.row(f"utm_source=feed&cid={poll}", _dates()) for one in stories)
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Quay</title>'
        f"<language>en</language><pier:berth>4\x0b</pier:berth>{rows}</channel></rss>"
        "<script>count()</script>"
    ).encode()


STRIKE: Final = (
    '<html lang="en"><head><meta charset="utf-8"><title>Strike at Quay Port ends</title></head>'
    '<body><article class="card"><a href="/x"><p>Zeta Bank chief charged with a terrible fraud, '
    'prosecutors say in court.</p></a></article><div class="story">'
    + "".join(
        f"<p>Quay Port said on Tuesday that the strike of the crane drivers is over after {day} "
        "days, and that it is glad of a good agreement with its workers.</p>"
        for day in range(5, 11)
    )
    + "</div></body></html>"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give a venue of the calibrated policy with a market for each kind, which was told all."""
    folder = tmp_path_factory.mktemp("worst")
    with news() as web, venue(folder / "data") as at:
        found(at, folder)
        for symbol, name in NAMES.items():
            at.run("admin", "list-market", symbol, "--name", name, "--type", "social")
        world = World(at, web)
        _publish(world)
        yield world


def _publish(world: World) -> None:
    """Have the venue poll the feed three times, and follow a link to a page with a teaser."""
    web = world.web
    web.serve("/strike.html?", Document(STRIKE.encode()))
    row = LINKED.row("", _dates(), f"{web.url}/")
    linking = f'<rss version="2.0"><channel><title>Links</title>{row}</channel></rss>'
    world.add(
        "linking",
        web.serve("/linking.xml", Document(linking.encode(), "application/rss+xml")),
        "--follow-links",
    )
    for poll in (1, 2, 3):
        _poll(world, poll)
    wait_for("the page is read", lambda: LINKED.title in _titles(world), 60)
    wait_for("all is decided", lambda: _is_decided(world), FETCHED_WITHIN_S)


def _poll(world: World, poll: int) -> None:
    url = world.web.serve("/worst.xml", Document(feed(poll), "application/rss+xml"))
    if poll == 1:
        world.add("worst", url)
    wait_for(f"poll {poll}", lambda: _brought(world) >= poll, FETCHED_WITHIN_S)


def _brought(world: World) -> int:
    fetches = [one for _, one in world.observed(SourceFetched) if one.source == "worst"]
    assert not [one.problem for one in fetches if one.problem]
    return sum(one.outcome == "fetched" for one in fetches)


def _titles(world: World) -> list[str]:
    return [one.title for _, one in world.observed(ArticleObserved)]


def _is_decided(world: World) -> bool:
    kinds = (reality.ArticleDropped, reality.ClusterOpened, reality.ArticleGrouped)
    decided = {event.article for kind in kinds for _, _, event in world.decided(kind)}
    return {sequence for sequence, _ in world.observed(ArticleObserved)} <= decided


def scores_e2(world: World) -> dict[str, list[int]]:
    """Return the scores that each symbol has had, from the first to the last."""
    scores = {symbol: [START_E2] for symbol in NAMES}
    for _, _, event in world.decided(reality.ScoreChanged):  # those taken back among them
        scores[event.symbol].append(event.new_score_e2)
    return scores


@pytest.mark.parametrize("symbol", ["BRINE", "LATIMER", "MCD", "QUAY", "TRACKO"])
def test_what_is_told_of_a_market_moves_it(world: World, symbol: str) -> None:
    assert scores_e2(world)[symbol][-1] > START_E2


def test_what_a_curly_apostrophe_negates_lowers(world: World) -> None:
    assert scores_e2(world)["NORDAIR"][-1] < START_E2


@pytest.mark.parametrize(
    "symbol",
    [
        pytest.param("APPLE", id="a word that is a name in another case"),
        pytest.param("OLDEN", id="items of months ago whose dates have no zone"),
        pytest.param("UNDINE", id="an item without a date on the first fetch"),
        pytest.param("ZETA", id="the teaser of another story on a page"),
    ],
)
def test_what_is_no_news_of_a_market_leaves_it(world: World, symbol: str) -> None:
    assert scores_e2(world)[symbol] == [START_E2]


def test_a_correction_takes_back_what_the_story_moved(world: World) -> None:
    _, risen, *_ = scores_e2(world)["ACME"]
    assert risen > START_E2
    assert scores_e2(world)["ACME"][-1] <= START_E2


def test_links_that_track_bring_each_article_once(world: World) -> None:
    titles = _titles(world)
    assert sorted(titles) == sorted(set(titles))
    assert "Tracko opens a new depot" in titles


def test_no_move_waits_for_a_person(world: World) -> None:
    assert world.venue.json("admin", "reviews") == []


def test_markets_show_these_scores_and_verify_agrees(world: World) -> None:
    wanted = {symbol: scores[-1] / 100 for symbol, scores in scores_e2(world).items()}

    def shown() -> bool:
        markets = world.venue.json("markets")
        return wanted == {one["symbol"]: float(one["reality_score"]) for one in markets}

    wait_for("the markets show it", shown)
    assert world.venue.run("verify").returncode == 0
