"""Timers: what becomes due by time alone, soonest first.

Cancelled timers stay in the heap and are skipped when they come first. Timers compare by all
their fields, so their order does not depend on how the heap was built.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Literal, NamedTuple

TimerKind = Literal["llm", "mode", "review", "source"]


class Timer(NamedTuple):
    """`key` is a request's id, a proposal's hash or a source, by `kind`; empty for the mode."""

    at_ns: int
    kind: TimerKind
    key: str


class TimerQueue:
    """A heap of timers; `is_effective` says which of them are not cancelled."""

    def __init__(self, is_effective: Callable[[Timer], bool]) -> None:
        self._is_effective = is_effective
        self._heap: list[Timer] = []

    def add(self, timer: Timer) -> None:
        heappush(self._heap, timer)

    def first(self) -> Timer | None:
        """Return the soonest effective timer; drop the cancelled ones before it."""
        heap = self._heap
        while heap:
            if self._is_effective(heap[0]):
                return heap[0]
            heappop(heap)
        return None
