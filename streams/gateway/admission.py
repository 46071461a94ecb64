"""Who may hold a connection, and who may have a request under way. Pure: the time is given.

A connection either has a request under way or waits for one. One that waits never keeps
anybody out: where all places are taken, the one that has waited longest gives up its own. So
silent connections cost strangers nothing but themselves. Requests under way are bounded, for
the venue and for each address, so that some places always wait.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.errors import Busy
from streams.gateway.limits import (
    HEADER_TIMEOUT_S,
    IDLE_TIMEOUT_S,
    MAX_ADDRESS_CONNECTIONS,
    MAX_HTTP_CONNECTIONS,
    MAX_KEPT_REQUESTS,
    MAX_UNSENT_BYTES,
    NEWCOMER_PERCENT,
    OPEN_PERCENT,
    UNSENT_TIMEOUT_S,
)


@dataclass(frozen=True)
class ConnectionBounds:
    """How many connections there may be, and how long they may wait. A test may have less."""

    connections: int = MAX_HTTP_CONNECTIONS
    of_one_address: int = MAX_ADDRESS_CONNECTIONS
    kept_for_one: int = MAX_KEPT_REQUESTS
    header_timeout_s: float = HEADER_TIMEOUT_S
    idle_timeout_s: float = IDLE_TIMEOUT_S
    unsent_timeout_s: float = UNSENT_TIMEOUT_S
    unsent_bytes: int = MAX_UNSENT_BYTES


@dataclass
class _Share:
    """The places of the venue, or of one address: which connections, by whose address."""

    places: int
    connections: dict[Hashable, str | None] = field(default_factory=dict)
    under_way: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.connections) >= self.places

    @property
    def is_open(self) -> bool:
        """Whether anyone may begin a request."""
        return self.under_way < max(1, self.places * OPEN_PERCENT // 100)

    @property
    def is_open_to_known(self) -> bool:
        """Whether those may for whom places are kept."""
        return self.under_way < max(1, self.places * (100 - NEWCOMER_PERCENT) // 100)


class Ticket(NamedTuple):
    """A request under way: whose share it is in, and for whom the place was kept, if it was."""

    address: str | None
    kept_for: str | None


class Admission:
    """The places of one gateway. Connections are anything that can be a key."""

    def __init__(self, bounds: ConnectionBounds) -> None:
        self._bounds = bounds
        self._all = _Share(bounds.connections)
        self._shares: dict[str, _Share] = {}
        self._waiting: dict[Hashable, float] = {}
        self._kept: Counter[str] = Counter()

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return self._all.under_way

    def enter(self, connection: Hashable, address: str | None, now: float) -> Hashable | None:
        """Take a place, and return the connection that lost its own for it, if one did.

        Without an address, as behind a trusted proxy, it counts in no share but the venue's.
        """
        leaving: Hashable | None = None
        if address is not None:
            share = self._share(address)
            if share.is_full:
                waiting = [one for one in share.connections if one in self._waiting]
                leaving = min(waiting, key=self._waiting.__getitem__, default=None)
            share.connections[connection] = address
        if leaving is None and self._all.is_full:
            leaving = next(iter(self._waiting), None)
        self._all.connections[connection] = address
        self._waiting[connection] = now
        if leaving is not None:
            self.leave(leaving)
        return leaving

    def leave(self, connection: Hashable) -> None:
        """Give a place up. What is under way on it goes on counting until it ends."""
        self._waiting.pop(connection, None)
        address = self._all.connections.pop(connection, None)
        if address is not None:
            share = self._shares[address]
            del share.connections[connection]
            self._forget_if_unused(address, share)

    def begin(
        self, connection: Hashable, address: str | None, known: Callable[[], str | None]
    ) -> Ticket:
        """Begin a request; `known` is asked who that is only where places run short.

        Raises Busy when there is no place for it.
        """
        share = None if address is None else self._shares.get(address)
        kept_for = None
        if not self._all.is_open or (share is not None and not share.is_open):
            kept_for = self._kept_place(share, known())
            self._kept[kept_for] += 1
        self._all.under_way += 1
        if address is not None:
            self._share(address).under_way += 1
        self._waiting.pop(connection, None)
        return Ticket(address, kept_for)

    def end(self, ticket: Ticket) -> None:
        """End a request that was begun."""
        self._all.under_way -= 1
        if ticket.address is not None:
            share = self._shares[ticket.address]
            share.under_way -= 1
            self._forget_if_unused(ticket.address, share)
        if ticket.kept_for is not None:
            self._kept[ticket.kept_for] -= 1
            if not self._kept[ticket.kept_for]:
                del self._kept[ticket.kept_for]

    def wait(self, connection: Hashable, now: float) -> None:
        """Have a connection wait from now on, if it still has its place."""
        self._waiting.pop(connection, None)
        if connection in self._all.connections:
            self._waiting[connection] = now

    def waits(self, connection: Hashable) -> bool:
        return connection in self._waiting

    def overdue(self, now: float) -> Iterator[tuple[Hashable, float]]:
        """Yield what has waited too long, with the seconds, the longest first."""
        for connection, since in self._waiting.items():
            if now - since < self._bounds.header_timeout_s:
                return
            yield connection, now - since

    def _kept_place(self, share: _Share | None, known: str | None) -> str:
        """Return for whom a place is kept. Raises Busy when none is."""
        if known is None:
            whose = "this venue" if not self._all.is_open else "this address"
            raise Busy(f"too many requests of {whose} are under way; sign in, or try again")
        if not self._all.is_open_to_known or (share is not None and not share.is_open_to_known):
            raise Busy("too many requests are under way")
        if self._kept[known] >= self._bounds.kept_for_one:
            raise Busy("too many requests of yours are under way")
        return known

    def _share(self, address: str) -> _Share:
        share = self._shares.get(address)
        if share is None:
            share = self._shares[address] = _Share(self._bounds.of_one_address)
        return share

    def _forget_if_unused(self, address: str, share: _Share) -> None:
        if not share.connections and not share.under_way:
            del self._shares[address]
