"""Judge a measured article: it is dropped, joins a cluster, or opens one.

The order of the checks says who is to blame. The articles that are not dropped count in their
source's rate. So do fit and fresh ones that are duplicates or name no open market: a flood of
those is a flood. Articles that are dropped before the rate is checked, or for being unfit or
too old, do not count: the first fetch of a feed brings many old articles.
"""

from collections.abc import Iterator
from typing import NamedTuple

from engines.reality import arithmetic
from engines.reality.decide import stories
from engines.reality.limits import MAX_CLUSTER_ARTICLES
from engines.reality.memory import count_after
from engines.reality.state import State
from schemas.events.reality import (
    ArticleAssessed,
    ArticleDropped,
    ArticleGrouped,
    ClusterOpened,
    DropReason,
    Event,
    SourceQuarantined,
)
from schemas.limits import MAX_DETAIL_CHARS, MAX_MENTIONS, MAX_NEIGHBOURS
from schemas.observations import Mention, Neighbour, SignalsMeasured
from schemas.texts import clean
from schemas.units import HOUR_NS, WEIGHT_ONE_BP


class _Drop(NamedTuple):
    reason: DropReason
    of: int | None = None
    similarity_bp: int = 0
    detail: str = ""


def unreadable(sequence: int, now_ns: int) -> ArticleDropped:
    """Return the outcome of a message that is no measurement."""
    detail = "no measurement that this version can read"
    return ArticleDropped(
        cause=sequence,
        article=0,
        source="",
        snapshot_id="",
        reason="unreadable",
        of=None,
        similarity_bp=0,
        detail=detail,
        at_ns=now_ns,
    )


def judge(state: State, sequence: int, signals: SignalsMeasured, now_ns: int) -> Iterator[Event]:
    """Yield the outcome of a measured article, and its effects on the markets it names."""
    drop = _stranger(state, signals)
    if drop is None and _counts(state, signals, now_ns) and _too_many(state, signals, now_ns):
        yield _quarantine(state, sequence, signals, now_ns)
    drop = drop or _useless(state, signals, now_ns)
    like = None if drop else _most_similar(state, signals, now_ns)
    mentions = {} if drop else _mentions(state, signals)
    drop = drop or _nothing_new(state, like) or _no_market(mentions)
    if drop is not None:
        yield _dropped(sequence, signals, drop, now_ns)
        return
    cluster_id = signals.article if like is None else state.persisted.window[like.article].cluster
    yield _joined(state, sequence, signals, like, now_ns)
    for mention in mentions.values():
        yield _assessed(state, sequence, signals, cluster_id, mention)
        yield from stories.assess(state, sequence, cluster_id, mention.symbol, now_ns)


# -- why an article has no say -------------------------------------------------------


def _stranger(state: State, signals: SignalsMeasured) -> _Drop | None:
    """Return why the article does not count: repeated, or from no active source."""
    persisted = state.persisted
    of = persisted.seen.get(signals.snapshot_id)
    if of is None and (
        signals.article in persisted.window or signals.article in persisted.clusters
    ):
        of = signals.article
    if of is not None:
        return _Drop("repeated", of)
    known = persisted.sources.get(signals.source)
    if known is None:
        return _Drop("unknown_source")
    return None if known.active else _Drop("inactive_source")


def _counts(state: State, signals: SignalsMeasured, now_ns: int) -> bool:
    """Tell whether the article counts in its source's rate."""
    in_quarantine = now_ns < state.persisted.sources[signals.source].until_ns
    return not (in_quarantine or signals.unfit or _is_too_old(state, signals, now_ns))


def _too_many(state: State, signals: SignalsMeasured, now_ns: int) -> bool:
    recent_ns = state.persisted.sources[signals.source].recent_ns
    count = count_after(recent_ns, now_ns - HOUR_NS) + 1
    return count > state.persisted.safeguards.source_articles_per_hour


def _quarantine(
    state: State, sequence: int, signals: SignalsMeasured, now_ns: int
) -> SourceQuarantined:
    safeguards = state.persisted.safeguards
    until_ns = now_ns + safeguards.manip_window_ns
    detail = f"more than {safeguards.source_articles_per_hour} articles within an hour"
    return SourceQuarantined(
        cause=sequence, source=signals.source, until_ns=until_ns, reason="rate", detail=detail
    )


def _useless(state: State, signals: SignalsMeasured, now_ns: int) -> _Drop | None:
    if now_ns < state.persisted.sources[signals.source].until_ns:
        return _Drop("quarantined")
    if signals.unfit:
        return _Drop(signals.unfit, detail=clean(signals.detail, MAX_DETAIL_CHARS))
    return _Drop("too_old") if _is_too_old(state, signals, now_ns) else None


