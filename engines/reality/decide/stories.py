"""Decide: the points of a story, one cluster's articles about one symbol (EM-69)."""

from collections.abc import Iterator

import msgspec

from engines.reality import arithmetic
from engines.reality.decide import asking, safeguards
from engines.reality.state import State
from engines.reality.story import Story
from schemas.events.reality import Event, ImpactAssessed
from schemas.units import round_half_even


def assess(state: State, cause: int, cluster_id: int, symbol: str, now_ns: int) -> Iterator[Event]:
    """Assess the story, ask the LLM if that is due, and move the score.

    Nothing moves while the LLM is asked; its answer, or its timeout, calls this again. A story
    that nobody tells any more is not assessed.
    """
    story = state.persisted.clusters[cluster_id].stories[symbol]
    if not story.tellings:
        return
    computed = _computed(state, story, cause, cluster_id, symbol, now_ns)
    use = yield from asking.ask(state, story, computed, now_ns)
    points_e2 = _points_e2(state, story, computed)
    delta_e2 = story.left_e2(points_e2)
    impact = msgspec.structs.replace(
        computed,
        points_e2=points_e2,
        counted_e2=points_e2 - delta_e2,
        delta_e2=delta_e2,
        llm=use,
    )
    yield impact
    if use != "waiting":
        yield from safeguards.apply(state, story, impact, now_ns)


def as_told(
    state: State, cause: int, cluster_id: int, symbol: str, now_ns: int
) -> ImpactAssessed | None:
    """Return what the story comes to as it is told now, None if nobody tells it any more."""
    story = state.persisted.clusters[cluster_id].stories[symbol]
    if not story.tellings:
        return None
    computed = _computed(state, story, cause, cluster_id, symbol, now_ns)
    return msgspec.structs.replace(computed, points_e2=_points_e2(state, story, computed))


def _points_e2(state: State, story: Story, computed: ImpactAssessed) -> int:
    """Return the points after the LLM's say, if it has one."""
    if story.asked != "used":
        return computed.computed_e2
    cap_e2 = state.persisted.reality.delta_cap_e2
    return arithmetic.blended_e2(
        computed.computed_e2, cap_e2, story.impact_e2, story.confidence_bp, computed.llm_trust_bp
    )


def _computed(
    state: State, story: Story, cause: int, cluster_id: int, symbol: str, now_ns: int
) -> ImpactAssessed:
    """Return the assessment by the articles alone; each number follows from the others in it."""
    policy = state.persisted.reality
    sums = story.sums
    related, independent = len(story.tellings), len(sums.sources)
    trust_bp = round_half_even(sums.source_trust_bp, independent)
    quick_bp = 0
    if sums.trust_bp:
        quick_bp = round_half_even(sums.weighed_quick, sums.trust_bp)
    age_ns = max(now_ns - sums.published_ns, 0)
    weight_e4 = arithmetic.weight_e4(trust_bp, related, age_ns, policy.tau_ns)
    computed_e2 = arithmetic.computed_e2(policy, weight_e4, quick_bp)
    return ImpactAssessed(
        cause=cause,
        cluster=cluster_id,
        symbol=symbol,
        article=next(reversed(story.tellings)),
        quick_bp=quick_bp,
        trust_bp=trust_bp,
        independent_sources=independent,
        related=related,
        age_ns=age_ns,
        weight_e4=weight_e4,
        computed_e2=computed_e2,
        points_e2=computed_e2,
        counted_e2=computed_e2,
        delta_e2=0,
        confidence_bp=arithmetic.confidence_bp(independent, trust_bp),
        llm="not_needed",
        policy_version=state.persisted.policy_version,
        llm_trust_bp=trust_bp,
    )
