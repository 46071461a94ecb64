"""Decide: apply a move, or let a person decide on it (EM-05, EM-100..103)."""

from collections.abc import Iterator

from engines.reality.arithmetic import clamp, is_repeated, is_spike
from engines.reality.decide import caps, reviews
from engines.reality.state import State
from engines.reality.story import Story
from schemas.events.reality import Event, ImpactAssessed, MoveCut, ReviewReason, ScoreChanged
from schemas.units import SCORE_MAX_E2, to_decimal


def apply(state: State, story: Story, impact: ImpactAssessed, now_ns: int) -> Iterator[Event]:
    """Move the score by the rest of a story's points, or open a review of that move.

    While a review of the story is open, nothing more is proposed; the points that come together
    meanwhile follow with the next article. A move out of the scale is cut to it, or is none.

    A move beyond a cap is cut to what is left of that, and the rest follows with the next article,
    too. A source that has used its own caps up opens no review: a review holds the whole story, and
    others may have more to say of it. A person has to look where all sources together have
    used a symbol's cap up.
    """
    symbol, delta_e2 = impact.symbol, impact.delta_e2
    old_e2 = state.persisted.scores[symbol].score_e2
    new_e2 = clamp(old_e2 + delta_e2, 0, SCORE_MAX_E2)
    if story.review or new_e2 == old_e2:
        return
    source = story.charged
    left = caps.tightest(state, symbol, source, now_ns)
    most_e2 = abs(delta_e2) if left is None else min(abs(delta_e2), left.left_e2)
    reasons = _reasons(state, story, impact, most_e2, now_ns)
    if left is not None and left.is_used_up_by_all:
        reasons["unsigned_cap"] = f"all have used {to_decimal(left.used_e2)} of {left.cap}"
    refused_e2 = story.refused_before_e2(delta_e2)
    if refused_e2:
        reasons["refused_before"] = f"{to_decimal(refused_e2)} of it was not approved before"
    if reasons:
        yield from reviews.propose(state, impact, new_e2, reasons, now_ns)
        return
    moved_e2 = clamp(new_e2 - old_e2, -most_e2, most_e2)
    if left is not None and moved_e2 != new_e2 - old_e2:
        yield _cut(impact, source, moved_e2, left, now_ns)
    if moved_e2:
        yield ScoreChanged(
            cause=impact.cause,
            symbol=symbol,
            cluster=impact.cluster,
            article=impact.article,
            source=source,
            old_score_e2=old_e2,
            new_score_e2=old_e2 + moved_e2,
            delta_e2=moved_e2,
            confidence_bp=impact.confidence_bp,
            review="",
            at_ns=now_ns,
        )


def _cut(
    impact: ImpactAssessed, source: str, moved_e2: int, left: caps.Left, now_ns: int
) -> MoveCut:
    return MoveCut(
        cause=impact.cause,
        symbol=impact.symbol,
        cluster=impact.cluster,
        article=impact.article,
        source=source,
        delta_e2=impact.delta_e2,
        moved_e2=moved_e2,
        cap=left.cap,
        cap_e2=left.cap_e2,
        used_e2=left.used_e2,
        at_ns=now_ns,
    )


def _reasons(
    state: State, story: Story, impact: ImpactAssessed, most_e2: int, now_ns: int
) -> dict[ReviewReason, str]:
    """Return why a person must look at a move, each with its numbers.

    The checks take the move as it was assessed, before the bounds of the scale; a spike is looked
    for in the `most_e2` of it that the caps leave, since earlier moves were cut by them, too.
    """
    safeguards, score = state.persisted.safeguards, state.persisted.scores[impact.symbol]
    found: dict[ReviewReason, str] = {}
    move_e2 = abs(impact.delta_e2)
    suspicious_e2 = state.persisted.reality.suspicious_delta_e2
    if score.sensitive:
        suspicious_e2 = safeguards.sensitive_delta_e2
    if move_e2 > suspicious_e2:
        above = f"moves {to_decimal(move_e2)}, above {to_decimal(suspicious_e2)}"
        found["suspicious_delta"] = above
    after_ns = now_ns - safeguards.source_window_ns
    source = story.charged
    used_e2 = state.charges.total_e2(source, impact.symbol, after_ns)
    if used_e2 + move_e2 > safeguards.source_cap_e2:
        cap = to_decimal(safeguards.source_cap_e2)
        found["source_cap"] = f"{source} has used {to_decimal(used_e2)} of {cap}"
    if most_e2:
        found |= _spike(state, impact.symbol, most_e2)
    if impact.llm == "used" and story.impact_e2 * impact.computed_e2 < 0:
        computed, said = to_decimal(impact.computed_e2), to_decimal(story.impact_e2)
        found["llm_sign"] = f"computed {computed}, and the LLM says {said}"
    return found


def _spike(state: State, symbol: str, move_e2: int) -> dict[ReviewReason, str]:
    """Return why a move is unlike the symbol's last ones, or much too like them."""
    safeguards = state.persisted.safeguards
    moves_e2 = state.persisted.scores[symbol].moves_e2[-safeguards.spike_changes :]
    z_score_e2 = state.persisted.reality.spike_z_score_e2
    least = safeguards.spike_min_changes
    if len(moves_e2) >= least and is_spike(move_e2, moves_e2, z_score_e2):
        return {"spike": f"z-score above {to_decimal(z_score_e2)} of {len(moves_e2)} moves"}
    if is_repeated(move_e2, moves_e2, least):
        return {"spike": f"the last {least} moves were {to_decimal(move_e2)} each, too"}
    return {}