def _is_too_old(state: State, signals: SignalsMeasured, now_ns: int) -> bool:
    return now_ns - _published_ns(signals) > state.persisted.safeguards.max_article_age_ns


def _published_ns(signals: SignalsMeasured) -> int:
    """Return when it was published, at the latest when it was observed."""
    published_ns = signals.published_ns
    return signals.observed_ns if published_ns is None else min(published_ns, signals.observed_ns)


def _nothing_new(state: State, like: Neighbour | None) -> _Drop | None:
    if like is None:
        return None
    of, similarity_bp = like.article, like.similarity_bp
    if similarity_bp > state.persisted.reality.similarity_duplicate_bp:
        return _Drop("duplicate", of, similarity_bp)
    cluster = state.persisted.clusters[state.persisted.window[of].cluster]
    if cluster.articles >= MAX_CLUSTER_ARTICLES:
        return _Drop("duplicate", of, similarity_bp, "its cluster is full")
    return None


def _no_market(mentions: dict[str, Mention]) -> _Drop | None:
    return None if mentions else _Drop("no_market")


def _dropped(sequence: int, signals: SignalsMeasured, drop: _Drop, now_ns: int) -> ArticleDropped:
    return ArticleDropped(
        cause=sequence,
        article=signals.article,
        source=signals.source,
        snapshot_id=signals.snapshot_id,
        reason=drop.reason,
        of=drop.of,
        similarity_bp=drop.similarity_bp,
        detail=drop.detail,
        at_ns=now_ns,
    )


# -- what an article says ------------------------------------------------------------


def _most_similar(state: State, signals: SignalsMeasured, now_ns: int) -> Neighbour | None:
    """Return the most similar article of the window, if any is similar enough to matter.

    The measurer knows more articles than the engine: those that were dropped for another
    reason than being a duplicate, and those that have left the window. They do not count.
    """
    window = state.persisted.window
    after_ns = now_ns - state.persisted.reality.vector_window_ns
    best: Neighbour | None = None
    for neighbour in signals.neighbours[:MAX_NEIGHBOURS]:
        article = window.get(neighbour.article)
        if article is None or article.at_ns <= after_ns:
            continue
        if best is None or neighbour.similarity_bp > best.similarity_bp:
            best = neighbour
    if best is None or best.similarity_bp < state.persisted.reality.similarity_group_bp:
        return None
    return Neighbour(best.article, min(best.similarity_bp, WEIGHT_ONE_BP))


def _mentions(state: State, signals: SignalsMeasured) -> dict[str, Mention]:
    """Return by symbol how often the article names open markets."""
    mentions: dict[str, Mention] = {}
    for mention in signals.mentions[:MAX_MENTIONS]:
        named = mention.title_count > 0 or mention.body_count > 0
        if named and mention.symbol in state.persisted.scores:
            mentions.setdefault(mention.symbol, mention)
    return mentions


def _joined(
    state: State, sequence: int, signals: SignalsMeasured, like: Neighbour | None, now_ns: int
) -> ClusterOpened | ArticleGrouped:
    published_ns = _published_ns(signals)
    if like is None:
        return ClusterOpened(
            cause=sequence,
            article=signals.article,
            source=signals.source,
            snapshot_id=signals.snapshot_id,
            published_ns=published_ns,
            observed_ns=signals.observed_ns,
            at_ns=now_ns,
        )
    return ArticleGrouped(
        cause=sequence,
        article=signals.article,
        source=signals.source,
        snapshot_id=signals.snapshot_id,
        published_ns=published_ns,
        observed_ns=signals.observed_ns,
        at_ns=now_ns,
        cluster=state.persisted.window[like.article].cluster,
        neighbour=like.article,
        similarity_bp=like.similarity_bp,
    )


def _assessed(
    state: State, sequence: int, signals: SignalsMeasured, cluster_id: int, mention: Mention
) -> ArticleAssessed:
    scoring = state.persisted.scoring
    sentiment_bp = arithmetic.clamp(signals.sentiment_bp, -WEIGHT_ONE_BP, WEIGHT_ONE_BP)
    keywords_bp = arithmetic.clamp(signals.keywords_bp, -WEIGHT_ONE_BP, WEIGHT_ONE_BP)
    relevance_bp = arithmetic.relevance_bp(scoring, mention.title_count, mention.body_count)
    return ArticleAssessed(
        cause=sequence,
        article=signals.article,
        cluster=cluster_id,
        symbol=mention.symbol,
        source=signals.source,
        trust_bp=state.persisted.sources[signals.source].trust_bp,
        sentiment_bp=sentiment_bp,
        keywords_bp=keywords_bp,
        relevance_bp=relevance_bp,
        quick_bp=arithmetic.quick_bp(scoring, sentiment_bp, keywords_bp, relevance_bp),
    )
