"""Decide: the answers of the LLM's workers, and their timeouts."""

from collections.abc import Iterator
from typing import Final

from engines.reality.decide import asking, stories
from engines.reality.state import PendingRequest, State
from schemas.events.reality import Event, LlmAnswered, LlmModeChanged, LlmTimedOut
from schemas.limits import MAX_DETAIL_CHARS, MAX_LLM_ARTICLES, MAX_SYMBOL_CHARS
from schemas.observations import LlmAnswer, LlmAvailability, LlmCalled
from schemas.texts import clean
from schemas.units import WEIGHT_ONE_BP

_MAX_SEQUENCE_CHARS: Final = 19
_MAX_ID_CHARS: Final = _MAX_SEQUENCE_CHARS + 1 + MAX_SYMBOL_CHARS


def unreadable(sequence: int) -> LlmAnswered:
    """Return the outcome of a message that is not a worker's."""
    return LlmAnswered(
        cause=sequence, request_id="", status="unknown", impact_e2=0, confidence_bp=0
    )


def available(state: State, sequence: int, said: LlmAvailability) -> Iterator[LlmModeChanged]:
    """Follow a worker's report; a degraded LLM stays degraded until it is tried again."""
    if (said.mode == "enabled") == (state.persisted.llm.mode == "disabled"):
        yield LlmModeChanged(sequence, said.mode, clean(said.reason, MAX_DETAIL_CHARS), None)


def called(state: State, sequence: int, call: LlmCalled, now_ns: int) -> Iterator[Event]:
    """Take an answer, or the lack of one, if its request still waits.

    A request waits until its timeout is decided. So an answer that came in time counts even if
    the engine was down then.
    """
    waiting = state.persisted.llm.waiting.get(call.request_id)
    if waiting is None:
        late = _was_asked(state, call.request_id)
        id_ = clean(call.request_id, _MAX_ID_CHARS)
        yield LlmAnswered(
            cause=sequence,
            request_id=id_,
            status="late" if late else "unknown",
            impact_e2=0,
            confidence_bp=0,
        )
        return
    answer = call.answer
    if answer is not None and _is_good(state, waiting, answer):
        yield LlmAnswered(
            cause=sequence,
            request_id=call.request_id,
            status="used",
            impact_e2=answer.impact_e2,
            confidence_bp=answer.confidence_bp,
        )
    else:
        yield LlmAnswered(
            cause=sequence,
            request_id=call.request_id,
            status="invalid",
            impact_e2=0,
            confidence_bp=0,
        )
    yield from _go_on(state, sequence, waiting, now_ns)


def time_out(state: State, request_id: str, now_ns: int) -> Iterator[Event]:
    """Go on without an answer; the cause is that of the request."""
    waiting = state.persisted.llm.waiting[request_id]
    yield LlmTimedOut(waiting.cause, request_id)
    yield from _go_on(state, waiting.cause, waiting, now_ns)


def _go_on(state: State, cause: int, waiting: PendingRequest, now_ns: int) -> Iterator[Event]:
    yield from asking.judge_calls(state, cause, now_ns)
    if waiting.symbol in state.persisted.scores:  # its market may be closed by now
        yield from stories.assess(state, cause, waiting.cluster, waiting.symbol, now_ns)


def _was_asked(state: State, request_id: str) -> bool:
    """Tell whether the story is remembered, and that it was asked about."""
    cluster_id, _, symbol = request_id.partition("-")
    if not (cluster_id.isascii() and cluster_id.isdigit()):
        return False
    if len(cluster_id) > _MAX_SEQUENCE_CHARS:
        return False
    cluster = state.persisted.clusters.get(int(cluster_id))
    story = cluster.stories.get(symbol) if cluster else None
    return story is not None and story.asked != ""


def _is_good(state: State, waiting: PendingRequest, answer: LlmAnswer) -> bool:
    """Tell whether an answer is in its bounds and rests on articles of its story (EM-11)."""
    if not -WEIGHT_ONE_BP <= answer.impact_e2 <= WEIGHT_ONE_BP:
        return False
    if not 0 <= answer.confidence_bp <= WEIGHT_ONE_BP:
        return False
    ids = answer.snapshot_ids
    if not 0 < len(ids) <= MAX_LLM_ARTICLES:
        return False
    articles = state.persisted.clusters[waiting.cluster].stories[waiting.symbol].articles
    return all(state.persisted.seen.get(id_) in articles for id_ in ids)
