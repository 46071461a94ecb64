"""Decide: tellings that have no say any more, and what they did to the score taken back."""

from collections.abc import Iterator

from engines.reality.arithmetic import clamp
from engines.reality.decide import reviews, stories
from engines.reality.state import State
from schemas.events.reality import Event, ScoreTakenBack, TellingWithdrawn, WithdrawalReason
from schemas.units import SCORE_MAX_E2


def withdraw(
    state: State,
    told: TellingWithdrawn,
) -> Iterator[Event]:
    """Let tellings have no say any more, nor a proposal that is charged to their source."""
    yield told
    hash_ = state.persisted.clusters[told.cluster].stories[told.symbol].review
    if hash_ and state.persisted.reviews[hash_].charged == told.source:
        why = f"what {told.source} told was {told.reason} by {told.by_source}"
        yield reviews.closed(state, told.cause, hash_, "withdrawn", why)


def settle(
    state: State,
    cause: int,
    cluster_id: int,
    symbol: str,
    source: str,
    article: int,
    reason: WithdrawalReason,
    now_ns: int,
) -> Iterator[Event]:
    """Compute a story again after tellings of `source` were withdrawn.

    The score first moves back by what the withdrawn tellings did and the others do not bear out.
    No cap holds for that, and no review: it can undo nothing but moves that were counted. What
    is left to move then is judged like any move, and charged to who tells the story now.
    """
    score = state.persisted.scores.get(symbol)
    if score is None:
        return  # its market is closed
    story = state.persisted.clusters[cluster_id].stories[symbol]
    told = stories.as_told(state, cause, cluster_id, symbol, now_ns)
    back_e2 = story.back_e2(0 if told is None else told.points_e2, source)
    new_e2 = clamp(score.score_e2 + back_e2, 0, SCORE_MAX_E2)
    if new_e2 != score.score_e2:
        yield ScoreTakenBack(
            cause=cause,
            symbol=symbol,
            cluster=cluster_id,
            article=article,
            source=source,
            old_score_e2=score.score_e2,
            new_score_e2=new_e2,
            delta_e2=new_e2 - score.score_e2,
            confidence_bp=0 if told is None else told.confidence_bp,
            review="",
            at_ns=now_ns,
            reason=reason,
        )
    yield from stories.assess(state, cause, cluster_id, symbol, now_ns)
