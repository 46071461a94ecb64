"""Reading at a sequence or at a time: what `at` asks for, and when that can be answered.

A sequence is answered from the history, once the historian has passed it. A time means the
last message up to which no record is later, so that what was not known then is not told.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NamedTuple, Protocol

from fastapi import Query, Response

from projections.api.formatting import MAX_INT64
from projections.api.store import AT, ReadStore
from projections.limits import HISTORY_LOOK_MS, HISTORY_WAIT_S
from schemas.errors import InputError, NotFound, StoreUnavailable
from schemas.limits import MAX_AT_CHARS

AT_HEADER: Final = "X-At-Sequence"
STATE_HEADER: Final = "X-State-Hash"

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TO_THE_END_NS: Final = 999
_LOOK_S: Final = HISTORY_LOOK_MS / 1_000

_TIME: Final = """
    SELECT sequence, sequence = (SELECT max(sequence) FROM moments) AS newest FROM moments
    WHERE time_ns <= $1 ORDER BY time_ns DESC, sequence DESC LIMIT 1
"""

At = Annotated[
    str | None,
    Query(
        max_length=MAX_AT_CHARS,
        description="Answer as of this log sequence, or as of this time (ISO 8601).",
        examples=["4711", "2026-11-20T18:00:00Z"],
    ),
]


class EngineState(NamedTuple):
    """An engine as of a sequence: its last record, where that stands, and its state's hash."""

    name: str
    record: int
    sequence: int
    time_ns: int
    record_hash: str
    state_hash: str


class StateAt(NamedTuple):
    """All engines as of a sequence, and the one hash over their states' hashes."""

    sequence: int
    time_ns: int
    state_hash: str
    engines: tuple[EngineState, ...]


class TimeMachine(Protocol):
    """What reads at a sequence need to know of the log."""

    async def last_sequence(self) -> int:
        """Return where the log ends now."""

    async def state_at(self, sequence: int) -> StateAt:
        """Return the engines' states as of `sequence`. Raises OperatingError if it cannot."""


def time_or_sequence(text: str) -> tuple[int | None, int | None]:
    """Read `at`: a sequence, or a time in nanoseconds. Raises InputError for anything else.

    A time is the end of its microsecond, since times are told to the microsecond.
    """
    if text.isascii() and text.isdecimal():
        sequence = int(text)
        if not 1 <= sequence <= MAX_INT64:
            raise InputError("at: sequences go from 1 on")
        return sequence, None
    try:
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        microseconds = (when - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise InputError("at: neither a sequence nor a time in ISO 8601") from error
    return None, microseconds * 1_000 + _TO_THE_END_NS


class Moments:
    """Finds the sequence that a request means, and waits until the history has it."""

    def __init__(self, store: ReadStore, machine: TimeMachine | None) -> None:
        self._store = store
        self._machine = machine

    @property
    def machine(self) -> TimeMachine:
        """The time machine. Raises StoreUnavailable where there is none."""
        if self._machine is None:
            raise StoreUnavailable("states cannot be folded here")
        return self._machine

    async def sequence_of(self, at: str) -> int:
        """Return the sequence that `at` means, once it can be read.

        Raises InputError for what is no place on the log, NotFound for one that the log does
        not have, StoreUnavailable when the historian does not get there in time.
        """
        sequence, time_ns = time_or_sequence(at)
        if sequence is None:
            return await self._at_time(time_ns or 0)
        await self.reach(sequence)
        return sequence

    async def reach(self, sequence: int) -> None:
        """Wait until the history has passed `sequence`."""
        waited = 0.0
        while (through := await self._through()) < sequence:
            if waited == 0 and sequence > (end := await self._end(sequence)):
                raise NotFound(f"the log ends at sequence {end}")
            if waited >= HISTORY_WAIT_S:
                raise StoreUnavailable(f"the history is at sequence {through} yet")
            await asyncio.sleep(_LOOK_S)
            waited += _LOOK_S

    async def _end(self, otherwise: int) -> int:
        return otherwise if self._machine is None else await self._machine.last_sequence()

    async def _through(self) -> int:
        async with self._store.history() as reading:
            return reading.sequence

    async def _at_time(self, time_ns: int) -> int:
        """Return the last sequence up to which no record is later than `time_ns`."""
        if time_ns > MAX_INT64:
            raise InputError("at: too late a time")
        found = await self._last_before(time_ns)
        if found is None or found[1]:
            # whether more records were in time shows when the history has all there is
            await self.reach(await self._end(await self._through()))
            found = await self._last_before(time_ns)
        if found is None:
            raise NotFound("the log begins later")
        return found[0]

    async def _last_before(self, time_ns: int) -> tuple[int, bool] | None:
        async with self._store.history() as reading:
            row = await reading.one(_TIME, (time_ns,))
        return None if row is None else (int(row["sequence"]), bool(row["newest"]))


def create_at_dependency(moments: Moments) -> Callable[..., Awaitable[None]]:
    """Return the dependency that has a request's reads answered as of its `at`."""

    async def travelling(response: Response, at: At = None) -> None:
        AT.set(None)  # who asked before in this context must leave nothing behind
        if at is None:
            return
        sequence = await moments.sequence_of(at)
        response.headers[AT_HEADER] = str(sequence)
        state = await moments.machine.state_at(sequence)
        response.headers[STATE_HEADER] = state.state_hash
        AT.set(sequence)

    return travelling
