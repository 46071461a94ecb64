"""Decide: apply a move, or let a person decide on it (EM-05, EM-100..103)."""

from collections.abc import Iterator

from engines.reality.arithmetic import clamp, is_spike
from engines.reality.decide import reviews
from engines.reality.state import State
from schemas.events.reality import Event, ImpactAssessed, ReviewReason, ScoreChanged
from schemas.units import SCORE_MAX_E2, to_decimal


def apply(state: State, impact: ImpactAssessed, now_ns: int) -> Iterator[Event]:
    """Move the score by the rest of a story's points, or open a review of that move.

    While a review of the story is open, nothing more is proposed; the points that come together
    meanwhile follow with the next article. A move out of the scale is cut to it, or is none.
    """
    symbol, delta_e2 = impact.symbol, impact.delta_e2
    story = state.persisted.clusters[impact.cluster].stories[symbol]
    old_e2 = state.persisted.scores[symbol].score_e2
    new_e2 = clamp(old_e2 + delta_e2, 0, SCORE_MAX_E2)
    if story.review or new_e2 == old_e2:
        return
    reasons = _reasons(state, symbol, story.charged, abs(delta_e2), now_ns)
    refused_e2 = story.refused_before_e2(delta_e2)
    if refused_e2:
        reasons["refused_before"] = f"{to_decimal(refused_e2)} of it was not approved before"
    if reasons:
        yield from reviews.propose(state, impact, new_e2, reasons, now_ns)
        return
    yield ScoreChanged(
        cause=impact.cause,
        symbol=symbol,
        cluster=impact.cluster,
        article=impact.article,
        source=story.charged,
        old_score_e2=old_e2,
        new_score_e2=new_e2,
        delta_e2=new_e2 - old_e2,
        confidence_bp=impact.confidence_bp,
        review="",
        at_ns=now_ns,
    )


def _reasons(
    state: State, symbol: str, source: str, move_e2: int, now_ns: int
) -> dict[ReviewReason, str]:
    """Return why a person must look at a move, each with its numbers.

    The checks take the move as it was assessed, before the bounds of the scale.
    """
    safeguards, score = state.persisted.safeguards, state.persisted.scores[symbol]
    found: dict[ReviewReason, str] = {}
    most_e2 = state.persisted.reality.suspicious_delta_e2
    if score.sensitive:
        most_e2 = safeguards.sensitive_delta_e2
    if move_e2 > most_e2:
        found["suspicious_delta"] = f"moves {to_decimal(move_e2)}, above {to_decimal(most_e2)}"
    after_ns = now_ns - safeguards.source_window_ns
    used_e2 = state.charges.total_e2(source, symbol, after_ns)
    if used_e2 + move_e2 > safeguards.source_cap_e2:
        cap = to_decimal(safeguards.source_cap_e2)
        found["source_cap"] = f"{source} has used {to_decimal(used_e2)} of {cap}"
    moves_e2 = score.moves_e2[-safeguards.spike_changes :]
    z_score_e2 = state.persisted.reality.spike_z_score_e2
    if len(moves_e2) >= safeguards.spike_min_changes and is_spike(move_e2, moves_e2, z_score_e2):
        found["spike"] = f"z-score above {to_decimal(z_score_e2)} of {len(moves_e2)} moves"
    return found
