"""The throttle: one request to a host at a time, and so many seconds from one to the next.

Turns at a host are given by what they are for: a source's own document first, then pages of the
host's own sources, then pages that others link to; among equals in the order of asking. So a feed
of links to another host does not hold up that host's own source. After MAX_TURNS_AHEAD turns for
better things one goes to the job that has waited longest of the others: none waits for ever.

A job whose turn is far off is not kept waiting: it gets `HostBusy`, and keeps its place until it
comes again. If others were put before it meanwhile, it gets `HostBusy` once more. Who does not
come is passed over after _LATE_NS, and forgotten after _LAPSES_NS.

The throttle lives in the memory of one process. Fetcher and browser keep one each, so a
host that both ask is asked by each at its rate, and a venue may run only one of either.
"""

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from schemas.units import SECOND_NS
from streams.ingest.fetching.locks import Locks
from streams.ingest.fetching.problems import HostBusy
from streams.ingest.limits import MAX_HELD_TURN_S, MAX_THROTTLED_HOSTS, MAX_TURNS_AHEAD
from streams.log.ports import Clock

_LATE_NS: Final = 5 * SECOND_NS
"""A job that has not come again so long after it was told to lets others go first,"""
_LAPSES_NS: Final = 60 * SECOND_NS
"""and so long after it has no place any more."""
_LEAST_SLEEP_S: Final = 0.001
"""A clock may wake a sleeper a little early."""


class Precedence(IntEnum):
    """What a turn is for; the least goes first."""

    DOCUMENT = 0
    OWN_PAGE = 1
    LINKED_PAGE = 2


@dataclass
class _Place:
    """A job that waits for its turn at a host."""

    precedence: Precedence
    number: int
    """Places are numbered in the order of asking."""
    delay_ns: int
    told_ns: int
    """When the job was told to come again."""
    callers: int = 0
    """How many wait here for this turn now: the same job may be handed out twice."""

    def counts(self, now_ns: int, late_ns: int = _LATE_NS) -> bool:
        """Tell whether the job is here, or is not more than `late_ns` late."""
        return self.callers > 0 or now_ns <= self.told_ns + late_ns


@dataclass
class _Turns:
    """Who waits for turns at one host."""

    free_ns: int = 0
    """The host may not be asked before."""
    ahead: int = 0
    """Turns in a row that went to those who go first while others waited."""
    places: dict[str, _Place] = field(default_factory=dict)

    def forget(self, now_ns: int) -> None:
        """Drop the places of jobs that do not come again."""
        self.places = {
            who: place for who, place in self.places.items() if place.counts(now_ns, _LAPSES_NS)
        }

    def order(self, now_ns: int) -> Iterator[_Place]:
        """Yield the places that count, in the order of their turns."""
        waiting: dict[Precedence, deque[_Place]] = {one: deque() for one in Precedence}
        for place in self.places.values():
            if place.counts(now_ns):
                waiting[place.precedence].append(place)
        ahead = self.ahead
        while queues := [queue for queue in waiting.values() if queue]:
            first, *others = queues
            if others and ahead >= MAX_TURNS_AHEAD:
                first = min(others, key=lambda queue: queue[0].number)
                ahead = 0
            else:
                ahead = ahead + 1 if others else 0
            yield first.popleft()

    def turn_ns(self, mine: _Place, now_ns: int) -> int:
        """Return when the turn of `mine` is, as it looks now."""
        at_ns = max(now_ns, self.free_ns)
        for place in self.order(now_ns):
            if place is mine:
                break
            at_ns += place.delay_ns
        return at_ns

    def begin(self, who: str, now_ns: int) -> None:
        """Give `who` the turn that begins now."""
        mine = self.places.pop(who)
        waiting = {place.precedence for place in self.places.values() if place.counts(now_ns)}
        goes_first = not waiting or mine.precedence <= min(waiting)
        others_wait = any(precedence > mine.precedence for precedence in waiting)
        self.ahead = self.ahead + 1 if goes_first and others_wait else 0
        self.free_ns = max(self.free_ns, now_ns + mine.delay_ns)


class Throttle:
    """Gives out turns by host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hosts: dict[str, _Turns] = {}
        self._asked = 0
        self._locks = Locks()

    @contextlib.asynccontextmanager
    async def turn(
        self,
        host: str,
        delay_s: float,
        who: str,
        precedence: Precedence,
        held_s: float = MAX_HELD_TURN_S,
    ) -> AsyncIterator[None]:
        """Wait for `who`'s turn at `host` and hold it. Raises HostBusy if it is over `held_s` away.

        `delay_s` is the time from the beginning of this turn to that of the next.
        """
        while True:
            at = self._host(host)
            mine = self._place(at, who, precedence, round(delay_s * SECOND_NS))
            mine.callers += 1
            try:
                await self._wait(at, mine, held_s)
                async with self._locks.of(host):
                    # Another may have had this turn while the lock was waited for.
                    now_ns = self._clock.now_ns()
                    if at.places.get(who) is mine and at.turn_ns(mine, now_ns) <= now_ns:
                        at.begin(who, now_ns)
                        yield
                        return
            finally:
                mine.callers -= 1

    def hold(self, host: str, seconds: float) -> None:
        """Give no turn at `host` for `seconds`: the host asked for a pause."""
        at = self._host(host)
        at.free_ns = max(at.free_ns, self._clock.now_ns() + round(seconds * SECOND_NS))

    async def _wait(self, at: _Turns, mine: _Place, held_s: float) -> None:
        """Wait until it is `mine`'s turn. Raises HostBusy if it is over `held_s` away."""
        while True:
            now_ns = self._clock.now_ns()
            mine.told_ns = at.turn_ns(mine, now_ns)
            wait_s = (mine.told_ns - now_ns) / SECOND_NS
            if wait_s > held_s:
                raise HostBusy(wait_s)
            if wait_s <= 0:
                return
            await self._clock.sleep(max(wait_s, _LEAST_SLEEP_S))

    def _host(self, host: str) -> _Turns:
        if len(self._hosts) > MAX_THROTTLED_HOSTS:
            self._forget()
        return self._hosts.setdefault(host, _Turns())

    def _place(self, at: _Turns, who: str, precedence: Precedence, delay_ns: int) -> _Place:
        """Return `who`'s place, the last one if it has none."""
        now_ns = self._clock.now_ns()
        at.forget(now_ns)
        if who not in at.places:
            self._asked += 1
            at.places[who] = _Place(precedence, self._asked, delay_ns, now_ns)
        return at.places[who]

    def _forget(self) -> None:
        """Drop the hosts that nobody waits for."""
        now_ns = self._clock.now_ns()
        for at in self._hosts.values():
            at.forget(now_ns)
        self._hosts = {
            host: at for host, at in self._hosts.items() if at.places or at.free_ns > now_ns
        }
