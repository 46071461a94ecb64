"""What `at` and `wait_for` mean, and when they can be answered.

A sequence is answered from the history, once the historian has passed it. A time means the
last message up to which no record is later, so nothing is shown that was not known then.
`wait_for` is about the live tables: it lets a caller read what its own message led to.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from projections.api.store import Reached, ReadStore
from projections.limits import (
    HISTORY_LOOK_MS,
    HISTORY_WAIT_S,
    TABLES_LOOK_MS,
    TABLES_WAIT_S,
)
from schemas import subjects
from schemas.errors import InputError, NotFound, OperatingError, StoreUnavailable, TablesBehind
from schemas.http import MAX_INT64

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_END_OF_MICROSECOND_NS: Final = 999
_MILLISECONDS: Final = 1_000

_TIME: Final = """
    SELECT sequence, sequence = (SELECT max(sequence) FROM moments) AS newest FROM moments
    WHERE time_ns <= $1 ORDER BY time_ns DESC, sequence DESC LIMIT 1
"""
_DECIDERS: Final = {
    subjects.order_command("*", "*"): subjects.EXCHANGE,
    subjects.account_command("*", "*"): subjects.EXCHANGE,
    subjects.admin_command("*", "*"): subjects.GOVERNANCE,
}
"""The engine that decides the commands on a subject."""


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


class StatePort(Protocol):
    """What queries need to know of the log and of the engines' states."""

    async def last_sequence(self) -> int:
        """Return where the log ends now."""

    async def subject_at(self, sequence: int) -> str | None:
        """Return the subject of the message at `sequence`, None if there is no message."""

    async def state_at(self, sequence: int, caller: str) -> StateAt:
        """Return the engines' states as of `sequence`. Raises OperatingError if it cannot.

        `caller` is the network that asks: no one of them takes all that can be answered.
        """


def time_or_sequence(text: str) -> tuple[int | None, int | None]:
    """Read `at`: a sequence, or a time in nanoseconds. Raises InputError for anything else.

    Times are given to the microsecond, so a time stands for the end of its microsecond.
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
    return None, microseconds * 1_000 + _END_OF_MICROSECOND_NS


class AtResolver:
    """Finds the sequence that a request means, and waits until it can be read."""

    def __init__(self, store: ReadStore, states: StatePort | None) -> None:
        self._store = store
        self._states = states
        self._looking: asyncio.Task[Reached] | None = None

    @property
    def states(self) -> StatePort:
        """The engines' states. Raises StoreUnavailable where there are none."""
        if self._states is None:
            raise StoreUnavailable("states cannot be folded here")
        return self._states

    async def sequence_of(self, at: str, caller: str = "") -> int:
        """Return the sequence that `at` means, once it can be read. `caller` as for `ReadStore`.

        Raises InputError for what is no position on the log, NotFound for a position that the
        log does not have, StoreUnavailable when the historian does not get there in time.
        """
        sequence, time_ns = time_or_sequence(at)
        if sequence is None:
            return await self._at_time(time_ns or 0, caller)
        await self.reach_history(sequence, caller)
        return sequence

    async def reach_history(self, sequence: int, caller: str = "") -> None:
        """Wait until the history has passed `sequence`. Raises as `sequence_of` does."""
        through = 0

        async def has_passed() -> bool:
            nonlocal through
            through = await self._through(caller)
            return through >= sequence

        await self._reach(
            sequence,
            has_passed,
            look_ms=HISTORY_LOOK_MS,
            wait_s=HISTORY_WAIT_S,
            late=lambda: StoreUnavailable(f"the history is at sequence {through} yet"),
        )

    async def reach_tables(self, sequence: int) -> None:
        """Wait until the tables show what became of the message at `sequence`.

        A command is shown by the record that decides it. Other messages may be projected
        between the two, so a checkpoint behind the command alone does not do. Raises NotFound
        when the log ends before, TablesBehind when the projector does not get there in time.
        """
        reached = Reached(0, {})
        decider: str | None = None

        async def is_shown() -> bool:
            nonlocal reached
            reached = await self._reached()
            if reached.sequence < sequence or decider is None:
                return reached.sequence >= sequence
            end = reached.ends.get(decider)
            return end is not None and end.head.last_input >= sequence

        if self._states is not None:
            decider = _decider_of(await self._states.subject_at(sequence))
        await self._reach(
            sequence,
            is_shown,
            look_ms=TABLES_LOOK_MS,
            wait_s=TABLES_WAIT_S,
            late=lambda: TablesBehind(f"the tables are at sequence {reached.sequence} yet"),
        )

    async def _reach(
        self,
        sequence: int,
        is_reached: Callable[[], Awaitable[bool]],
        *,
        look_ms: int,
        wait_s: float,
        late: Callable[[], OperatingError],
    ) -> None:
        waited_s = 0.0
        while not await is_reached():
            if waited_s == 0 and sequence > (end := await self._end(sequence)):
                raise NotFound(f"the log ends at sequence {end}")
            if waited_s >= wait_s:
                raise late()
            await asyncio.sleep(look_ms / _MILLISECONDS)
            waited_s += look_ms / _MILLISECONDS

    async def _end(self, otherwise: int) -> int:
        return otherwise if self._states is None else await self._states.last_sequence()

    async def _through(self, caller: str) -> int:
        async with self._store.history(caller) as view:
            return view.sequence

    async def _reached(self) -> Reached:
        """Look how far the tables are, once for all requests that wait for it now."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._store.reached())
        return await asyncio.shield(self._looking)

    async def _at_time(self, time_ns: int, caller: str) -> int:
        """Return the last sequence up to which no record is later than `time_ns`."""
        if time_ns > MAX_INT64:
            raise InputError("at: too late a time")
        found = await self._last_before(time_ns, caller)
        if found is None or found[1]:
            # Only a history that has all there is shows whether more records were in time.
            await self.reach_history(await self._end(await self._through(caller)), caller)
            found = await self._last_before(time_ns, caller)
        if found is None:
            raise NotFound("the log begins later")
        return found[0]

    async def _last_before(self, time_ns: int, caller: str) -> tuple[int, bool] | None:
        async with self._store.history(caller) as view:
            row = await view.one(_TIME, (time_ns,))
        return None if row is None else (int(row["sequence"]), bool(row["newest"]))


def _decider_of(subject: str | None) -> str | None:
    """Return the engine that decides the message on `subject`, None if it is no command."""
    for pattern, engine in _DECIDERS.items():
        if subject is not None and subjects.matches(pattern, subject):
            return engine
    return None
