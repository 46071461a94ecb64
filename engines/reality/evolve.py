"""Evolve: what each of the reality engine's events does to its state."""

from typing import Final

from engines.kernel import EventHandlers
from engines.reality import arithmetic
from engines.reality.memory import Charge, prune
from engines.reality.state import (
    ArticleCluster,
    KnownSource,
    OpenReview,
    PendingRequest,
    Score,
    State,
    WindowArticle,
)
from engines.reality.story import Story, Telling
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
    MoveCut,
    ReviewAnswerRefused,
    ReviewClosed,
    ReviewOpened,
    RulesSet,
    ScoreChanged,
    ScoreClosed,
    ScoreOpened,
    ScoreSensitivitySet,
    ScoreTakenBack,
    SourceKnown,
    SourceQuarantined,
    SourceReleased,
    TellingWithdrawn,
)
from schemas.limits import MAX_WINDOW_ARTICLES
from schemas.units import HOUR_NS

# -- articles ------------------------------------------------------------------------


def _article_dropped(state: State, event: ArticleDropped) -> None:
    """Count the article and remember it, where later articles are judged by it.

    A duplicate is remembered. Otherwise it would be news once the article that it duplicates
    is out of the window. An article dropped for any other reason may come again and is judged
    by the rules of that time. So nobody can keep another source's words out by saying them
    first from a source that does not count.
    """
    if event.reason in ("duplicate", "no_market"):
        _count(state, event.source, event.at_ns)
    if event.reason == "duplicate":
        if state.persisted.seen.get(event.snapshot_id) is None:
            state.persisted.seen.add(event.snapshot_id, event.article, event.at_ns)
        _stand_in(state, event)


def _stand_in(state: State, event: ArticleDropped) -> None:
    """Enter a duplicate into the window, in the cluster of the article it duplicates.

    Otherwise a flood of copies would fill the neighbours of every later article with unknown
    articles, and the next one would open the same story a second time.
    """
    persisted = state.persisted
    original = None if event.of is None else persisted.window.get(event.of)
    if original is not None:
        _enter(
            state,
            event.article,
            WindowArticle(
                original.cluster,
                event.at_ns,
                original.published_ns,
                original.telling,
                event.source,
            ),
        )


def _cluster_opened(state: State, event: ClusterOpened) -> None:
    state.persisted.clusters[event.article] = ArticleCluster()
    _join(state, event, event.article)


def _article_grouped(state: State, event: ArticleGrouped) -> None:
    _join(state, event, event.cluster)


def _join(state: State, event: ClusterOpened | ArticleGrouped, cluster_id: int) -> None:
    persisted, article = state.persisted, event.article
    _count(state, event.source, event.at_ns)
    persisted.sources[event.source].judged += 1
    persisted.seen.add(event.snapshot_id, article, event.at_ns)
    persisted.clusters[cluster_id].articles += 1
    entry = WindowArticle(
        cluster_id, event.at_ns, event.published_ns, article, event.source, event.page
    )
    _enter(state, article, entry)


def _enter(state: State, article: int, entry: WindowArticle) -> None:
    """Put an article into the window; the oldest leaves if there is no room."""
    state.persisted.window[article] = entry
    state.order.append(article)
    state.index_page(article, entry)
    state.persisted.clusters[entry.cluster].live += 1
    if len(state.order) > MAX_WINDOW_ARTICLES:
        _leave(state)


def _leave(state: State) -> None:
    """Let the oldest article of the window go."""
    article = state.order.popleft()
    entry = state.persisted.window.pop(article)
    state.unindex_page(article, entry)
    state.persisted.clusters[entry.cluster].live -= 1
    state.update_ended(entry.cluster)


def _count(state: State, source: str, at_ns: int) -> None:
    """Count an article in its source's rate."""
    recent_ns = state.persisted.sources[source].recent_ns
    prune(recent_ns, at_ns - HOUR_NS)
    recent_ns.append(at_ns)


