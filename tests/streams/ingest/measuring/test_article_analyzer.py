import pytest
import structlog
from msgspec.structs import asdict

from schemas.codec import encode
from schemas.observations import (
    OBSERVATIONS,
    ArticleObserved,
    Mention,
    Neighbour,
    SignalsMeasured,
)
from streams.ingest.limits import MEASURE_ATTEMPTS, MIN_ARTICLE_CHARS
from streams.ingest.measuring.article_analyzer import ArticleAnalyzer, Measurement
from streams.ingest.measuring.typography import TYPOGRAPHY
from streams.ingest.measuring.vectors import Vector, from_text
from streams.ingest.measuring.window import EmbeddingWindow
from tests.streams.ingest.measuring.test_language import GERMAN
from tests.streams.ingest.measuring.world import NOW_NS, TEXT, TITLE, WordEmbedding, article, tools


class Bench:
    """An analyzer that knows one market."""

    def __init__(self, embedding: WordEmbedding | None = None) -> None:
        self.embedding = embedding or WordEmbedding()
        self.tools = tools(self.embedding)
        self.tools.names.put("ACME", "Acme", [])
        self.window = EmbeddingWindow(1_000)
        self.analyzer = ArticleAnalyzer(self.tools, self.window)

    def measure(self, sequence: int, given: ArticleObserved | None) -> SignalsMeasured:
        return self.analyzer.measure(Measurement(sequence, given, 7, NOW_NS + 5))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_fit_article(bench: Bench) -> None:
    given = article(published_ns=3)
    signals = bench.measure(12, given)
    assert signals.unfit == signals.detail == ""
    assert (signals.article, signals.names_as_of, signals.measured_ns) == (12, 7, NOW_NS + 5)
    assert (signals.source, signals.snapshot_id) == (given.source, given.snapshot_id)
    assert (signals.published_ns, signals.observed_ns) == (3, given.observed_ns)
    assert signals.language == "en"
    assert signals.mentions == [Mention("ACME", 1, 0)]
    assert signals.entities == ["Acme"]
    assert signals.sentiment_bp > 0
    assert signals.keywords_bp > 0
    assert {"shares soar", "approve"} <= set(signals.keywords)
    assert signals.neighbours == []
    said = from_text(signals.embedding).tobytes()
    assert said == WordEmbedding().of(f"{TITLE}\n{TEXT}").tobytes()
    assert signals.models == bench.tools.models()
    assert OBSERVATIONS.decode(encode(signals)) == signals


@pytest.mark.parametrize(
    ("given", "unfit"),
    [
        (article("Acme", "wins"), "too_short"),
        (article("A" * (MIN_ARTICLE_CHARS - 1), ""), "too_short"),
        (article("Acme", GERMAN), "language"),
        (article("Zenith shares soar after the court clears it"), "no_mention"),
    ],
)
def test_what_is_unfit_never_meets_the_model(
    bench: Bench, given: ArticleObserved, unfit: str
) -> None:
    signals = bench.measure(1, given)
    assert signals.unfit == unfit
    assert signals.snapshot_id == given.snapshot_id
    assert signals.embedding == ""
    assert signals.mentions == []
    assert signals.neighbours == []
    assert (signals.language == "") == (unfit == "too_short")
    assert bench.embedding.asked == []
    assert len(bench.window) == 0


TYPESET = "Acme doesn\u2019t win \u201cstate\u2011run\u201d\u00a0bank\u2026"
PLAIN = 'Acme doesn\'t win "state-run" bank...'


def test_typography_changes_no_measure_and_no_hash(bench: Bench) -> None:
    plain = bench.measure(1, article(PLAIN, f"{TEXT} {PLAIN}"))
    typeset = bench.measure(2, given := article(TYPESET, f"{TEXT} {TYPESET}"))
    assert typeset.unfit == ""
    for what in ("language_bp", "sentiment_bp", "keywords", "mentions", "embedding"):
        assert getattr(typeset, what) == getattr(plain, what), what
    assert typeset.snapshot_id == given.snapshot_id != plain.snapshot_id
    assert TYPESET not in str(bench.embedding.asked)
    assert all(name.split()[-1] == TYPOGRAPHY for name in asdict(typeset.models).values())


def test_a_notice_is_seen_in_any_typography(bench: Bench) -> None:
    said = bench.measure(1, article("CORRECTED\u2011Acme\u00a0profit falls, it said on Monday"))
    assert said.notice == "correction"


def test_an_article_is_a_neighbour_of_the_next(bench: Bench) -> None:
    bench.measure(3, article())
    bench.measure(4, article(f"{TITLE} again"))
    third = bench.measure(9, article())
    assert [one.article for one in third.neighbours] == [3, 4]
    assert third.neighbours[0] == Neighbour(3, 10_000)


def test_measured_again_it_is_no_neighbour_of_its_own(bench: Bench) -> None:
    first = bench.measure(3, article())
    assert bench.measure(3, article()) == first


class Breaking(WordEmbedding):
    """Breaks on some texts, `times` times each."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    def of(self, text: str) -> Vector:
        vector = super().of(text)
        if "poison" in text and self.asked.count(text) <= self._times:
            raise RuntimeError("words of somebody else")
        return vector


def test_what_breaks_a_model_is_parked_in_our_own_words() -> None:
    bench = Bench(Breaking(MEASURE_ATTEMPTS))
    poison = article(excerpt=f"{TEXT} poison")
    with structlog.testing.capture_logs() as logs:
        signals = bench.measure(1, poison)
    assert len(logs) == MEASURE_ATTEMPTS
    assert "somebody else" not in str(logs)
    assert signals.unfit == "failed"
    assert "somebody else" not in signals.detail
    assert str(MEASURE_ATTEMPTS) in signals.detail
    assert signals.snapshot_id == poison.snapshot_id
    assert signals.embedding == ""
    assert len(bench.embedding.asked) == MEASURE_ATTEMPTS
    assert bench.measure(2, article()).neighbours == []


def test_what_breaks_once_is_measured() -> None:
    bench = Bench(Breaking(MEASURE_ATTEMPTS - 1))
    assert bench.measure(1, article(excerpt=f"{TEXT} poison")).unfit == ""


def test_what_is_no_article(bench: Bench) -> None:
    signals = bench.measure(5, None)
    assert (signals.unfit, signals.snapshot_id, signals.source) == ("failed", "", "")
    assert signals.article == 5
    assert signals.observed_ns == signals.measured_ns


WINS = (
    "Acme wins patent case against Bolt",
    "A court ruled that Acme did not infringe the patents of Bolt. Shares were little changed in "
    "early trading in London. Analysts had expected the ruling for months.",
)
LOSES = (
    "Acme loses patent case against Bolt",
    "A court ruled that Acme infringed the patents of Bolt. Shares were little changed in early "
    "trading in London. Analysts had expected the ruling for months.",
)


def test_near_copies_with_contrary_outcomes_are_told_apart(bench: Bench) -> None:
    bench.measure(1, article(*WINS, source="daily"))
    contrary = bench.measure(2, article(*LOSES, source="weekly"))
    assert [one.article for one in contrary.neighbours] == [1]
    assert contrary.opposites == (1,)
    same = bench.measure(3, article(*LOSES, source="other"))
    assert {one.article for one in same.neighbours} == {1, 2}
    assert same.opposites == (1,)


def test_what_an_article_is_goes_with_its_signals(bench: Bench) -> None:
    told = article(f"Acme: {TITLE}", f"(Corrects the name) {TEXT}", item="name", backlog=True)
    signals = bench.measure(4, told)
    assert (signals.page, signals.backlog, signals.notice) == ("name", True, "correction")
