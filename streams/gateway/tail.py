"""The tail: the records that the door reads to know who is who and what became of what."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import msgspec
import structlog

from schemas.codec import Codec
from schemas.errors import InputError, LogDiverged, OperatingError, UnknownRecord
from schemas.events import Event
from schemas.limits import RETRY_AFTER_S, TAIL_ATTEMPTS, TAIL_POLL_S
from schemas.record_chain import Chains
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from schemas.subjects import EXCHANGE, GOVERNANCE, events
from streams.gateway.limits import TAIL_BATCH
from streams.log.ports import Clock, Log, Reader

_log = structlog.get_logger(__name__)

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
        self.sequence = stored.sequence
        self.payload = stored.payload
        self.head = head

    def covers(self, cause: int) -> bool:
        """Tell whether the outcome of the input at `cause` is in this record."""
        head = self.head
        return head.first_input <= cause <= head.last_input and not head.tick

    @cached_property
    def events(self) -> list[Event]:
        """All its events. Raises UnknownRecord."""
        try:
            return EVENT_MESSAGES.decode(self.payload).events
        except InputError as error:
            raise UnknownRecord(f"sequence {self.sequence}: {error}") from error

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
        self._log = log
        self._clock = clock
        self._takers = takers
        self._last: Stored | None = None
        self._chains = Chains(HEADS.decode)
        self._goal: int | None = None
        self.caught_up = False
        """The records that stood on the log when it was first opened have been read."""

    async def run(self) -> None:
        """Read until cancelled. Raises Halt, or OperatingError once its attempts are used up."""
        failures = 0
        while True:
            before = self._last
            try:
                await self._follow()
            except OperatingError as error:
                failures = 1 if self._last is not before else failures + 1
                if failures >= TAIL_ATTEMPTS:
                    raise
                _log.warning("tail interrupted", error=str(error), attempt=failures)
                await self._clock.sleep(RETRY_AFTER_S)

    async def _follow(self) -> None:
        await self._check_past()
        if self._goal is None:
            self._goal = await self._end()
        after = self._last.sequence if self._last else 0
        reader = await self._log.open_reader(
            [events(self._log.shard, name) for name in READS], after
        )
        try:
            await self._read(reader, self._goal)
        finally:
            await reader.close()

    async def _read(self, reader: Reader, goal: int) -> None:
        while True:
            at = self._last.sequence if self._last else 0
            self.caught_up = self.caught_up or at >= goal
            for stored in await reader.poll(TAIL_BATCH, TAIL_POLL_S):
                self._take(stored)
            # poll may answer from what it holds already: let requests have a turn
            await asyncio.sleep(0)

    def _take(self, stored: Stored) -> None:
        arrived = Arrived(stored, self._chains.read(stored))
        for taker in self._takers:
            taker(arrived)
        self._last = stored

    async def _check_past(self) -> None:
        """Refuse a log that was set back, or replaced, while it could not be reached."""
        if self._last is None:
            return
        found = await self._log.get(self._last.sequence)
        if found != self._last:
            raise LogDiverged(f"sequence {self._last.sequence}: another message stands there now")

    async def _end(self) -> int:
        shard = self._log.shard
        ends = [await self._log.last(events(shard, name)) for name in READS]
        return max((end.sequence for end in ends if end), default=0)
