"""Decide: what comes of reviews: people's answers to them, or that nobody answers in time."""

from collections.abc import Iterator

from engines.reality.arithmetic import clamp
from engines.reality.decide import reviews, stories, withdrawals
from engines.reality.state import OpenReview, State
from schemas.errors import Refusal
from schemas.events.exchange import PartChecked, ReviewersChecked
from schemas.events.governance import ReviewAnswered
from schemas.events.reality import Event, ReviewAnswerRefused, ScoreChanged
from schemas.limits import MAX_DETAIL_CHARS
from schemas.texts import clean
from schemas.units import SCORE_MAX_E2, to_decimal


def reject(state: State, sequence: int, answer: ReviewAnswered, now_ns: int) -> Iterator[Event]:
    """Refuse a source its say in a story, and compute the story again without it."""
    hash_ = answer.proposal_hash
    refused = _refused(state, sequence, hash_, answer.symbol)
    if refused is not None:
        yield refused
        return
    review = state.persisted.reviews[hash_]
    yield reviews.closed(
        state, sequence, hash_, "rejected", answer.reason, answer.signers, refused=review.charged
    )
    why = withdrawals.Withdrawal(
        sequence, review.cluster, review.symbol, "refused", review.article, review.charged, now_ns
    )
    yield from withdrawals.settle(state, why, [review.charged])


def approve(state: State, sequence: int, answer: ReviewersChecked, now_ns: int) -> Iterator[Event]:
    """Apply a move that people without an interest approved, to the score as it is now.

    Of a part, exactly that part is applied. What was told while the review was open follows.
    """
    hash_, symbol = answer.proposal_hash, answer.symbol
    refused = _barred(sequence, answer) or _refused(state, sequence, hash_, symbol)
    refused = refused or _no_part(state, sequence, answer)
    if refused is not None:
        yield refused
        return
    review = state.persisted.reviews[hash_]
    move_e2 = answer.delta_e2 if isinstance(answer, PartChecked) else review.delta_e2
    yield reviews.closed(
        state,
        sequence,
        hash_,
        "approved",
        answer.reason,
        answer.signers,
        approved_e2=move_e2,
    )
    old_e2 = state.persisted.scores[symbol].score_e2
    new_e2 = clamp(old_e2 + move_e2, 0, SCORE_MAX_E2)
    yield ScoreChanged(
        cause=sequence,
        symbol=symbol,
        cluster=review.cluster,
        article=review.article,
        source=review.charged,
        old_score_e2=old_e2,
        new_score_e2=new_e2,
        delta_e2=new_e2 - old_e2,
        confidence_bp=review.confidence_bp,
        review=hash_,
        at_ns=now_ns,
    )
    yield from _told_meanwhile(state, sequence, review, now_ns)


def expire(state: State, hash_: str, now_ns: int) -> Iterator[Event]:
    """Close a review that nobody answered; the cause is what opened it."""
    review = state.persisted.reviews[hash_]
    yield reviews.closed(state, review.cause, hash_, "expired", "nobody answered in time")
    yield from _told_meanwhile(state, review.cause, review, now_ns)


def _told_meanwhile(state: State, cause: int, review: OpenReview, now_ns: int) -> Iterator[Event]:
    """Judge what was told while the review held its story back, if anything was."""
    story = state.persisted.clusters[review.cluster].stories[review.symbol]
    if story.tellings and next(reversed(story.tellings)) > review.article:
        yield from stories.assess(state, cause, review.cluster, review.symbol, now_ns)


# -- why an answer has no effect -----------------------------------------------------


def _barred(sequence: int, answer: ReviewersChecked) -> ReviewAnswerRefused | None:
    if not answer.barred:
        return None
    detail = clean(f"they hold it: {', '.join(answer.barred)}", MAX_DETAIL_CHARS)
    return _no(sequence, answer.proposal_hash, answer.symbol, Refusal.HOLDS_THE_SYMBOL, detail)


def _refused(state: State, sequence: int, hash_: str, symbol: str) -> ReviewAnswerRefused | None:
    review = state.persisted.reviews.get(hash_)
    if review is None:
        detail = "no review of this proposal is open"
        return _no(sequence, hash_, symbol, Refusal.UNKNOWN_REVIEW, detail)
    if review.symbol != symbol:
        detail = f"the proposal is about {review.symbol}"
        return _no(sequence, hash_, symbol, Refusal.BAD_PROPOSAL, detail)
    return None


def _no_part(state: State, sequence: int, answer: ReviewersChecked) -> ReviewAnswerRefused | None:
    """Refuse a part that is none: to the other side, or more than was proposed."""
    if not isinstance(answer, PartChecked):
        return None
    whole_e2, part_e2 = state.persisted.reviews[answer.proposal_hash].delta_e2, answer.delta_e2
    if part_e2 and clamp(part_e2, min(whole_e2, 0), max(whole_e2, 0)) == part_e2:
        return None
    detail = f"{to_decimal(part_e2)} is no part of {to_decimal(whole_e2)}"
    hash_, symbol = answer.proposal_hash, answer.symbol
    return _no(sequence, hash_, symbol, Refusal.VALUE_OUT_OF_RANGE, detail)


def _no(sequence: int, hash_: str, symbol: str, code: Refusal, detail: str) -> ReviewAnswerRefused:
    return ReviewAnswerRefused(
        cause=sequence, proposal_hash=hash_, symbol=symbol, code=code.value, detail=detail
    )
