"""Near copies from their words to the score: the real model, and the real engine behind it."""

from collections.abc import Callable

import pytest

from schemas.events import Event
from schemas.events.reality import ArticleDropped, ScoreTakenBack
from schemas.observations import SignalsMeasured
from streams.ingest.measuring.article_analyzer import ArticleAnalyzer, Measurement
from streams.ingest.measuring.embedding import Embedding
from streams.ingest.measuring.window import EmbeddingWindow
from tests.engines.reality.venue import RealityVenue
from tests.streams.ingest.measuring.world import article, tools

pytestmark = pytest.mark.slow

REST = (
    "Shares of the company were little changed in early trading in London. Analysts had expected "
    "the news for months. The company is based in Oslo and employs 4,000 people."
)
TRUSTS = {"daily": 1_000, "weekly": 1_000}

Say = Callable[..., tuple[SignalsMeasured, list[Event]]]


@pytest.fixture(scope="module")
def embedding() -> Embedding:
    return Embedding()


@pytest.fixture
def venue() -> RealityVenue:
    return RealityVenue(trusts=TRUSTS)


@pytest.fixture
def say(embedding: Embedding, venue: RealityVenue) -> Say:
    """Have a source publish an article about Acme; return its signals and what is decided."""
    its = tools(embedding)
    its.names.put("RAIN", "Acme", [])
    analyzer = ArticleAnalyzer(its, EmbeddingWindow(10**18))

    def said(
        name: str, title: str, lead: str, url: str = ""
    ) -> tuple[SignalsMeasured, list[Event]]:
        sequence, text = venue.observe(), f"{lead} {REST}"
        told = article(
            title, text, source=name, url=url, item=url, observed_ns=venue.now_ns,
            published_ns=venue.now_ns,
        )  # fmt: skip
        signals = analyzer.measure(Measurement(sequence, told, 1, venue.now_ns))
        return signals, venue.measured(signals)

    return said


def dropped(events: list[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, ArticleDropped)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            ("Acme wins patent case", "A court ruled that Acme did not infringe the patents."),
            ("Acme loses patent case", "A court ruled that Acme infringed the patents."),
        ),
        (
            ("Court upholds fine on Acme", "A court upheld the fine on Acme on Monday."),
            ("Court overturns fine on Acme", "A court overturned the fine on Acme on Monday."),
        ),
        (
            ("Acme shares up 5%", "Acme rose 5% on Monday after its report."),
            ("Acme shares down 5%", "Acme fell 5% on Monday after its report."),
        ),
        (
            ("Acme confirms breach", "Acme confirmed on Monday that data had been stolen."),
            ("Acme denies breach", "Acme denied on Monday that data had been stolen."),
        ),
    ],
)
def test_contrary_copies_are_no_duplicates(
    say: Say, one: tuple[str, str], other: tuple[str, str]
) -> None:
    first, _ = say("daily", *one)
    second, events = say("weekly", *other)
    (neighbour,) = second.neighbours
    assert neighbour.similarity_bp > 8_000
    assert second.opposites == (first.article,)
    assert dropped(events) == []
    _, events = say("weekly", one[0] + ".", one[1])
    assert dropped(events) == ["duplicate"]


def test_a_correction_takes_back_and_never_raises(say: Say, venue: RealityVenue) -> None:
    say("daily", "Acme profit rises 10%", "Acme said its profit rose 10% from a year earlier.")
    moved_e2 = venue.score_e2()
    assert moved_e2 > 5_000
    _, events = say(
        "daily",
        "CORRECTED-Acme profit falls 10%",
        "(Corrects to say profit fell, not rose) Acme said its profit fell 10%.",
    )
    assert dropped(events) == []
    (back,) = [event for event in events if isinstance(event, ScoreTakenBack)]
    assert (back.old_score_e2, back.new_score_e2) == (moved_e2, 5_000)
    assert venue.score_e2() <= 5_000
    venue.check()


def test_a_strangers_correction_is_no_duplicate_and_never_raises(
    say: Say, venue: RealityVenue
) -> None:
    say("daily", "Acme profit rises 10%", "Acme said its profit rose 10% from a year earlier.")
    moved_e2 = venue.score_e2()
    _, events = say(
        "weekly",
        "CORRECTED-Acme profit falls 10%",
        "(Corrects to say profit fell, not rose) Acme said its profit fell 10%.",
    )
    assert dropped(events) == []
    assert venue.score_e2() <= moved_e2


def test_new_words_on_the_same_page_correct_it_without_saying_so(
    say: Say, venue: RealityVenue
) -> None:
    url = "https://daily.example/acme"
    say("daily", "Acme profit rises 10%", "Acme said its profit rose 10% on Monday.", url)
    _, events = say(
        "daily", "Acme profit falls 10%", "Acme said its profit fell 10% on Monday.", url
    )
    assert dropped(events) == []
    assert [event for event in events if isinstance(event, ScoreTakenBack)]
    assert venue.score_e2() <= 5_000
