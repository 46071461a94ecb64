"""Judge a measured article: it is dropped, joins a cluster, or opens one.

The order of the checks says who is to blame. The articles that are not dropped count in their
source's rate. So do fit and fresh ones that are duplicates or name no open market: a flood of
those is a flood. Articles that are dropped before the rate is checked, or for being unfit,
too old or undated, do not count: the first fetch of a feed brings many old articles. Those of
them that are fresh have room beyond the rate.
"""

from collections.abc import Iterator
from typing import NamedTuple

from engines.reality.decide import hearing, placing, stories, withdrawals
from engines.reality.decide.hearing import Hearing
from engines.reality.decide.placing import Place
from engines.reality.decide.withdrawals import Withdrawal
from engines.reality.memory import count_after
from engines.reality.state import State
from schemas.events.reality import (
    ArticleDropped,
    ArticleGrouped,
    ClusterOpened,
    DropReason,
    Event,
    SourceQuarantined,
)
from schemas.limits import MAX_DETAIL_CHARS
from schemas.observations import SignalsMeasured
from schemas.texts import clean
from schemas.units import HOUR_NS


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
    drop = _stranger(state, signals, now_ns)
    if drop is None and _counts(state, signals, now_ns) and _too_many(state, signals, now_ns):
        yield _quarantine(state, sequence, signals, now_ns)
    drop = drop or _useless(state, signals, now_ns)
    if drop is not None:
        yield _dropped(sequence, signals, drop, now_ns)
        if drop.reason == signals.unfit:
            ended = placing.of_a_retraction(state, signals, now_ns)
            yield from _effects(state, sequence, signals, ended, [], now_ns)
        return
    place = placing.place(state, signals, now_ns)
    heard = _heard(state, sequence, signals, place)
    drop = None if heard else _no_say(state, signals, place)
    if drop is not None:
        yield _dropped(sequence, signals, drop, now_ns)
        return
    yield _joined(sequence, signals, place, now_ns)
    if place.notice or place.ends or any(one.replaces for one in heard):
        yield from _effects(state, sequence, signals, place, heard, now_ns)
        return
    for one in heard:  # the short way of nearly all articles, which end nothing
        yield one.assessed
        yield from stories.assess(state, sequence, place.cluster, one.assessed.symbol, now_ns)


# -- why an article has no say -------------------------------------------------------


def _stranger(state: State, signals: SignalsMeasured, now_ns: int) -> _Drop | None:
    """Return why the article does not count: repeated, or from no active source."""
    persisted, article = state.persisted, signals.article
    of = persisted.seen.get(signals.snapshot_id)
    if article in persisted.window or article in persisted.clusters:
        return _Drop("repeated", article)
    if of is not None and placing.other_voice(state, signals, now_ns) is None:
        return _Drop("repeated", of)
    known = persisted.sources.get(signals.source)
    if known is None:
        return _Drop("unknown_source")
    return None if known.active else _Drop("inactive_source")


def _counts(state: State, signals: SignalsMeasured, now_ns: int) -> bool:
    """Tell whether the article counts in its source's rate."""
    in_quarantine = now_ns < state.persisted.sources[signals.source].until_ns
    undated = _is_undated(state, signals)
    return not (in_quarantine or signals.unfit or undated or _is_too_old(state, signals, now_ns))


def _too_many(state: State, signals: SignalsMeasured, now_ns: int) -> bool:
    known = state.persisted.sources[signals.source]
    most = state.persisted.safeguards.source_articles_per_hour
    backlog = state.persisted.backlog
    if now_ns - known.since_ns < backlog.room_ns:
        most += backlog.room_articles
    return count_after(known.recent_ns, now_ns - HOUR_NS) + 1 > most


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
    if _is_undated(state, signals):
        return _Drop("undated")
    return _Drop("too_old") if _is_too_old(state, signals, now_ns) else None


def _is_too_old(state: State, signals: SignalsMeasured, now_ns: int) -> bool:
    return now_ns - _published_ns(signals) > state.persisted.safeguards.max_article_age_ns


