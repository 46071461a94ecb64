"""Decide: reviews of moves that wait for a person: opened, answered, expired, withdrawn."""

from collections.abc import Iterator

from engines.reality.arithmetic import clamp
from engines.reality.limits import MAX_PROPOSAL_ARTICLES, MAX_PROPOSAL_SOURCES
from engines.reality.state import State
from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import Refusal
from schemas.events.exchange import ReviewersChecked
from schemas.events.governance import ReviewAnswered
from schemas.events.reality import (
    Event,
    ImpactAssessed,
    Proposal,
    ReviewAnswerRefused,
    ReviewClosed,
    ReviewOpened,
    ReviewOutcome,
    ReviewReason,
    ScoreChanged,
)
from schemas.limits import MAX_DETAIL_CHARS, MAX_OPEN_REVIEWS
from schemas.texts import clean
from schemas.units import SCORE_MAX_E2


def propose(
    state: State,
    impact: ImpactAssessed,
    score_if_approved_e2: int,
    reasons: dict[ReviewReason, str],
    now_ns: int,
) -> Iterator[Event]:
    """Open a review of the move that `impact` leads to.

    If too many are open, one expires for it: the oldest of the source that has most of them,
    so that a flood of one source displaces itself and nobody else.
    """
    if len(state.persisted.reviews) >= MAX_OPEN_REVIEWS:
        crowd = max(state.reviews_of.values(), key=len)
        why = f"more than {MAX_OPEN_REVIEWS} would be open"
        yield closed(state, impact.cause, next(iter(crowd)), "expired", why)
    story = state.persisted.clusters[impact.cluster].stories[impact.symbol]
    proposal = Proposal(
        symbol=impact.symbol,
        cluster=impact.cluster,
        articles=story.articles[-MAX_PROPOSAL_ARTICLES:],
        sources=[*story.sources][-MAX_PROPOSAL_SOURCES:],
        cause=impact.cause,
        policy_version=impact.policy_version,
        quick_bp=impact.quick_bp,
        weight_e4=impact.weight_e4,
        points_e2=impact.points_e2,
        delta_e2=impact.delta_e2,
        score_now_e2=state.persisted.scores[impact.symbol].score_e2,
        score_if_approved_e2=score_if_approved_e2,
        confidence_bp=impact.confidence_bp,
        llm=impact.llm,
    )
    yield ReviewOpened(
        cause=impact.cause,
        proposal_hash=digest(encode(proposal)),
        proposal=proposal,
        reasons=[*reasons],
        detail=clean("; ".join(reasons.values()), MAX_DETAIL_CHARS),
        charged=story.charged,
        expires_ns=now_ns + state.persisted.safeguards.review_life_ns,
    )


def reject(state: State, sequence: int, answer: ReviewAnswered) -> Event:
    """Return the outcome of a signed rejection."""
    hash_ = answer.proposal_hash
    refused = _refused(state, sequence, hash_, answer.symbol)
    if refused is not None:
        return refused
    return closed(state, sequence, hash_, "rejected", answer.reason, answer.signers)


def approve(state: State, sequence: int, answer: ReviewersChecked, now_ns: int) -> Iterator[Event]:
    """Apply a move that people without an interest approved, to the score as it is now."""
    hash_, symbol = answer.proposal_hash, answer.symbol
    if answer.barred:
        detail = clean(f"they hold it: {', '.join(answer.barred)}", MAX_DETAIL_CHARS)
        code = Refusal.HOLDS_THE_SYMBOL.value
        yield ReviewAnswerRefused(
            cause=sequence, proposal_hash=hash_, symbol=symbol, code=code, detail=detail
        )
        return
    refused = _refused(state, sequence, hash_, symbol)
    if refused is not None:
        yield refused
        return
    review = state.persisted.reviews[hash_]
    yield closed(state, sequence, hash_, "approved", answer.reason, answer.signers)
    old_e2 = state.persisted.scores[symbol].score_e2
    new_e2 = clamp(old_e2 + review.delta_e2, 0, SCORE_MAX_E2)
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


def withdraw_all(state: State, sequence: int, symbol: str) -> Iterator[ReviewClosed]:
    """Close the reviews of a symbol whose score moves no more."""
    hashes = [hash_ for hash_, review in state.persisted.reviews.items() if review.symbol == symbol]
    for hash_ in hashes:
        yield closed(state, sequence, hash_, "withdrawn", "its market is closed")


def expire(state: State, hash_: str) -> ReviewClosed:
    """Close a review that nobody answered; the cause is what opened it."""
    cause = state.persisted.reviews[hash_].cause
    return closed(state, cause, hash_, "expired", "nobody answered in time")


def closed(
    state: State,
    cause: int,
    hash_: str,
    outcome: ReviewOutcome,
    reason: str,
    signers: list[str] | None = None,
) -> ReviewClosed:
    """Return the end of an open review."""
    review = state.persisted.reviews[hash_]
    return ReviewClosed(
        cause=cause,
        proposal_hash=hash_,
        symbol=review.symbol,
        cluster=review.cluster,
        outcome=outcome,
        signers=[*(signers or [])],
        reason=reason,
    )


def _refused(state: State, sequence: int, hash_: str, symbol: str) -> ReviewAnswerRefused | None:
    review = state.persisted.reviews.get(hash_)
    if review is None:
        code, detail = Refusal.UNKNOWN_REVIEW, "no review of this proposal is open"
    elif review.symbol != symbol:
        code, detail = Refusal.BAD_PROPOSAL, f"the proposal is about {review.symbol}"
    else:
        return None
    return ReviewAnswerRefused(
        cause=sequence, proposal_hash=hash_, symbol=symbol, code=code.value, detail=detail
    )
