"""Decide: tellings that have no say any more, and what they did to the score taken back."""

from collections.abc import Iterator
from typing import NamedTuple

from engines.reality.arithmetic import clamp
from engines.reality.decide import reviews, stories
from engines.reality.state import State
from engines.reality.story import Story
from schemas.events.reality import Event, ScoreTakenBack, TellingWithdrawn, WithdrawalReason
from schemas.units import SCORE_MAX_E2


class Withdrawal(NamedTuple):
    """Why tellings of a story lose their say: `by` is the article that brought it about."""

    cause: int
    cluster: int
    symbol: str
    reason: WithdrawalReason
    by: int
    by_source: str
    now_ns: int


def withdraw(state: State, why: Withdrawal, articles: list[int]) -> Iterator[Event]:
    """Let tellings have no say any more, nor a proposal that is charged to their source."""
    if not articles:
        return
    story = _story(state, why)
    told: dict[str, list[int]] = {}
    for article in articles:
        told.setdefault(story.tellings[article].source, []).append(article)
    for source, gone in told.items():
        yield TellingWithdrawn(
            cause=why.cause,
            cluster=why.cluster,
            symbol=why.symbol,
            source=source,
            articles=gone,
            reason=why.reason,
            by=why.by,
            by_source=why.by_source,
            at_ns=why.now_ns,
        )
        if story.review and state.persisted.reviews[story.review].charged == source:
            detail = f"what {source} told was {why.reason} by {why.by_source}"
            yield reviews.closed(state, why.cause, story.review, "withdrawn", detail)


def settle(state: State, why: Withdrawal, sources: list[str]) -> Iterator[Event]:
    """Compute a story again after tellings of `sources` were withdrawn.

    The score first moves back by what the withdrawn tellings did and the others do not bear out.
    No cap holds for that, and no review: it can undo nothing but moves that were counted. What
    is left to move then is judged like any move, and charged to who tells the story now.
    """
    if why.symbol not in state.persisted.scores:
        return  # its market is closed
    for source in sources:
        yield from _take_back(state, why, source)
    yield from stories.assess(state, why.cause, why.cluster, why.symbol, why.now_ns)


def _take_back(state: State, why: Withdrawal, source: str) -> Iterator[Event]:
    """Undo what is borne out no more, and a proposal that counts on it."""
    old_e2 = state.persisted.scores[why.symbol].score_e2
    told = stories.as_told(state, why.cause, why.cluster, why.symbol, why.now_ns)
    story = _story(state, why)
    back_e2 = story.back_e2(0 if told is None else told.points_e2, source)
    new_e2 = clamp(old_e2 + back_e2, 0, SCORE_MAX_E2)
    if new_e2 != old_e2:
        if story.review:
            detail = f"a move of {source} that it counts on is taken back"
            yield reviews.closed(state, why.cause, story.review, "withdrawn", detail)
        yield ScoreTakenBack(
            cause=why.cause,
            symbol=why.symbol,
            cluster=why.cluster,
            article=why.by,
            source=source,
            old_score_e2=old_e2,
            new_score_e2=new_e2,
            delta_e2=new_e2 - old_e2,
            confidence_bp=0 if told is None else told.confidence_bp,
            review="",
            at_ns=why.now_ns,
            reason=why.reason,
        )


def _story(state: State, why: Withdrawal) -> Story:
    return state.persisted.clusters[why.cluster].stories[why.symbol]
