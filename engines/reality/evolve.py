"""Evolve: what each of the reality engine's events does to its state."""

from collections.abc import Callable
from typing import Any, Final

from engines.reality.memory import Charge, prune
from engines.reality.state import (
    Article,
    Cluster,
    Known,
    Review,
    Score,
    State,
    Story,
    Waiting,
)
from schemas.events.reality import (
    ArticleAssessed,
    ArticleDropped,
    ArticleGrouped,
    ArticlesForgotten,
    ClusterOpened,
    ImpactAssessed,
    LlmAnswered,
    LlmModeChanged,
    LlmRequested,
    LlmSkipped,
    LlmTimedOut,
    ReviewAnswerRefused,
    ReviewClosed,
    ReviewOpened,
    RulesSet,
    ScoreChanged,
    ScoreClosed,
    ScoreOpened,
    ScoreSensitivitySet,
    SourceKnown,
    SourceQuarantined,
    SourceReleased,
)
from schemas.limits import MAX_WINDOW_ARTICLES
from schemas.units import HOUR_NS

# -- articles ------------------------------------------------------------------------


def _article_dropped(state: State, event: ArticleDropped) -> None:
    """Count and remember it as far as what is like it later must be judged by it.

    A duplicate is remembered, or it would be news once what it duplicates is out of the
    window. What was dropped for any other reason may come again: it is judged afresh, by
    other rules perhaps, and nobody can keep another source's words out by saying them first
    from a source that does not count.
    """
    if event.reason in ("duplicate", "no_market"):
        _count(state, event.source, event.at_ns)
    if event.reason == "duplicate":
        state.kept.seen.add(event.snapshot_id, event.article, event.at_ns)
        _stand_in(state, event)


def _stand_in(state: State, event: ArticleDropped) -> None:
    """Let what is like a duplicate be like what it duplicates.

    Else a flood of copies would fill the neighbours of every later article with articles
    that nobody knows, and the next one would open the same story anew.
    """
    kept = state.kept
    original = None if event.of is None else kept.window.get(event.of)
    if original is not None:
        _enter(state, event.article, Article(original.cluster, event.at_ns, original.published_ns))


def _cluster_opened(state: State, event: ClusterOpened) -> None:
    state.kept.clusters[event.article] = Cluster()
    _join(state, event, event.article)


def _article_grouped(state: State, event: ArticleGrouped) -> None:
    _join(state, event, event.cluster)


def _join(state: State, event: ClusterOpened | ArticleGrouped, cluster_id: int) -> None:
    kept, article = state.kept, event.article
    _count(state, event.source, event.at_ns)
    kept.seen.add(event.snapshot_id, article, event.at_ns)
    kept.clusters[cluster_id].articles += 1
    _enter(state, article, Article(cluster_id, event.at_ns, event.published_ns))


def _enter(state: State, article: int, entry: Article) -> None:
    """Put an article into the window; the oldest leaves if there is no room."""
    state.kept.window[article] = entry
    state.order.append(article)
    state.kept.clusters[entry.cluster].live += 1
    if len(state.order) > MAX_WINDOW_ARTICLES:
        _leave(state)


def _leave(state: State) -> None:
    """Let the oldest article of the window go."""
    article = state.kept.window.pop(state.order.popleft())
    state.kept.clusters[article.cluster].live -= 1
    state.settle(article.cluster)


def _count(state: State, source: str, at_ns: int) -> None:
    """Count an article in its source's rate."""
    recent_ns = state.kept.sources[source].recent_ns
    prune(recent_ns, at_ns - HOUR_NS)
    recent_ns.append(at_ns)


def _article_assessed(state: State, event: ArticleAssessed) -> None:
    stories = state.kept.clusters[event.cluster].stories
    story = stories.get(event.symbol)
    if story is None:
        story = stories[event.symbol] = Story()
    story.articles.append(event.article)
    story.sources[event.source] = event.trust_bp
    story.charged = event.source
    story.trust_sum_bp += event.trust_bp
    story.quick_sum += event.trust_bp * event.quick_bp
    published_ns = state.kept.window[event.article].published_ns
    story.published_ns = max(story.published_ns, published_ns)


def _articles_forgotten(state: State, event: ArticlesForgotten) -> None:
    kept, now_ns = state.kept, event.now_ns
    out_ns = now_ns - kept.reality.vector_window_ns
    while state.order and kept.window[state.order[0]].at_ns <= out_ns:
        _leave(state)
    for cluster_id in kept.ended:
        del kept.clusters[cluster_id]
    kept.ended = {}
    kept.seen.forget(now_ns)
    state.charges.forget(now_ns - kept.safeguards.source_window_ns)
    for known in kept.sources.values():
        prune(known.recent_ns, now_ns - HOUR_NS)
    kept.forgotten_ns = now_ns


# -- the LLM -------------------------------------------------------------------------


def _llm_requested(state: State, event: LlmRequested) -> None:
    kept, llm = state.kept, state.kept.llm
    cluster = kept.clusters[event.cluster]
    cluster.stories[event.symbol].asked = "waiting"
    cluster.pins += 1
    state.settle(event.cluster)
    llm.waiting[event.request_id] = Waiting(
        event.cluster, event.symbol, event.cause, event.deadline_ns
    )
    state.due("llm", event.request_id, event.deadline_ns)
    llm.spent_until_ns = max(llm.spent_until_ns, event.at_ns) + token_ns(state)


