"""What reality said about one symbol: which articles, what they meant, what moved the score."""

from typing import Generic, NamedTuple, TypeVar

import msgspec

from engines.reality.story import Story, Telling
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
    MoveCut,
    ReviewAnswerRefused,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
    ScoreTakenBack,
    TellingWithdrawn,
)
from schemas.records import Record

T = TypeVar("T")


class LocatedEvent(NamedTuple, Generic[T]):
    """An event, and the sequence of the record that it stands in."""

    sequence: int
    event: T


class Article(NamedTuple):
    """An article as it joined a story: by which event, with which quick_score, of which source."""

    sequence: int
    joined: ClusterOpened | ArticleGrouped
    assessed: ArticleAssessed
    source: Ruling | None


class LlmConsultation(NamedTuple):
    """What became of the LLM in a story."""

    request: LocatedEvent[LlmRequested] | None = None
    skipped: LocatedEvent[LlmSkipped] | None = None
    outcome: LocatedEvent[LlmAnswered] | LocatedEvent[LlmTimedOut] | None = None


class ReviewTrail(msgspec.Struct):
    """All that is known of one review."""

    opened: LocatedEvent[ReviewOpened] | None = None
    priced: LocatedEvent[ProposalPriced] | None = None
    answers: list[Ruling] = []
    checked: list[LocatedEvent[ReviewersChecked]] = []
    refused: list[LocatedEvent[ReviewAnswerRefused]] = []
    closed: LocatedEvent[ReviewClosed] | None = None
    story: "StoryVersion | None" = None
    """The story as it was when the review opened."""


class StoryVersion(NamedTuple):
    """A story as it stood at one assessment; the two sums are over all that has a say in it."""

    cluster: int
    articles: tuple[Article, ...]
    in_all: int
    """Articles, those that are no longer held too."""
    quick_sum: int
    trust_sum_bp: int
    asked: LlmConsultation
    impact: LocatedEvent[ImpactAssessed]
    policy: Ruling | None


class Undone(NamedTuple):
    """Why a move only takes back; `moved_e2` is how far the ended tellings had moved the score."""

    ended: LocatedEvent[TellingWithdrawn] | LocatedEvent[ReviewClosed] | None
    moved_e2: int


class ScoreMove(NamedTuple):
    """A move of the score and what it rests on; `undone` if it only takes back."""

    sequence: int
    event: ScoreChanged
    story: StoryVersion | None
    review: ReviewTrail | None
    cut: MoveCut | None = None
    """Why it is less than what was left to move, if it is."""
    undone: Undone | None = None


class _Story(msgspec.Struct):
    articles: list[Article] = []
    told: Story = msgspec.field(default_factory=Story)
    """Who has a say, and what each source moved, articles that are no longer held included."""
    withdrawn: LocatedEvent[TellingWithdrawn] | LocatedEvent[ReviewClosed] | None = None
    """The last end of a telling."""
    asked: LlmConsultation = LlmConsultation()
    latest: StoryVersion | None = None
    """As it stood at its last assessment."""
    cut: MoveCut | None = None


def _oldest_out(held: dict[T, object]) -> None:
    if len(held) > MAX_WHY_STORIES:
        del held[next(iter(held))]


