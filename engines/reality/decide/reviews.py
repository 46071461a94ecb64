"""Decide: open and close reviews of moves that wait for a person."""

from collections.abc import Iterator

from engines.reality.limits import MAX_PROPOSAL_ARTICLES, MAX_PROPOSAL_SOURCES
from engines.reality.state import State
from schemas.chain import digest
from schemas.codec import encode
from schemas.events.reality import (
    Event,
    ImpactAssessed,
    Proposal,
    ReviewClosed,
    ReviewOpened,
    ReviewOutcome,
    ReviewReason,
)
from schemas.limits import MAX_DETAIL_CHARS, MAX_OPEN_REVIEWS
from schemas.texts import clean


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


def withdraw_all(state: State, sequence: int, symbol: str) -> Iterator[ReviewClosed]:
    """Close the reviews of a symbol whose score moves no more."""
    hashes = [hash_ for hash_, review in state.persisted.reviews.items() if review.symbol == symbol]
    for hash_ in hashes:
        yield closed(state, sequence, hash_, "withdrawn", "its market is closed")


def closed(
    state: State,
    cause: int,
    hash_: str,
    outcome: ReviewOutcome,
    reason: str,
    signers: list[str] | None = None,
    *,
    approved_e2: int = 0,
    refused: str = "",
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
        approved_e2=approved_e2,
        refused=refused,
    )
