"""What time alone brings about, soonest first.

An entry is left in the heap when its matter is settled otherwise, and skipped when its turn
comes: whoever asks says which entries still stand. Entries are ordered by all that they are,
so what comes first does not depend on how the heap came to be.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Literal, NamedTuple

Kind = Literal["llm", "mode", "review", "source"]


class Due(NamedTuple):
    """`key` says what of its kind: a request, a proposal's hash, a source."""

    at_ns: int
    kind: Kind
    key: str


class Dues:
    """A heap of dues, of which those count for which `stands` holds."""

    def __init__(self, stands: Callable[[Due], bool]) -> None:
        self._stands = stands
        self._heap: list[Due] = []

    def add(self, due: Due) -> None:
        heappush(self._heap, due)

    def first(self) -> Due | None:
        """Return the soonest due that stands."""
        heap = self._heap
        while heap:
            if self._stands(heap[0]):
                return heap[0]
            heappop(heap)
        return None