class Stories:
    """The stories of one symbol. The oldest of more than MAX_WHY_STORIES are let go."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._stories: dict[int, _Story] = {}
        self.reviews: dict[str, ReviewTrail] = {}

    def review(self, hash_: str) -> ReviewTrail:
        """Return what is known of a review, so far perhaps nothing."""
        review = self.reviews.setdefault(hash_, ReviewTrail())
        _oldest_out(self.reviews)  # type: ignore[arg-type]  # a dict of reviews is one of objects
        return review

    def take(self, sequence: int, record: Record, rulings: Rulings) -> list[ScoreMove]:
        """Keep what a record of reality says about the symbol; return its moves of the score."""
        changes: list[ScoreMove] = []
        joined: ClusterOpened | ArticleGrouped | None = None
        for event in record.events:
            match event:
                case ClusterOpened() | ArticleGrouped():
                    joined = event
                case ArticleAssessed(symbol=self._symbol) if joined is not None:
                    source = rulings.of_source(event.source, event.cause)
                    self._assessed(Article(sequence, joined, event, source))
                case ImpactAssessed(symbol=self._symbol):
                    self._impact(
                        LocatedEvent(sequence, event), rulings.policies.get(event.policy_version)
                    )
                case MoveCut(symbol=self._symbol, cluster=cluster) if cluster in self._stories:
                    self._stories[cluster].cut = event
                case TellingWithdrawn(symbol=self._symbol):
                    self._withdrawn(LocatedEvent(sequence, event), event.source)
                case ScoreTakenBack(symbol=self._symbol):
                    changes.append(self._taken_back(sequence, event))
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
        said = article.assessed
        telling = Telling(said.source, said.trust_bp, said.quick_bp, 0)
        story.told.tell(said.article, telling)

    def _withdrawn(
        self, event: LocatedEvent[TellingWithdrawn] | LocatedEvent[ReviewClosed], source: str
    ) -> None:
        """Let what a source told have no say in a story any more."""
        story = self._stories.get(event.event.cluster)
        if story is None:
            return
        gone = story.told.told_in(source)
        if isinstance(event.event, TellingWithdrawn):
            gone = [one for one in event.event.articles if one in gone]
        story.told.withdraw(gone)
        story.articles = [one for one in story.articles if one.assessed.article not in gone]
        story.withdrawn = event

    def _impact(self, impact: LocatedEvent[ImpactAssessed], policy: Ruling | None) -> None:
        cluster = impact.event.cluster
        story = self._stories.get(cluster)
        if story is not None:
            told = story.told.sums
            story.latest = StoryVersion(
                cluster,
                tuple(story.articles),
                len(story.told.tellings),
                told.weighed_quick,
                told.trust_bp,
                story.asked,
                impact,
                policy,
            )

    def _taken_back(self, sequence: int, event: ScoreTakenBack) -> ScoreMove:
        story = self._stories.get(event.cluster)
        if story is None or event.source not in story.told.moved_e2:
            return ScoreMove(sequence, event, None, None)
        undone = Undone(story.withdrawn, story.told.gone_e2(event.source))
        story.told.take_back(event.source, event.delta_e2)
        return ScoreMove(sequence, event, None, None, undone=undone)

    def _changed(self, sequence: int, event: ScoreChanged) -> ScoreMove:
        held = self._stories.get(event.cluster)
        if held is not None and event.source in held.told.moved_e2:
            held.told.moved_e2[event.source] += event.delta_e2
        if event.review:
            review = self.reviews.get(event.review)
            return ScoreMove(sequence, event, review.story if review else None, review)
        story = self._stories.get(event.cluster)
        version = story.latest if story else None
        if version is not None and version.impact.event.cause != event.cause:
            version = None
        cut = story.cut if story else None
        cut = cut if cut and cut.cause == event.cause else None
        return ScoreMove(sequence, event, version, None, cut=cut)

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
                story.asked = LlmConsultation(request=LocatedEvent(sequence, event))
            case LlmSkipped():
                story.asked = story.asked._replace(skipped=LocatedEvent(sequence, event))
            case LlmAnswered(status="late" | "unknown"):
                pass
            case LlmAnswered():
                story.asked = story.asked._replace(outcome=LocatedEvent(sequence, event))
            case LlmTimedOut():
                story.asked = story.asked._replace(outcome=LocatedEvent(sequence, event))

    def _review(
        self, sequence: int, event: ReviewOpened | ReviewClosed | ReviewAnswerRefused
    ) -> None:
        match event:
            case ReviewOpened(proposal=proposal) if proposal.symbol == self._symbol:
                review = self.review(event.proposal_hash)
                review.opened = LocatedEvent(sequence, event)
                story = self._stories.get(proposal.cluster)
                review.story = story.latest if story else None
            case ReviewClosed(symbol=self._symbol):
                closed = LocatedEvent(sequence, event)
                self.review(event.proposal_hash).closed = closed
                if event.refused:
                    self._withdrawn(closed, event.refused)
            case ReviewAnswerRefused(symbol=self._symbol):
                self.review(event.proposal_hash).refused.append(LocatedEvent(sequence, event))
            case _:
                pass