def token_ns(state: State) -> int:
    """Return how long the budget's bucket takes to get one more token."""
    return -(-HOUR_NS // state.kept.reality.llm_calls_per_hour)


def _llm_answered(state: State, event: LlmAnswered) -> None:
    if event.status == "late" or event.status == "unknown":
        return
    story = _answer(state, event.request_id, failed=event.status == "invalid")
    story.asked = event.status
    if event.status == "used":
        story.impact_e2, story.confidence_bp = event.impact_e2, event.confidence_bp


def _llm_timed_out(state: State, event: LlmTimedOut) -> None:
    _answer(state, event.request_id, failed=True).asked = "failed"


def _answer(state: State, request_id: str, *, failed: bool) -> Story:
    llm = state.kept.llm
    waiting = llm.waiting.pop(request_id)
    llm.outcomes.append(int(failed))
    del llm.outcomes[: -state.kept.llm_policy.judged_calls]
    cluster = state.kept.clusters[waiting.cluster]
    cluster.pins -= 1
    state.settle(waiting.cluster)
    return cluster.stories[waiting.symbol]


def _llm_mode_changed(state: State, event: LlmModeChanged) -> None:
    llm = state.kept.llm
    llm.mode, llm.until_ns, llm.cause = event.mode, event.until_ns, event.cause
    llm.outcomes = []
    state.due("mode", "", event.until_ns)


# -- scores and reviews --------------------------------------------------------------


def _score_opened(state: State, event: ScoreOpened) -> None:
    state.kept.scores[event.symbol] = Score(event.score_e2, event.political, event.sensitive)


def _score_sensitivity_set(state: State, event: ScoreSensitivitySet) -> None:
    state.kept.scores[event.symbol].sensitive = event.sensitive


def _score_closed(state: State, event: ScoreClosed) -> None:
    del state.kept.scores[event.symbol]


def _score_changed(state: State, event: ScoreChanged) -> None:
    kept, score = state.kept, state.kept.scores[event.symbol]
    score.score_e2 = event.new_score_e2
    kept.clusters[event.cluster].stories[event.symbol].applied_e2 += event.delta_e2
    moved_e2 = abs(event.delta_e2)
    if moved_e2:  # an approved move may find the score at its bound
        score.moves_e2.append(moved_e2)
        del score.moves_e2[: -kept.safeguards.spike_changes]
        state.charges.add(Charge(event.at_ns, event.symbol, event.source, moved_e2))


def _review_opened(state: State, event: ReviewOpened) -> None:
    proposal, hash_ = event.proposal, event.proposal_hash
    review = state.kept.reviews[hash_] = Review(
        event.cause,
        proposal.symbol,
        proposal.cluster,
        proposal.articles[-1],
        event.charged,
        proposal.delta_e2,
        proposal.confidence_bp,
        event.expires_ns,
    )
    state.index_review(hash_, review)
    cluster = state.kept.clusters[review.cluster]
    cluster.stories[review.symbol].review = hash_
    cluster.pins += 1
    state.settle(review.cluster)


def _review_closed(state: State, event: ReviewClosed) -> None:
    review = state.kept.reviews.pop(event.proposal_hash)
    state.unindex_review(event.proposal_hash, review)
    cluster = state.kept.clusters[review.cluster]
    story = cluster.stories[review.symbol]
    story.review = ""
    if event.outcome == "rejected" or event.outcome == "expired":
        story.refused_up_e2 += max(review.delta_e2, 0)
        story.refused_down_e2 += max(-review.delta_e2, 0)
    cluster.pins -= 1
    state.settle(review.cluster)


# -- policy and sources --------------------------------------------------------------


def _rules_set(state: State, event: RulesSet) -> None:
    kept = state.kept
    kept.policy_version = event.policy_version
    kept.reality, kept.scoring = event.reality, event.scoring
    kept.safeguards, kept.llm_policy = event.safeguards, event.llm


def _source_known(state: State, event: SourceKnown) -> None:
    known = state.kept.sources.get(event.source)
    if known is None:
        state.kept.sources[event.source] = Known(event.trust_bp, event.active)
    else:
        known.trust_bp, known.active = event.trust_bp, event.active


def _source_quarantined(state: State, event: SourceQuarantined) -> None:
    known = state.kept.sources[event.source]
    known.until_ns, known.cause = event.until_ns, event.cause
    state.due("source", event.source, event.until_ns)


def _source_released(state: State, event: SourceReleased) -> None:
    known = state.kept.sources[event.source]
    known.until_ns, known.cause = 0, event.cause


def _nothing(state: State, event: ImpactAssessed | LlmSkipped | ReviewAnswerRefused) -> None:
    """Change nothing: it says how something else came about, or did not."""


STEPS: Final[dict[type[Any], Callable[[State, Any], None]]] = {
    ArticleDropped: _article_dropped,
    ClusterOpened: _cluster_opened,
    ArticleGrouped: _article_grouped,
    ArticleAssessed: _article_assessed,
    ImpactAssessed: _nothing,
    LlmRequested: _llm_requested,
    LlmSkipped: _nothing,
    LlmAnswered: _llm_answered,
    LlmTimedOut: _llm_timed_out,
    LlmModeChanged: _llm_mode_changed,
    ScoreChanged: _score_changed,
    ReviewOpened: _review_opened,
    ReviewClosed: _review_closed,
    ReviewAnswerRefused: _nothing,
    RulesSet: _rules_set,
    ScoreOpened: _score_opened,
    ScoreSensitivitySet: _score_sensitivity_set,
    ScoreClosed: _score_closed,
    SourceKnown: _source_known,
    SourceQuarantined: _source_quarantined,
    SourceReleased: _source_released,
    ArticlesForgotten: _articles_forgotten,
}
"""What an event does, by its type; a test holds that none is missing."""
