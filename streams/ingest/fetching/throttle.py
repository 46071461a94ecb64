"""The throttle: one request to a host at a time, and so many seconds from one to the next.

Turns are given out in the order of asking. A job whose turn is far off is not kept waiting:
it gets `HostBusy`, and finds its turn reserved when it asks again.

The throttle lives in the memory of one process. Fetcher and browser keep one each, so a
host that both ask is asked by each at its rate, and a venue may run only one of either.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from schemas.units import SECOND_NS
from streams.ingest.fetching.locks import Locks
from streams.ingest.fetching.problems import HostBusy
from streams.ingest.limits import MAX_HELD_TURN_S, MAX_THROTTLED_HOSTS
from streams.log.ports import Clock

_LAPSES_NS: Final = 60 * SECOND_NS
"""A reserved turn expires this long after its time."""


class Throttle:
    """Gives out turns by host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_ns: dict[str, int] = {}
        self._turns: dict[tuple[str, str], int] = {}
        self._locks = Locks()

    @contextlib.asynccontextmanager
    async def turn(
        self, host: str, delay_s: float, who: str, held_s: float = MAX_HELD_TURN_S
    ) -> AsyncIterator[None]:
        """Wait for `who`'s turn at `host` and hold it. Raises HostBusy if it is over `held_s` away.

        `delay_s` is the time from the beginning of this turn to that of the next.
        """
        at_ns = self._reserve(host, round(delay_s * SECOND_NS), who)
        wait_s = (at_ns - self._clock.now_ns()) / SECOND_NS
        if wait_s > held_s:
            raise HostBusy(wait_s)
        if wait_s > 0:
            await self._clock.sleep(wait_s)
        self._turns.pop((host, who), None)
        async with self._locks.of(host):
            yield

    def hold(self, host: str, seconds: float) -> None:
        """Give no turn at `host` for `seconds`: the host asked for a pause."""
        until_ns = self._clock.now_ns() + round(seconds * SECOND_NS)
        self._next_ns[host] = max(self._next_ns.get(host, 0), until_ns)

    def _reserve(self, host: str, delay_ns: int, who: str) -> int:
        now_ns = self._clock.now_ns()
        at_ns = self._turns.get((host, who))
        if at_ns is None or at_ns < now_ns - _LAPSES_NS:
            self._forget(now_ns)
            at_ns = max(now_ns, self._next_ns.get(host, 0))
            self._turns[host, who] = at_ns
            self._next_ns[host] = at_ns + delay_ns
        return at_ns

    def _forget(self, now_ns: int) -> None:
        """Drop past turns once there are many of them."""
        if len(self._next_ns) > MAX_THROTTLED_HOSTS:
            self._next_ns = {host: at for host, at in self._next_ns.items() if at > now_ns}
        if len(self._turns) > MAX_THROTTLED_HOSTS:
            late_ns = now_ns - _LAPSES_NS
            self._turns = {one: at for one, at in self._turns.items() if at >= late_ns}
