"""Decide: what time alone brings about."""

from collections.abc import Iterator

from engines.reality.decide import answers, review_answers
from engines.reality.limits import FORGET_EVERY_NS, MAX_TIMERS_AT_ONCE
from engines.reality.state import State
from engines.reality.timers import Timer
from schemas.events.reality import (
    ArticlesForgotten,
    Event,
    LlmModeChanged,
    SourceReleased,
)


def on_group_end(state: State, now_ns: int) -> Iterator[Event]:
    """Yield what is due: timeouts, expiries, releases, soonest first; then what to forget."""
    for _ in range(MAX_TIMERS_AT_ONCE):
        timer = state.timers.first()
        if timer is None or timer.at_ns > now_ns:
            break
        yield from _fire(state, timer, now_ns)
    forget_ns = _next_forget_ns(state)
    if forget_ns is not None and forget_ns <= now_ns:
        yield ArticlesForgotten(state.persisted.last_cause, now_ns)


def next_due_ns(state: State) -> int | None:
    """Return when `on_group_end` has something to say by itself; 0 is at once."""
    timer, forget_ns = state.timers.first(), _next_forget_ns(state)
    if timer is None or forget_ns is None:
        return timer.at_ns if timer else forget_ns
    return min(timer.at_ns, forget_ns)


def _fire(state: State, timer: Timer, now_ns: int) -> Iterator[Event]:
    """Yield the events of a timer; their cause is that of the event that set it."""
    match timer.kind:
        case "llm":
            yield from answers.time_out(state, timer.key, now_ns)
        case "mode":
            yield LlmModeChanged(state.persisted.llm.cause, "enabled", "it is tried again", None)
        case "review":
            yield from review_answers.expire(state, timer.key, now_ns)
        case "source":
            yield SourceReleased(state.persisted.sources[timer.key].cause, timer.key)


def _next_forget_ns(state: State) -> int | None:
    """Return when there is something to forget, at least FORGET_EVERY_NS after the last time."""
    persisted = state.persisted
    if persisted.seen.is_full():
        return 0
    times_ns = [0] if persisted.ended else []
    if state.order:
        oldest = persisted.window[state.order[0]]
        times_ns.append(oldest.at_ns + persisted.reality.vector_window_ns)
    oldest_ns, seen_ns = state.charges.oldest_ns(), persisted.seen.due_ns()
    if oldest_ns is not None:
        times_ns.append(oldest_ns + persisted.safeguards.source_window_ns)
    if seen_ns is not None:
        times_ns.append(seen_ns)
    return max(min(times_ns), persisted.forgotten_ns + FORGET_EVERY_NS) if times_ns else None