def _article_assessed(state: State, event: ArticleAssessed) -> None:
    stories = state.persisted.clusters[event.cluster].stories
    story = stories.get(event.symbol)
    if story is None:
        story = stories[event.symbol] = Story()
    published_ns = state.persisted.window[event.article].published_ns
    telling = Telling(event.source, event.trust_bp, event.quick_bp, published_ns)
    story.tell(event.article, telling)


def _telling_withdrawn(state: State, event: TellingWithdrawn) -> None:
    story = state.persisted.clusters[event.cluster].stories[event.symbol]
    story.withdraw(event.articles)


def _articles_forgotten(state: State, event: ArticlesForgotten) -> None:
    persisted, now_ns = state.persisted, event.now_ns
    out_ns = now_ns - persisted.reality.vector_window_ns
    while state.order and persisted.window[state.order[0]].at_ns <= out_ns:
        _leave(state)
    for cluster_id in persisted.ended:
        del persisted.clusters[cluster_id]
    persisted.ended = {}
    persisted.seen.forget(now_ns)
    state.charges.forget(now_ns - persisted.safeguards.source_window_ns)
    persisted.moved.forget(now_ns)
    for known in persisted.sources.values():
        prune(known.recent_ns, now_ns - HOUR_NS)
    persisted.forgotten_ns = now_ns


# -- the LLM -------------------------------------------------------------------------


def _llm_requested(state: State, event: LlmRequested) -> None:
    persisted, llm = state.persisted, state.persisted.llm
    cluster = persisted.clusters[event.cluster]
    story = cluster.stories[event.symbol]
    story.asked, story.asked_about = "waiting", tuple(event.articles)
    cluster.pins += 1
    state.update_ended(event.cluster)
    llm.waiting[event.request_id] = PendingRequest(
        event.cluster, event.symbol, event.cause, event.deadline_ns
    )
    state.set_timer("llm", event.request_id, event.deadline_ns)
    llm.spent_until_ns = max(llm.spent_until_ns, event.at_ns) + arithmetic.token_ns(
        persisted.reality.llm_calls_per_hour
    )


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
    llm = state.persisted.llm
    waiting = llm.waiting.pop(request_id)
    llm.outcomes.append(int(failed))
    del llm.outcomes[: -state.persisted.llm_policy.judged_calls]
    cluster = state.persisted.clusters[waiting.cluster]
    cluster.pins -= 1
    state.update_ended(waiting.cluster)
    return cluster.stories[waiting.symbol]


def _llm_mode_changed(state: State, event: LlmModeChanged) -> None:
    llm = state.persisted.llm
    llm.mode, llm.until_ns, llm.cause = event.mode, event.until_ns, event.cause
    llm.outcomes = []
    state.set_timer("mode", "", event.until_ns)


# -- scores and reviews --------------------------------------------------------------


def _score_opened(state: State, event: ScoreOpened) -> None:
    state.persisted.scores[event.symbol] = Score(event.score_e2, event.political, event.sensitive)


def _score_sensitivity_set(state: State, event: ScoreSensitivitySet) -> None:
    state.persisted.scores[event.symbol].sensitive = event.sensitive


def _score_closed(state: State, event: ScoreClosed) -> None:
    del state.persisted.scores[event.symbol]


def _score_changed(state: State, event: ScoreChanged) -> None:
    persisted, score = state.persisted, state.persisted.scores[event.symbol]
    score.score_e2 = event.new_score_e2
    story = persisted.clusters[event.cluster].stories[event.symbol]
    story.applied_e2 += event.delta_e2
    story.moved_e2[event.source] += event.delta_e2
    moved_e2 = abs(event.delta_e2)
    if moved_e2:  # an approved move may find the score at its bound
        score.moves_e2.append(moved_e2)
        del score.moves_e2[: -persisted.safeguards.spike_changes]
        state.charges.add(Charge(event.at_ns, event.symbol, event.source, moved_e2))
        if not event.review:
            persisted.moved.add(event.source, event.symbol, event.at_ns, moved_e2)


