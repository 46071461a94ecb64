"""The fair queue: one line for each account, and each line has its turn. Pure.

Deficit round robin (Shreedhar and Varghese 1995) by cost, which is bytes and something for
each command. A group takes of each line what its turn allows and no more, even where the
group has room left: who sends without end would otherwise make every batch as large as it
may be, and the others would wait for it.

How much may wait is a share of what is free (Choudhury and Hahne 1998), so many greedy
accounts leave room for one that is not.
"""

from collections import OrderedDict, deque
from typing import Generic, Protocol, TypeVar

from schemas.errors import Busy
from schemas.limits import MAX_ATOMIC_BATCH
from streams.relay.limits import COMMAND_COST, LINE_BYTES, LINE_SHARE, QUEUE_BYTES, TURN_BYTES


class Queued(Protocol):
    """Something of an account that can wait in a line."""

    @property
    def account(self) -> str: ...

    @property
    def payload(self) -> bytes: ...


T = TypeVar("T", bound=Queued)


class _Line(Generic[T]):
    __slots__ = ("cost", "credit", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[T] = deque()
        self.cost = 0
        self.credit = 0


class Lines(Generic[T]):
    """What waits, by account."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, _Line[T]] = OrderedDict()
        """The lines in which something waits, the next turn's first."""
        self._cost = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def accounts(self) -> int:
        """How many accounts have something waiting."""
        return len(self._lines)

    def put(self, one: T) -> None:
        """Put one at the end of its account's line. Raises Busy when the line is too long."""
        cost = _cost(one)
        line = self._lines.get(one.account)
        held = cost if line is None else line.cost + cost
        if held > min(LINE_BYTES, (QUEUE_BYTES - self._cost) // LINE_SHARE):
            raise Busy("too many commands of this account wait; nothing was done")
        if line is None:
            line = self._lines[one.account] = _Line()
        line.waiting.append(one)
        line.cost = held
        self._cost += cost
        self._count += 1

    def take(self) -> list[T]:
        """Remove and return what has its turn now: each line once, MAX_ATOMIC_BATCH in all.

        In a line first come is first served. A turn may be overdrawn by one command, which the
        next turns pay back.
        """
        group: list[T] = []
        while self._lines and not group:  # again only while all are in debt
            for _ in range(len(self._lines)):
                if not self._take_turn(group):
                    break
        return group

    def _take_turn(self, group: list[T]) -> bool:
        """Move a turn of the first line into `group`; return False once it is full."""
        account, line = next(iter(self._lines.items()))
        if line.credit <= 0:
            line.credit += TURN_BYTES
        while line.credit > 0 and line.waiting:
            if len(group) == MAX_ATOMIC_BATCH:
                return False
            one = line.waiting.popleft()
            cost = _cost(one)
            line.credit -= cost
            line.cost -= cost
            self._cost -= cost
            self._count -= 1
            group.append(one)
        if line.waiting:
            self._lines.move_to_end(account)
        else:
            del self._lines[account]
        return True


def _cost(one: Queued) -> int:
    return len(one.payload) + COMMAND_COST
