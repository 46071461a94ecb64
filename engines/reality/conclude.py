"""Conclude: what time alone brings about."""

from collections.abc import Iterator

from engines.reality import answers, reviews
from engines.reality.limits import FORGET_EVERY_NS, MAX_DUES_AT_ONCE
from engines.reality.state import State
from engines.reality.timers import Due
from schemas.events.reality import (
    ArticlesForgotten,
    Event,
    LlmModeChanged,
    SourceReleased,
)


def conclude(state: State, now_ns: int) -> Iterator[Event]:
    """Yield what is due: timeouts, expiries, releases, soonest first; then what to forget."""
    for _ in range(MAX_DUES_AT_ONCE):
        due = state.dues.first()
        if due is None or due.at_ns > now_ns:
            break
        yield from _happen(state, due, now_ns)
    forget_ns = _forget_due_ns(state)
    if forget_ns is not None and forget_ns <= now_ns:
        yield ArticlesForgotten(state.kept.last_cause, now_ns)


def next_due_ns(state: State) -> int | None:
    """Return when `conclude` has something to say by itself."""
    due, forget_ns = state.dues.first(), _forget_due_ns(state)
    if due is None or forget_ns is None:
        return due.at_ns if due else forget_ns
    return min(due.at_ns, forget_ns)


def _happen(state: State, due: Due, now_ns: int) -> Iterator[Event]:
    """Yield what a due brings about; its cause is what made it due."""
    match due.kind:
        case "llm":
            yield from answers.time_out(state, due.key, now_ns)
        case "mode":
            yield LlmModeChanged(state.kept.llm.cause, "enabled", "it is tried again", None)
        case "review":
            yield reviews.expire(state, due.key)
        case "source":
            yield SourceReleased(state.kept.sources[due.key].cause, due.key)


def _forget_due_ns(state: State) -> int | None:
    """Return when there is something to forget, FORGET_EVERY_NS after the last time at least."""
    kept = state.kept
    if kept.seen.is_full():
        return 0
    dues = [0] if kept.ended else []
    if state.order:
        dues.append(kept.window[state.order[0]].at_ns + kept.reality.vector_window_ns)
    oldest_ns, seen_ns = state.charges.oldest_ns(), kept.seen.due_ns()
    if oldest_ns is not None:
        dues.append(oldest_ns + kept.safeguards.source_window_ns)
    if seen_ns is not None:
        dues.append(seen_ns)
    return max(min(dues), kept.forgotten_ns + FORGET_EVERY_NS) if dues else None
