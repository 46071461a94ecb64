"""The memory of articles and moves, for a bounded time."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from engines.reality.limits import MAX_REMEMBERED_ARTICLES, REMEMBER_ARTICLES_NS
from schemas.units import DAY_NS, HOUR_NS, WEEK_NS

_DAY_HOURS: Final = DAY_NS // HOUR_NS
_WEEK_HOURS: Final = WEEK_NS // HOUR_NS


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
        total_e2 = 0
        for charge in reversed(self._pairs.get((source, symbol), ())):
            if charge.at_ns <= after_ns:
                break
            total_e2 += charge.moved_e2
        return total_e2

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


class HourMoved(msgspec.Struct, array_like=True, gc=False):
    """What moved within one hour, both directions added up; hours are counted from 1970."""

    hour: int
    moved_e2: int


class UnsignedMoved(msgspec.Struct, array_like=True):
    """What moved without a signature, by the hour: a week of each symbol, a day of each source.

    An hour of which only a part is within a window counts whole. So a cap holds for any window,
    not only for those that begin with an hour, and what is held is bounded: 169 hours of a
    symbol, and 25 of a source and of each symbol that it moved.
    """

    symbols: dict[str, list[HourMoved]] = {}
    sources: dict[str, list[HourMoved]] = {}
    pairs: dict[str, dict[str, list[HourMoved]]] = {}

    def add(self, source: str, symbol: str, at_ns: int, moved_e2: int) -> None:
        """Enter a move; none is older than those before it."""
        hour, pairs = at_ns // HOUR_NS, self.pairs.get(source)
        if pairs is None:
            pairs = self.pairs[source] = {}
        for moved, name, kept_hours in (
            (self.symbols, symbol, _WEEK_HOURS),
            (self.sources, source, _DAY_HOURS),
            (pairs, symbol, _DAY_HOURS),
        ):
            hours = moved.get(name)
            if hours is None:
                moved[name] = [HourMoved(hour, moved_e2)]
            elif hours[-1].hour == hour:
                hours[-1].moved_e2 += moved_e2
            else:
                hours.append(HourMoved(hour, moved_e2))
                _forget_hours(hours, hour - kept_hours)

    def of_symbol_e2(self, symbol: str, after_ns: int) -> int:
        """Return how far all sources moved `symbol` after `after_ns`, a week ago at most."""
        return _total_e2(self.symbols.get(symbol, ()), after_ns)

    def of_source_e2(self, source: str, after_ns: int) -> int:
        """Return how far `source` moved all symbols after `after_ns`, a day ago at most."""
        return _total_e2(self.sources.get(source, ()), after_ns)

    def of_pair_e2(self, source: str, symbol: str, after_ns: int) -> int:
        """Return how far `source` moved `symbol` after `after_ns`, a day ago at most."""
        return _total_e2(self.pairs.get(source, {}).get(symbol, ()), after_ns)

    def forget(self, now_ns: int) -> None:
        """Drop what is in no window any more."""
        hour = now_ns // HOUR_NS
        _forget(self.symbols, hour - _WEEK_HOURS)
        _forget(self.sources, hour - _DAY_HOURS)
        for source, pairs in [*self.pairs.items()]:
            _forget(pairs, hour - _DAY_HOURS)
            if not pairs:
                del self.pairs[source]


def _forget(moved: dict[str, list[HourMoved]], first_hour: int) -> None:
    for name, hours in [*moved.items()]:
        _forget_hours(hours, first_hour)
        if not hours:
            del moved[name]


def _forget_hours(hours: list[HourMoved], first_hour: int) -> None:
    """Drop the hours before `first_hour`."""
    del hours[: bisect_left(hours, first_hour, key=_hour)]


def _total_e2(hours: Sequence[HourMoved], after_ns: int) -> int:
    first_hour, total_e2 = after_ns // HOUR_NS, 0
    for one in reversed(hours):
        if one.hour < first_hour:
            break
        total_e2 += one.moved_e2
    return total_e2


def _hour(one: HourMoved) -> int:
    return one.hour


def _at_ns(charge: Charge) -> int:
    return charge.at_ns


def prune(times_ns: list[int], until_ns: int) -> None:
    """Drop from `times_ns`, which is in order, what is not after `until_ns`."""
    del times_ns[: bisect_right(times_ns, until_ns)]


def count_after(times_ns: list[int], after_ns: int) -> int:
    """Return how many of `times_ns`, which is in order, are after `after_ns`."""
    return len(times_ns) - bisect_right(times_ns, after_ns)
