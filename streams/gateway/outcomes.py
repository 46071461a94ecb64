"""What became of a command: the events that the log holds for its sequence."""

import asyncio
from collections import deque
from typing import Final, NamedTuple

from schemas.errors import Busy
from schemas.events import Event
from streams.accounts.tail import READS, Arrived
from streams.gateway.limits import (
    MAX_OUTCOME_WAITERS,
    RECENT_RECORD_BYTES,
    RECENT_RECORDS,
    WAIT_OUTCOME_S,
)


class Outcome(NamedTuple):
    """All events of one cause; `sequence` is that of the record that holds them."""

    sequence: int
    events: list[Event]


class _Recent:
    """The last records of one engine, bounded in number and bytes."""

    def __init__(self) -> None:
        self._records: deque[Arrived] = deque()
        self._bytes = 0

    def add(self, arrived: Arrived) -> None:
        self._records.append(arrived)
        self._bytes += len(arrived.stored.payload)
        while len(self._records) > RECENT_RECORDS or self._bytes > RECENT_RECORD_BYTES:
            self._bytes -= len(self._records.popleft().stored.payload)

    def find(self, cause: int) -> Arrived | None:
        for arrived in reversed(self._records):
            if arrived.covers(cause):
                return arrived
            if arrived.head.last_input < cause:
                return None
        return None


class Outcomes:
    """Tell those who wait for a cause what an engine decided about it.

    Outcomes are often on the log before its ack is back, so the last records are kept.
    """

    def __init__(self) -> None:
        self._recent: Final = {engine: _Recent() for engine in READS}
        self._waiting: dict[str, dict[int, list[asyncio.Future[Outcome]]]] = {
            engine: {} for engine in READS
        }
        self._count = 0

    def take(self, arrived: Arrived) -> None:
        """Keep a record and wake those who wait for an outcome in it."""
        engine = arrived.head.engine
        self._recent[engine].add(arrived)
        waiting = self._waiting[engine]
        for cause in [cause for cause in waiting if arrived.covers(cause)]:
            outcome = _outcome(arrived, cause)
            for future in waiting.pop(cause):
                if not future.done():
                    future.set_result(outcome)

    def admit(self) -> None:
        """Raise Busy if no one more may wait: to be asked before anything is appended."""
        if self._count >= MAX_OUTCOME_WAITERS:
            raise Busy("too many requests wait for an outcome")

    async def wait(self, engine: str, cause: int) -> Outcome | None:
        """Return what `engine` decided about the input at `cause`, None if not in time."""
        if (arrived := self._recent[engine].find(cause)) is not None:
            return _outcome(arrived, cause)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[engine]
        waiting.setdefault(cause, []).append(future)
        self._count += 1
        try:
            async with asyncio.timeout(WAIT_OUTCOME_S):
                return await future
        except TimeoutError:
            return None
        finally:
            self._count -= 1
            self._forget(engine, cause, future)

    def _forget(self, engine: str, cause: int, future: asyncio.Future[Outcome]) -> None:
        waiting = self._waiting[engine]
        if cause in waiting and future in waiting[cause]:
            waiting[cause].remove(future)
            if not waiting[cause]:
                del waiting[cause]


def _outcome(arrived: Arrived, cause: int) -> Outcome:
    return Outcome(arrived.sequence, arrived.by_cause.get(cause, []))
