"""So many at a time, callers in turn: nobody who asks a lot keeps others waiting for all of it."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.errors import Busy


class FairQueue:
    """A row of callers, each with its own row of questions.

    At most `most` questions are held, those whose turn it is included, and `most_of_one` of
    any one caller. `at_once` of them have their turn at the same time.
    """

    def __init__(self, most: int, most_of_one: int, at_once: int = 1) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._held: Counter[str] = Counter()
        self._rows: dict[str, deque[asyncio.Future[None]]] = {}
        self._free = at_once

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Wait for a turn of `caller`, and have it. Raises Busy if no more may wait."""
        if self._held[caller] >= self._most_of_one:
            raise Busy("your questions wait already; ask again when they are done")
        if self._held.total() >= self._most:
            raise Busy("too many questions wait")
        self._held[caller] += 1
        try:
            await self._my_turn(caller)
            try:
                yield
            finally:
                self._pass_on()
        finally:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]

    async def _my_turn(self, caller: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rows.setdefault(caller, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came with the cancellation
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the turn to the caller who is first in the row, and put that one at its end."""
        while self._rows:
            caller = next(iter(self._rows))
            row = self._rows.pop(caller)
            turn = row.popleft()
            if row:
                self._rows[caller] = row
            if not turn.done():  # else it has given up
                turn.set_result(None)
                return
        self._free += 1
