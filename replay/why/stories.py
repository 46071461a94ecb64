"""What reality said about one symbol: which articles, what they meant, what moved the score."""

from typing import Generic, NamedTuple, TypeVar

import msgspec

from replay.limits import MAX_WHY_ARTICLES, MAX_WHY_STORIES
from replay.why.rulings import Ruling, Rulings
from schemas.events.exchange import ReviewersChecked
from schemas.events.pricing import ProposalPriced
from schemas.events.reality import (
    ArticleAssessed,
    ArticleGrouped,
    ClusterOpened,
    ImpactAssessed,
    LlmAnswered,
    LlmRequested,
    LlmSkipped,
    LlmTimedOut,
    ReviewAnswerRefused,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
)
from schemas.records import Record

T = TypeVar("T")


class At(NamedTuple, Generic[T]):
    """An event, and the sequence of the record that it stands in."""

    sequence: int
    event: T


class Article(NamedTuple):
    """An article as it joined a story: by which event, with which quick_score, of which source."""

    sequence: int
    joined: ClusterOpened | ArticleGrouped
    assessed: ArticleAssessed
    source: Ruling | None


class Asked(NamedTuple):
    """What became of the LLM in a story."""

    request: At[LlmRequested] | None = None
    skipped: At[LlmSkipped] | None = None
    outcome: At[LlmAnswered] | At[LlmTimedOut] | None = None


class Review(msgspec.Struct):
    """All that is known of one review."""

    opened: At[ReviewOpened] | None = None
    priced: At[ProposalPriced] | None = None
    answers: list[Ruling] = []
    checked: list[At[ReviewersChecked]] = []
    refused: list[At[ReviewAnswerRefused]] = []
    closed: At[ReviewClosed] | None = None
    story: "Told | None" = None
    """The story as it was when the review opened."""


class Told(NamedTuple):
    """A story as it stood at one assessment; the two sums are over all of its articles."""

    cluster: int
    articles: tuple[Article, ...]
    in_all: int
    """Articles, those that are no longer held too."""
    quick_sum: int
    trust_sum_bp: int
    asked: Asked
    impact: At[ImpactAssessed]
    policy: Ruling | None


class Change(NamedTuple):
    """A move of the score and what it rests on."""

    sequence: int
    event: ScoreChanged
    told: Told | None
    review: Review | None


class _Story(msgspec.Struct):
    articles: list[Article] = []
    count: int = 0
    quick_sum: int = 0
    trust_sum_bp: int = 0
    asked: Asked = Asked()
    told: Told | None = None


def _oldest_out(held: dict[T, object]) -> None:
    if len(held) > MAX_WHY_STORIES:
        del held[next(iter(held))]


class Stories:
    """The stories of one symbol. The oldest of more than MAX_WHY_STORIES are let go."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._stories: dict[int, _Story] = {}
        self.reviews: dict[str, Review] = {}

    def review(self, hash_: str) -> Review:
        """Return what is known of a review, so far perhaps nothing."""
        review = self.reviews.setdefault(hash_, Review())
        _oldest_out(self.reviews)  # type: ignore[arg-type]  # a dict of reviews is one of objects
        return review

    def take(self, sequence: int, record: Record, rulings: Rulings) -> list[Change]:
        """Keep what a record of reality says about the symbol; return its moves of the score."""
        changes: list[Change] = []
        joined: ClusterOpened | ArticleGrouped | None = None
        for event in record.events:
            match event:
                case ClusterOpened() | ArticleGrouped():
                    joined = event
                case ArticleAssessed(symbol=self._symbol) if joined is not None:
                    source = rulings.of_source(event.source, event.cause)
                    self._assessed(Article(sequence, joined, event, source))
                case ImpactAssessed(symbol=self._symbol):
                    self._impact(At(sequence, event), rulings.policies.get(event.policy_version))
                case ScoreChanged(symbol=self._symbol):
                    changes.append(self._changed(sequence, event))
                case LlmRequested() | LlmSkipped() | LlmAnswered() | LlmTimedOut():
                    self._llm(sequence, event)
                case ReviewOpened() | ReviewClosed() | ReviewAnswerRefused():
                    self._review(sequence, event)
                case _:
                    pass
        return changes

    def _assessed(self, article: Article) -> None:
        story = self._stories.setdefault(article.assessed.cluster, _Story())
        _oldest_out(self._stories)  # type: ignore[arg-type]  # as above
        story.articles = [*story.articles, article][-MAX_WHY_ARTICLES:]
        story.count += 1
        story.quick_sum += article.assessed.trust_bp * article.assessed.quick_bp
        story.trust_sum_bp += article.assessed.trust_bp

    def _impact(self, impact: At[ImpactAssessed], policy: Ruling | None) -> None:
        cluster = impact.event.cluster
        story = self._stories.get(cluster)
        if story is not None:
            story.told = Told(
                cluster,
                tuple(story.articles),
                story.count,
                story.quick_sum,
                story.trust_sum_bp,
                story.asked,
                impact,
                policy,
            )

    def _changed(self, sequence: int, event: ScoreChanged) -> Change:
        if event.review:
            review = self.reviews.get(event.review)
            return Change(sequence, event, review.story if review else None, review)
        story = self._stories.get(event.cluster)
        told = story.told if story else None
        if told is not None and told.impact.event.cause != event.cause:
            told = None
        return Change(sequence, event, told, None)

    def _llm(
        self, sequence: int, event: LlmRequested | LlmSkipped | LlmAnswered | LlmTimedOut
    ) -> None:
        cluster, _, symbol = event.request_id.partition("-")
        known = symbol == self._symbol and cluster.isascii() and cluster.isdigit()
        story = self._stories.get(int(cluster)) if known else None
        if story is None:
            return
        match event:
            case LlmRequested():
                story.asked = Asked(request=At(sequence, event))
            case LlmSkipped():
                story.asked = story.asked._replace(skipped=At(sequence, event))
            case LlmAnswered(status="late" | "unknown"):
                pass
            case LlmAnswered():
                story.asked = story.asked._replace(outcome=At(sequence, event))
            case LlmTimedOut():
                story.asked = story.asked._replace(outcome=At(sequence, event))

    def _review(
        self, sequence: int, event: ReviewOpened | ReviewClosed | ReviewAnswerRefused
    ) -> None:
        match event:
            case ReviewOpened(proposal=proposal) if proposal.symbol == self._symbol:
                review = self.review(event.proposal_hash)
                review.opened = At(sequence, event)
                story = self._stories.get(proposal.cluster)
                review.story = story.told if story else None
            case ReviewClosed(symbol=self._symbol):
                self.review(event.proposal_hash).closed = At(sequence, event)
            case ReviewAnswerRefused(symbol=self._symbol):
                self.review(event.proposal_hash).refused.append(At(sequence, event))
            case _:
                pass