def _is_undated(state: State, signals: SignalsMeasured) -> bool:
    """Tell whether nobody knows how old an article is.

    What was there when its source was first read may be of any age. What came later is news
    as of when it was observed, whatever it says.
    """
    ahead_ns, published_ns = state.persisted.backlog.max_ahead_ns, signals.published_ns
    if not (signals.backlog and ahead_ns):
        return False
    return published_ns is None or published_ns > signals.observed_ns + ahead_ns


def _published_ns(signals: SignalsMeasured) -> int:
    """Return when it was published, at the latest when it was observed."""
    published_ns = signals.published_ns
    return signals.observed_ns if published_ns is None else min(published_ns, signals.observed_ns)


def _no_say(state: State, signals: SignalsMeasured, place: Place) -> _Drop | None:
    """Return why an article that says nothing new has no say; None if its notice says enough.

    A notice is no duplicate: that of a stranger joins the story and moves nothing.
    """
    if place.notice:
        return None
    like = place.like
    if like is not None and place.near and not signals.notice:
        return _Drop("duplicate", like.article, like.similarity_bp)
    if like is not None and hearing.is_full(state.persisted.clusters[place.cluster]):
        return _Drop("duplicate", like.article, like.similarity_bp, "its cluster is full")
    return None if hearing.mentions(state, signals) else _Drop("no_market")


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


def _heard(state: State, sequence: int, signals: SignalsMeasured, place: Place) -> list[Hearing]:
    """Return what the article says that has a say. A retraction only takes back."""
    if place.notice == "retraction":
        return []
    return hearing.hear(state, sequence, signals, place)


def _effects(
    state: State,
    sequence: int,
    signals: SignalsMeasured,
    place: Place,
    heard: list[Hearing],
    now_ns: int,
) -> Iterator[Event]:
    """Yield what follows for each symbol from what the article says, and from what it ends.

    A notice ends what its source told of any symbol, a later version of a page only what it
    says of a symbol now.
    """
    cluster_id = place.cluster
    said = {one.assessed.symbol: one for one in heard}
    cluster = state.persisted.clusters.get(cluster_id)
    told = [*cluster.stories] if cluster is not None and place.notice else []
    for symbol in dict.fromkeys([*told, *said]):
        story = cluster.stories.get(symbol) if cluster is not None else None
        tellings = {} if story is None else story.tellings
        ends = [one for one in place.ends if one in tellings]
        replaces = said[symbol].replaces if symbol in said else []
        gone = [*dict.fromkeys(tellings[one].source for one in [*ends, *replaces])]
        why = Withdrawal(
            cause=sequence,
            cluster=cluster_id,
            symbol=symbol,
            reason="retracted" if place.notice == "retraction" else "corrected",
            by=signals.article,
            by_source=signals.source,
            now_ns=now_ns,
        )
        yield from withdrawals.withdraw(state, why, ends)
        worse = [one for one in replaces if one not in ends]
        yield from withdrawals.withdraw(state, why._replace(reason="replaced"), worse)
        if symbol in said:
            yield said[symbol].assessed
        if gone:
            yield from withdrawals.settle(state, why, gone)
        elif symbol in said:
            yield from stories.assess(state, sequence, cluster_id, symbol, now_ns)


def _joined(
    sequence: int, signals: SignalsMeasured, place: Place, now_ns: int
) -> ClusterOpened | ArticleGrouped:
    published_ns, like = _published_ns(signals), place.like
    if like is None:
        return ClusterOpened(
            cause=sequence,
            article=signals.article,
            source=signals.source,
            snapshot_id=signals.snapshot_id,
            published_ns=published_ns,
            observed_ns=signals.observed_ns,
            at_ns=now_ns,
            page=signals.page,
        )
    return ArticleGrouped(
        cause=sequence,
        article=signals.article,
        source=signals.source,
        snapshot_id=signals.snapshot_id,
        published_ns=published_ns,
        observed_ns=signals.observed_ns,
        at_ns=now_ns,
        cluster=place.cluster,
        neighbour=like.article,
        similarity_bp=like.similarity_bp,
        page=signals.page,
    )
