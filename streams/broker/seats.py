"""How many connections an account may hold at once, and who takes the next one. No I/O.

The server knows who is connected, and is asked at each login. What it cannot know yet is
who was let in a moment ago, so those are remembered here for as long as a login may take.

Two desks that let the same account in at the same moment know nothing of each other: each
may then give the last seat away once. The bound is one server's; a cluster has it per server.
"""

from collections.abc import Iterable
from typing import NamedTuple

from streams.broker import limits
from streams.broker.roles import READERS


class Seat(NamedTuple):
    """One connection: the server's number for it, and the NATS account that it is in."""

    cid: int
    account: str


def reader_seats(seats: int) -> int:
    """Return how many of an account's `seats` may listen to feeds: 2 of 5, at least one."""
    return max(1, seats * limits.ACCOUNT_READERS // limits.ACCOUNT_CONNECTIONS)


class Seats:
    """Gives seats to accounts; remembers those given in the last LOGIN_TIMEOUT_S."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str, int], tuple[Seat, float]] = {}

    def take(
        self, name: str, server: str, wanted: Seat, live: Iterable[Seat], seats: int, now_s: float
    ) -> bool:
        """Give the account `name` the seat `wanted` on `server`, if one of its kind is left.

        `live` are the seats that the server says it holds there, of `seats` in all.
        """
        self._forget(now_s)
        taken = set(live)
        for seat in taken:
            self._given.pop((name, server, seat.cid), None)
        taken |= {
            seat
            for (who, where, _), (seat, _) in self._given.items()
            if (who, where) == (name, server)
        }
        readers = sum(seat.account == READERS for seat in taken)
        if len(taken) >= seats:
            return False
        if wanted.account == READERS and readers >= reader_seats(seats):
            return False
        self._given[name, server, wanted.cid] = (wanted, now_s)
        return True

    def _forget(self, now_s: float) -> None:
        """Drop what was given so long ago that the server would know it by now."""
        while self._given:
            oldest = next(iter(self._given))
            if now_s - self._given[oldest][1] < limits.LOGIN_TIMEOUT_S:
                return
            del self._given[oldest]
