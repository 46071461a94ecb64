"""The memory of articles and moves, for a bounded time."""

from bisect import bisect_right
from typing import NamedTuple

import msgspec

from engines.reality.limits import MAX_REMEMBERED_ARTICLES, REMEMBER_ARTICLES_NS


class SeenArticles(msgspec.Struct, array_like=True):
    """The articles that counted, by snapshot_id, in two generations.

    `now` collects. At `until_ns`, or when `now` holds half of MAX_REMEMBERED_ARTICLES, it
    becomes `before`, and the previous `before` is dropped. So each article is remembered for
    REMEMBER_ARTICLES_NS at least, unless more came than there is room for.
    """

    now: dict[str, int] = {}
    before: dict[str, int] = {}
    until_ns: int = 0

    def get(self, snapshot_id: str) -> int | None:
        """Return the article with this content, None if none is remembered."""
        return self.now.get(snapshot_id) or self.before.get(snapshot_id)

    def add(self, snapshot_id: str, article: int, at_ns: int) -> None:
        """Remember an article as the last that had a say with this content."""
        if not self.now and not self.before:
            self.until_ns = at_ns + REMEMBER_ARTICLES_NS
        self.now[snapshot_id] = article

    def is_full(self) -> bool:
        return len(self.now) >= MAX_REMEMBERED_ARTICLES // 2

    def due_ns(self) -> int | None:
        """Return when the older generation is to be dropped."""
        return self.until_ns if self.now or self.before else None

    def forget(self, now_ns: int) -> None:
        """Drop the older generation if its time has come."""
        if now_ns >= self.until_ns or self.is_full():
            self.before, self.now = self.now, {}
            self.until_ns = now_ns + REMEMBER_ARTICLES_NS


class Charge(NamedTuple):
    """What one move of a score is charged to the source that caused it."""

    at_ns: int
    symbol: str
    source: str
    moved_e2: int


class Charges:
    """The charges of the last window, in the order of time, and by source and symbol."""

    def __init__(self, charges: list[Charge]) -> None:
        self._all: list[Charge] = []
        self._pairs: dict[tuple[str, str], list[Charge]] = {}
        for charge in charges:
            self.add(charge)

    def add(self, charge: Charge) -> None:
        """Enter a charge; none is older than those before it."""
        self._all.append(charge)
        self._pairs.setdefault((charge.source, charge.symbol), []).append(charge)

    def total_e2(self, source: str, symbol: str, after_ns: int) -> int:
        """Return how much `source` moved `symbol`, up and down together, after `after_ns`."""
        charges = self._pairs.get((source, symbol), ())
        return sum(charge.moved_e2 for charge in charges if charge.at_ns > after_ns)

    def oldest_ns(self) -> int | None:
        return self._all[0].at_ns if self._all else None

    def forget(self, until_ns: int) -> None:
        """Drop what is not after `until_ns`."""
        gone = bisect_right(self._all, until_ns, key=_at_ns)
        for charge in self._all[:gone]:
            pair = (charge.source, charge.symbol)
            charges = self._pairs[pair]
            charges.pop(0)  # those of a pair are in the order of all
            if not charges:
                del self._pairs[pair]
        del self._all[:gone]

    def all(self) -> list[Charge]:
        """Return the charges in the order of time."""
        return self._all


def _at_ns(charge: Charge) -> int:
    return charge.at_ns


def prune(times_ns: list[int], until_ns: int) -> None:
    """Drop from `times_ns`, which is in order, what is not after `until_ns`."""
    del times_ns[: bisect_right(times_ns, until_ns)]


def count_after(times_ns: list[int], after_ns: int) -> int:
    """Return how many of `times_ns`, which is in order, are after `after_ns`."""
    return len(times_ns) - bisect_right(times_ns, after_ns)