def _score_taken_back(state: State, event: ScoreTakenBack) -> None:
    """Undo a move without a charge, and without a trace among the moves that a spike is held to."""
    persisted = state.persisted
    persisted.scores[event.symbol].score_e2 = event.new_score_e2
    story = persisted.clusters[event.cluster].stories[event.symbol]
    story.take_back(event.source, event.delta_e2)


def _review_opened(state: State, event: ReviewOpened) -> None:
    proposal, hash_ = event.proposal, event.proposal_hash
    cluster = state.persisted.clusters[proposal.cluster]
    story = cluster.stories[proposal.symbol]
    review = state.persisted.reviews[hash_] = OpenReview(
        event.cause,
        proposal.symbol,
        proposal.cluster,
        proposal.articles[-1],
        event.charged,
        proposal.delta_e2,
        proposal.confidence_bp,
        event.expires_ns,
        len(story.moved_e2),
    )
    state.index_review(hash_, review)
    story.review = hash_
    cluster.pins += 1
    state.update_ended(review.cluster)


def _review_closed(state: State, event: ReviewClosed) -> None:
    review = state.persisted.reviews.pop(event.proposal_hash)
    state.unindex_review(event.proposal_hash, review)
    cluster = state.persisted.clusters[review.cluster]
    story = cluster.stories[review.symbol]
    story.review = ""
    if event.refused:
        story.refused += (event.refused,)
        story.withdraw(story.told_in(event.refused))
        story.told_by = review.told_by
    elif event.outcome != "withdrawn":
        whole_e2 = review.delta_e2 if event.outcome == "approved" else 0
        approved_e2 = whole_e2 if event.approved_e2 is None else event.approved_e2
        story.close_review(review.delta_e2, approved_e2, review.told_by)
    cluster.pins -= 1
    state.update_ended(review.cluster)


# -- policy and sources --------------------------------------------------------------


def _rules_set(state: State, event: RulesSet) -> None:
    persisted = state.persisted
    persisted.policy_version = event.policy_version
    persisted.reality, persisted.scoring = event.reality, event.scoring
    persisted.safeguards, persisted.llm_policy = event.safeguards, event.llm
    persisted.unsigned, persisted.backlog = event.unsigned, event.backlog


def _source_known(state: State, event: SourceKnown) -> None:
    known = state.persisted.sources.get(event.source)
    if known is None:
        state.persisted.sources[event.source] = KnownSource(
            event.trust_bp, event.active, since_ns=event.since_ns
        )
    else:
        known.trust_bp, known.active = event.trust_bp, event.active


def _source_quarantined(state: State, event: SourceQuarantined) -> None:
    known = state.persisted.sources[event.source]
    known.until_ns, known.cause = event.until_ns, event.cause
    state.set_timer("source", event.source, event.until_ns)


def _source_released(state: State, event: SourceReleased) -> None:
    known = state.persisted.sources[event.source]
    known.until_ns, known.cause = 0, event.cause


def _nothing(
    state: State, event: ImpactAssessed | LlmSkipped | MoveCut | ReviewAnswerRefused
) -> None:
    """Change nothing: these explain other events, or why there are none."""


EVENT_HANDLERS: Final[EventHandlers[State]] = {
    ArticleDropped: _article_dropped,
    ClusterOpened: _cluster_opened,
    ArticleGrouped: _article_grouped,
    ArticleAssessed: _article_assessed,
    TellingWithdrawn: _telling_withdrawn,
    ImpactAssessed: _nothing,
    LlmRequested: _llm_requested,
    LlmSkipped: _nothing,
    LlmAnswered: _llm_answered,
    LlmTimedOut: _llm_timed_out,
    LlmModeChanged: _llm_mode_changed,
    MoveCut: _nothing,
    ScoreChanged: _score_changed,
    ScoreTakenBack: _score_taken_back,
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
