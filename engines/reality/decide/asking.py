"""Decide: whether the LLM is asked about a story (EM-68), or at all (EM-131)."""

from collections.abc import Generator, Iterator
from typing import Literal

from engines.reality import arithmetic
from engines.reality.limits import MAX_LLM_WAITING
from engines.reality.state import State
from engines.reality.story import Story
from schemas.events.reality import (
    Event,
    ImpactAssessed,
    LlmModeChanged,
    LlmRequested,
    LlmSkipped,
    LlmUse,
)
from schemas.limits import MAX_LLM_ARTICLES
from schemas.units import WEIGHT_ONE_BP


def request_id(cluster_id: int, symbol: str) -> str:
    """Return the name of the one request that a story may lead to."""
    return f"{cluster_id}-{symbol}"


def ask(
    state: State, story: Story, computed: ImpactAssessed, now_ns: int
) -> Generator[Event, None, LlmUse]:
    """Ask the LLM if the story deserves it and was not asked about; return the LLM's part in it.

    A story for which there was no token, or no LLM, is tried again with its next article.
    """
    if story.asked:
        return story.asked
    why = _why(state, computed)
    if why is None:
        return "not_needed"
    id_ = request_id(computed.cluster, computed.symbol)
    obstacle = _obstacle(state, now_ns)
    if obstacle is not None:
        yield LlmSkipped(computed.cause, id_, obstacle)
        return "skipped"
    yield LlmRequested(
        cause=computed.cause,
        request_id=id_,
        cluster=computed.cluster,
        symbol=computed.symbol,
        articles=story.articles[-MAX_LLM_ARTICLES:],
        quick_bp=computed.quick_bp,
        why=why,
        at_ns=now_ns,
        deadline_ns=now_ns + state.persisted.llm_policy.deadline_ns,
    )
    return "waiting"


def _why(
    state: State, computed: ImpactAssessed
) -> Literal["quick_score", "independent_sources"] | None:
    policy = state.persisted.reality
    if abs(computed.quick_bp) >= policy.llm_quick_threshold_bp:
        return "quick_score"
    if computed.independent_sources >= policy.min_independent_sources:
        return "independent_sources"
    return None


def _obstacle(state: State, now_ns: int) -> Literal["no_token", "disabled", "degraded"] | None:
    llm = state.persisted.llm
    if llm.mode != "enabled":
        return llm.mode
    return None if _has_token(state, now_ns) else "no_token"


def _has_token(state: State, now_ns: int) -> bool:
    """Tell whether the budget has a token left.

    The budget is a bucket of `llm_calls_per_hour` tokens that fills up within an hour. The state
    holds the time when it will be full again. A token is left if taking it delays that time to
    no more than an hour from now (GCRA, ITU-T I.371).
    """
    llm, calls = state.persisted.llm, state.persisted.reality.llm_calls_per_hour
    if not calls or len(llm.waiting) >= MAX_LLM_WAITING:
        return False
    interval_ns = arithmetic.token_ns(calls)
    spent_ns = max(llm.spent_until_ns - now_ns, 0)
    return spent_ns + interval_ns <= calls * interval_ns


def judge_calls(state: State, cause: int, now_ns: int) -> Iterator[LlmModeChanged]:
    """Stop asking for a while if too many of the last calls failed."""
    llm, policy = state.persisted.llm, state.persisted.llm_policy
    outcomes = llm.outcomes[-policy.judged_calls :]
    failed = sum(outcomes)
    too_many = failed * WEIGHT_ONE_BP > policy.failure_limit_bp * len(outcomes)
    if llm.mode == "enabled" and too_many and failed >= policy.min_failures:
        reason = f"{failed} of the last {len(outcomes)} calls failed"
        yield LlmModeChanged(cause, "degraded", reason, now_ns + policy.degraded_ns)
