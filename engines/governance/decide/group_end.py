"""Decide: the pending decisions that lapse because time has passed."""

from collections.abc import Sequence

from engines.governance.state import State
from schemas.events.governance import DecisionLapsed


def on_group_end(state: State, now_ns: int) -> Sequence[DecisionLapsed]:
    """Return the lapses that are due; the cause of each is the proposal's sequence."""
    return [
        DecisionLapsed(pending.cause, hash_)
        for hash_, pending in state.pending.items()
        if pending.expires_ns <= now_ns
    ]


def next_due_ns(state: State) -> int | None:
    """Return when the next pending decision lapses."""
    return min((pending.expires_ns for pending in state.pending.values()), default=None)
