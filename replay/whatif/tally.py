"""What a history comes to: scores, prices, reviews, clusters, and how they came about."""

from collections.abc import Iterable

import msgspec

from replay.limits import MAX_PLOT_POINTS
from schemas.errors import Refusal
from schemas.events import Event
from schemas.events.pricing import PriceChanged
from schemas.events.reality import (
    ArticleDropped,
    ArticleGrouped,
    ClusterOpened,
    LlmAnswered,
    LlmRequested,
    LlmTimedOut,
    ReviewAnswerRefused,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
    ScoreOpened,
)

Points = list[tuple[int, int]]


class Thinned:
    """A number over time. Of more than MAX_PLOT_POINTS every second one is let go, again."""

    def __init__(self) -> None:
        self._points: Points = []
        self._every = 1
        self._seen = 0
        self._last: tuple[int, int] | None = None

    def add(self, at_ns: int, value: int) -> None:
        """Note the number as it is from `at_ns` on."""
        self._last = at_ns, value
        if self._seen % self._every == 0:
            self._points.append(self._last)
        self._seen += 1
        if len(self._points) >= MAX_PLOT_POINTS:
            del self._points[1::2]
            self._every *= 2

    def points(self) -> Points:
        """Return what was kept, and how the number is in the end."""
        last = self._last
        if last is None or self._points[-1] == last:
            return self._points
        return [*self._points, last]


class SymbolSeries(msgspec.Struct):
    """One symbol's history."""

    score_e2: int | None = None
    market_price_e2: int | None = None
    final_price_e2: int | None = None
    score_changes: int = 0
    scores: Thinned = msgspec.field(default_factory=Thinned)
    finals: Thinned = msgspec.field(default_factory=Thinned)


class ReviewResult(msgspec.Struct):
    """One review; `state` is open until it has an outcome."""

    symbol: str
    cluster: int
    delta_e2: int
    state: str = "open"


class Tally:
    """Counts one history along the log."""

    def __init__(self) -> None:
        self.symbols: dict[str, SymbolSeries] = {}
        self.reviews: dict[str, ReviewResult] = {}
        self.clusters: dict[int, int] = {}
        """How many articles each has."""
        self.dropped = 0
        """Articles that had no say."""
        self.asked = self.answered = self.timed_out = 0
        """Requests to the LLM, those whose answer was used, those without any."""
        self.unmatched = 0
        """Answers that had no effect, because no such review was open."""

    def take(self, events: Iterable[Event], now_ns: int) -> None:
        """Count the events of one record."""
        for event in events:
            self._judged(event, now_ns)
            match event:
                case ClusterOpened():
                    self.clusters[event.article] = 1
                case ArticleGrouped():
                    self.clusters[event.cluster] += 1
                case ArticleDropped():
                    self.dropped += 1
                case LlmRequested():
                    self.asked += 1
                case LlmAnswered(status="used"):
                    self.answered += 1
                case LlmTimedOut():
                    self.timed_out += 1
                case _:
                    pass

    def _judged(self, event: Event, now_ns: int) -> None:
        match event:
            case ScoreOpened():
                self._score(event.symbol, event.score_e2, now_ns)
            case ScoreChanged():
                self._score(event.symbol, event.new_score_e2, now_ns)
                self.symbols[event.symbol].score_changes += 1
            case PriceChanged():
                line = self.symbols.setdefault(event.symbol, SymbolSeries())
                line.market_price_e2 = event.market_price_e2
                line.final_price_e2 = event.final_price_e2
                line.finals.add(now_ns, event.final_price_e2)
            case ReviewOpened(proposal=proposal):
                self.reviews[event.proposal_hash] = ReviewResult(
                    proposal.symbol, proposal.cluster, proposal.delta_e2
                )
            case ReviewClosed():
                self.reviews[event.proposal_hash].state = event.outcome
            case ReviewAnswerRefused(code=Refusal.UNKNOWN_REVIEW.value):
                self.unmatched += 1
            case _:
                pass

    def _score(self, symbol: str, score_e2: int, now_ns: int) -> None:
        line = self.symbols.setdefault(symbol, SymbolSeries())
        line.score_e2 = score_e2
        line.scores.add(now_ns, score_e2)
