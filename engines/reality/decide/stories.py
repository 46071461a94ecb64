"""Decide: the points of a story, one cluster's articles about one symbol (EM-69)."""

from collections.abc import Iterator

import msgspec

from engines.reality import arithmetic
from engines.reality.decide import asking, safeguards
from engines.reality.state import State, Story
from schemas.events.reality import Event, ImpactAssessed
from schemas.units import round_half_even


def assess(state: State, cause: int, cluster_id: int, symbol: str, now_ns: int) -> Iterator[Event]:
    """Assess the story, ask the LLM if that is due, and move the score.

    Nothing moves while the LLM is asked; its answer, or its timeout, calls this again.
    """
    story = state.persisted.clusters[cluster_id].stories[symbol]
    computed = _computed(state, story, cause, cluster_id, symbol, now_ns)
    use = yield from asking.ask(state, computed, now_ns)
    points_e2 = computed.points_e2
    if use == "used":
        cap_e2 = state.persisted.reality.delta_cap_e2
        points_e2 = arithmetic.blended_e2(points_e2, cap_e2, story.impact_e2, story.confidence_bp)
    delta_e2 = left_e2(story, points_e2)
    impact = msgspec.structs.replace(
        computed,
        points_e2=points_e2,
        counted_e2=points_e2 - delta_e2,
        delta_e2=delta_e2,
        llm=use,
    )
    yield impact
    if use != "waiting":
        yield from safeguards.apply(state, impact, now_ns)


def left_e2(story: Story, points_e2: int) -> int:
    """Return how far the story's points are from what it has moved the score.

    Points that a person refused, or let expire, are not proposed again: the points have to go
    beyond them, and only the part beyond counts.
    """
    above = points_e2 - (story.applied_e2 + story.refused_up_e2)
    below = points_e2 - (story.applied_e2 - story.refused_down_e2)
    return max(above, 0) + min(below, 0)


def _computed(
    state: State, story: Story, cause: int, cluster_id: int, symbol: str, now_ns: int
) -> ImpactAssessed:
    """Return the assessment by the articles alone; each number follows from the others in it."""
    policy = state.persisted.reality
    related, independent = len(story.articles), len(story.sources)
    trust_bp = round_half_even(sum(story.sources.values()), independent)
    quick_bp = 0
    if story.trust_sum_bp:
        quick_bp = round_half_even(story.quick_sum, story.trust_sum_bp)
    age_ns = max(now_ns - story.published_ns, 0)
    weight_e4 = arithmetic.weight_e4(trust_bp, related, age_ns, policy.tau_ns)
    computed_e2 = arithmetic.computed_e2(policy, weight_e4, quick_bp)
    return ImpactAssessed(
        cause=cause,
        cluster=cluster_id,
        symbol=symbol,
        article=story.articles[-1],
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
    )
