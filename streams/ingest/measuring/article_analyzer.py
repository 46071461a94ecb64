"""From an article to its signals: what is measured, in which order, and what is not.

An article that is too short, in another language or about no open market is not measured
further. Most of the world's news is about none of a venue's markets, and the embedding is
by far the slowest step. Its typography is normalized once, before anything else.
"""

from typing import NamedTuple, Protocol

import structlog
from msgspec.structs import replace

from schemas import articles
from schemas.articles import Notice
from schemas.limits import MAX_DETAIL_CHARS
from schemas.observations import ArticleObserved, Models, Neighbour, SignalsMeasured, Unfit
from streams.ingest.limits import MEASURE_ATTEMPTS, MIN_ARTICLE_CHARS, OPPOSITE_FLOOR_BP
from streams.ingest.measuring.contraries import Wording, contrary, wording
from streams.ingest.measuring.keywords import Keywords
from streams.ingest.measuring.language import SCORED, Languages
from streams.ingest.measuring.names import Names
from streams.ingest.measuring.sentiment import Sentiment
from streams.ingest.measuring.tokens import sentences
from streams.ingest.measuring.typography import normalized, stated
from streams.ingest.measuring.vectors import Vector, to_text
from streams.ingest.measuring.window import EmbeddingWindow

_log = structlog.get_logger(__name__)


class Embeds(Protocol):
    """Turns a text into numbers: the model, or a test's replacement for it."""

    @property
    def name(self) -> str:
        """The name of the model."""

    def of(self, text: str) -> Vector:
        """Return the embedding of `text`."""


class Tools(NamedTuple):
    """All measuring tools, loaded."""

    languages: Languages
    sentiment: Sentiment
    keywords: Keywords
    names: Names
    embedding: Embeds

    def models(self) -> Models:
        """Return the names of the tools, which are recorded beside every number."""
        return Models(
            embedding=stated(self.embedding.name),
            sentiment=stated(self.sentiment.name),
            keywords=stated(self.keywords.name),
            entities=stated(self.names.name),
            language=stated(self.languages.name),
        )


class Measurement(NamedTuple):
    """One article to be measured, and what is recorded beside its signals.

    `article` is None if the message at `sequence` holds no article.
    """

    sequence: int
    article: ArticleObserved | None
    names_as_of: int
    measured_ns: int


class ArticleAnalyzer:
    """Measures one article after the other. Each may become a neighbour of the later ones."""

    def __init__(self, tools: Tools, window: EmbeddingWindow) -> None:
        self._tools = tools
        self._window = window
        self._models = tools.models()

    def measure(self, given: Measurement) -> SignalsMeasured:
        """Return the signals of an article, also of an unfit one.

        An article that fails MEASURE_ATTEMPTS times is `failed`: one text that breaks a
        model must not hold up all later ones.
        """
        if given.article is None:
            return self.parked(given, "this is no article")
        why = ""
        for _ in range(MEASURE_ATTEMPTS):
            try:
                return self._measure(given, given.article)
            except Exception as error:
                # The message and the trace are left out: they may quote the article.
                why = type(error).__name__
                _log.error("measuring failed", article=given.sequence, error=why)
        return self.parked(given, f"failed {MEASURE_ATTEMPTS} times: {why}")

    def parked(self, given: Measurement, detail: str) -> SignalsMeasured:
        """Return the signals of an article that is given up."""
        return replace(self._blank(given, "failed"), detail=detail[:MAX_DETAIL_CHARS])

    def _measure(self, given: Measurement, article: ArticleObserved) -> SignalsMeasured:
        tools, title, excerpt = self._tools, normalized(article.title), normalized(article.excerpt)
        if len(title) + len(excerpt) < MIN_ARTICLE_CHARS:
            return self._blank(given, "too_short")
        text = f"{title}\n{excerpt}"
        code, probability_bp = tools.languages.of(text, article.language)
        if code != SCORED:
            return replace(
                self._blank(given, "language"), language=code, language_bp=probability_bp
            )
        mentions, entities = tools.names.of(title, excerpt)
        if not mentions:
            return replace(
                self._blank(given, "no_mention"), language=code, language_bp=probability_bp
            )
        said = [*sentences(title), *sentences(excerpt)]
        found = tools.keywords.of(said)
        vector = tools.embedding.of(text)
        neighbours = self._window.neighbours(given.sequence, article.observed_ns, vector)
        own = wording(title, excerpt)
        signals = replace(
            self._blank(given, ""),
            language=code,
            language_bp=probability_bp,
            sentiment_bp=tools.sentiment.of(said),
            keywords_bp=found.score_bp,
            keywords=found.terms,
            entities=entities,
            mentions=mentions,
            neighbours=neighbours,
            embedding=to_text(vector),
            opposites=self._opposites(own, neighbours),
        )
        self._window.wordings.add(given.sequence, own)
        self._window.add(given.sequence, article.source, article.observed_ns, vector)
        return signals

    def _opposites(self, own: Wording, neighbours: list[Neighbour]) -> tuple[int, ...]:
        """Return the neighbours that report the contrary in nearly the same words."""
        found = []
        for one in neighbours:
            said = self._window.wordings.get(one.article)
            if one.similarity_bp >= OPPOSITE_FLOOR_BP and said is not None and contrary(own, said):
                found.append(one.article)
        return tuple(found)

    def _blank(self, given: Measurement, unfit: Unfit) -> SignalsMeasured:
        """Return signals with nothing measured."""
        article = given.article
        return SignalsMeasured(
            article=given.sequence,
            source=article.source if article else "",
            snapshot_id=article.snapshot_id if article else "",
            published_ns=article.published_ns if article else None,
            observed_ns=article.observed_ns if article else given.measured_ns,
            unfit=unfit,
            detail="",
            language="",
            language_bp=0,
            sentiment_bp=0,
            keywords_bp=0,
            keywords=[],
            entities=[],
            mentions=[],
            neighbours=[],
            embedding="",
            models=self._models,
            names_as_of=given.names_as_of,
            measured_ns=given.measured_ns,
            notice=_notice(article),
            page=article.item if article else "",
            backlog=article.backlog if article else False,
        )


def _notice(article: ArticleObserved | None) -> Notice:
    if article is None:
        return ""
    return articles.notice(normalized(article.title), normalized(article.excerpt))
