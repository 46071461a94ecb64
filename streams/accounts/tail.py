"""The tail: the records that are read for a directory, and for outcomes."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import msgspec

from schemas.codec import Codec
from schemas.events import Event
from schemas.record_chain import Chains
from schemas.records import read
from schemas.stored import Stored
from schemas.subjects import EXCHANGE, GOVERNANCE, events
from streams.accounts.limits import TAIL_BATCH
from streams.log.cursor import Cursor, retried
from streams.log.ports import Clock, Log

READS: Final = (GOVERNANCE, EXCHANGE)


class RecordHead(msgspec.Struct, tag="record/1", tag_field="type", frozen=True):
    """What places a record; its events are skipped, which is ten times faster."""

    engine: str
    epoch: int
    number: int
    first_input: int
    last_input: int
    time_ns: int
    tick: bool
    prev: str
    hash: str
    signature: str


HEADS: Final[Codec[RecordHead]] = Codec(RecordHead)


class Arrived:
    """One record off the log. Its events are decoded once, and only if someone asks."""

    def __init__(self, stored: Stored, head: RecordHead) -> None:
        self.stored = stored
        self.head = head

    @property
    def sequence(self) -> int:
        return self.stored.sequence

    def covers(self, cause: int) -> bool:
        """Tell whether the outcome of the input at `cause` is in this record."""
        head = self.head
        return head.first_input <= cause <= head.last_input and not head.tick

    @cached_property
    def events(self) -> list[Event]:
        """All its events. Raises UnknownRecord."""
        return read(self.stored).events

    @cached_property
    def by_cause(self) -> dict[int, list[Event]]:
        groups: dict[int, list[Event]] = {}
        for event in self.events:
            groups.setdefault(event.cause, []).append(event)
        return groups


class Tail:
    """Follow the log's records from the first one on, and hand each to every `taker`.

    Opens the log again, a bounded number of times, when it cannot be reached. A record that
    does not follow the one before ends it with a Halt.
    """

    def __init__(self, log: Log, clock: Clock, takers: Sequence[Callable[[Arrived], None]]) -> None:
        self._clock = clock
        self._takers = takers
        subjects = [events(log.shard, name) for name in READS]
        self._cursor = Cursor(log, subjects, batch=TAIL_BATCH)
        self._chains = Chains(HEADS.decode)
        self._at_end = asyncio.Event()

    @property
    def caught_up(self) -> bool:
        """Whether the records that stood on the log when it was first opened have been read."""
        return self._at_end.is_set()

    async def catch_up(self) -> None:
        """Wait until it has caught up. `run` must be running."""
        await self._at_end.wait()

    async def run(self) -> None:
        """Read until cancelled. Raises Halt, or OperatingError once its attempts are used up."""
        goal = await retried(self._cursor.end, self._clock)
        self._look(goal)
        try:
            async for messages in self._cursor.follow(retry=self._clock):
                for stored in messages:
                    self._take(stored)
                self._look(goal)
                # The reader may hold more already: let requests have a turn.
                await asyncio.sleep(0)
        finally:
            await self._cursor.close()

    def _look(self, goal: int) -> None:
        if self._cursor.position >= goal:
            self._at_end.set()

    def _take(self, stored: Stored) -> None:
        arrived = Arrived(stored, self._chains.read(stored))
        for taker in self._takers:
            taker(arrived)
