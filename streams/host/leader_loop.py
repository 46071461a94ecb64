"""A term: one writer's time in office. Decide, append, evolve, until it stops or fails.

State here is speculative: it runs ahead of the log by the records in flight. So a term
never repairs itself. Whatever goes wrong ends it with an exception, its state is thrown
away, and the next term begins with what the log holds.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from engines.kernel import Group, decide_group, write
from schemas.errors import BrokenInvariant, Fenced, Halt, LogDiverged, OperatingError
from schemas.limits import MAX_GROUP_INPUTS, STATE_HASH_EVERY_RECORDS
from schemas.record_chain import Head
from schemas.stored import Stored
from schemas.subjects import matches
from schemas.units import SECOND_NS
from streams.host.input_buffer import Intake
from streams.host.leadership import Committed, Office, Setup, forget, save_snapshot
from streams.host.limits import (
    COLLECT_EVERY_RECORDS,
    EMPTY_TICK_PAUSE_NS,
    MAX_RECORD_BYTES,
    MAX_RECORDS_IN_FLIGHT,
    SNAPSHOT_EVERY_EVENTS,
)
from streams.log.ports import Fence, Reader

S = TypeVar("S")

_POLL_S: Final = 1.0
_SHORTEST_REST_S: Final = 1e-6
_LONGEST_REST_S: Final = 60.0


class GroupTooLarge(OperatingError):
    """The record of a group would not fit into a message; `inputs` fewer may."""

    code = "group_too_large"

    def __init__(self, inputs: int) -> None:
        super().__init__(f"the record of {inputs} inputs is too large")
        self.inputs = inputs


class Decided(NamedTuple):
    """A record that is not yet known to be on the log."""

    head: Head
    data: bytes
    events: list[Any]
    inputs: int


class Flight(NamedTuple):
    """The one record that is on the wire.

    The next one is decided meanwhile and waits: should the server refuse a record and take
    the one behind it, the chain on the log would be broken for good.
    """

    answer: "asyncio.Future[int]"
    record: Decided


class Term(Generic[S]):
    """Hold one office. `max_inputs` bounds the first group below what the engine asks for."""

    def __init__(self, setup: Setup[S], office: Office[S], max_inputs: int | None = None) -> None:
        engine = setup.engine
        grouping = engine.grouping
        own = (setup.events_subject, setup.epoch_subject)
        reads_own = any(matches(pattern, subject) for pattern in engine.reads for subject in own)
        self._setup = setup
        self._state = office.state
        self._head = office.head
        self._fence = Fence(setup.epoch_subject, office.epoch)
        self._intake = Intake(
            grouping.max_inputs,
            grouping.linger_ns,
            own if reads_own else (),
            narrowed_to=max_inputs,
        )
        self._flight: Flight | None = None
        self._decided: deque[Decided] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._over = False
        self._uncovered = 0
        """The first input that was decided and that no record covers yet, else 0."""
        self._tick_not_before_ns = 0
        self._saved_number = office.head.number - office.folded
        self._unsaved_events = office.folded_events
        self.committed = office.head
        self.sequence = office.sequence
        """The log sequence of the last record that is known to be there."""
        self.records = 0
        self.inputs = 0

    @property
    def head(self) -> Head:
        """Where the records end that were decided, in flight or not."""
        return self._head

    @property
    def epoch(self) -> int:
        return self._fence.sequence

    @property
    def waiting(self) -> int:
        """Inputs read and not decided."""
        return len(self._intake)

    @property
    def in_flight(self) -> int:
        """Records decided and not yet known to be on the log."""
        return len(self._decided) + (self._flight is not None)

    @property
    def lag(self) -> int:
        """Inputs read whose outcome is not yet known to be on the log."""
        sent = self._flight.record.inputs if self._flight else 0
        return len(self._intake) + sent + sum(record.inputs for record in self._decided)

    @property
    def last_seen(self) -> int:
        """The newest input that was read."""
        return max(self._intake.last_seen, self._head.last_input)

    async def hold(self, stop: asyncio.Event) -> None:
        """Read, decide and append until `stop` is set; then let the records in flight land.

        Raises Fenced when another writer took office, any other Halt that reading or
        deciding comes upon, OperatingError when the log does not answer.
        """
        reader = await self._setup.log.open_reader(self._subjects(), self._head.last_input)
        pump = asyncio.create_task(self._pump(reader))
        pump.add_done_callback(lambda _: self._wake.set())
        watch = asyncio.create_task(self._watch(stop))
        try:
            while not stop.is_set():
                self._settle()
                if pump.done():
                    pump.result()
                now_ns = self._now_ns()
                if self._snapshot_is_due():
                    await self._snapshot()
                elif self._step(now_ns):
                    await asyncio.sleep(0)
                else:
                    await self._rest(self._next_moment_ns(now_ns))
            await self._land()
            await self._snapshot()
        finally:
            if self._flight is not None:
                forget(self._flight.answer)
            # A cancellation can get lost on its way through a library; this cannot.
            self._over = True
            watch.cancel()
            pump.cancel()
            await asyncio.gather(pump, watch, return_exceptions=True)
            await reader.close()

    # -- reading ---------------------------------------------------------------------

    def _subjects(self) -> Sequence[str]:
        """Return what to read: the inputs, and our own epochs in order to see a successor."""
        reads = self._setup.engine.reads
        epochs = self._setup.epoch_subject
        return reads if any(matches(pattern, epochs) for pattern in reads) else (*reads, epochs)

    async def _pump(self, reader: Reader) -> None:
        """Keep the intake filled."""
        epochs = self._setup.epoch_subject
        only_epochs = epochs in self._subjects()
        while not self._over:
            while self._intake.full:
                self._room.clear()
                await self._room.wait()
            messages = await reader.poll(MAX_GROUP_INPUTS, _POLL_S)
            if not messages:
                continue
            found = [message for message in messages if message.subject == epochs]
            if found:
                newest = found[-1].sequence
                if newest > self._fence.sequence:
                    raise Fenced(f"another writer took office at sequence {newest}")
                if only_epochs:
                    messages = [message for message in messages if message.subject != epochs]
            self._intake.add(messages, self._now_ns())
            self._wake.set()

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    # -- deciding --------------------------------------------------------------------

    def _now_ns(self) -> int:
        """Return the time, which in an engine's records never goes back."""
        return max(self._setup.clock.now_ns(), self._head.time_ns)

    def _step(self, now_ns: int) -> bool:
        """Decide one group, or a tick, if it is time to; tell whether one was."""
        if self.in_flight >= MAX_RECORDS_IN_FLIGHT or self._holds_for_snapshot():
            return False
        count = self._intake.ripe(now_ns, self.in_flight)
        if count:
            self._decide(self._intake.first(count), now_ns)
            return True
        due_ns = self._due_ns()
        if due_ns is None or due_ns > now_ns or self.in_flight:
            return False
        self._tick(now_ns)
        return True

    def _decide(self, inputs: list[Stored], now_ns: int) -> None:
        group = self._judge(inputs, now_ns)
        first = self._uncovered or inputs[0].sequence
        self._intake.drop(group.taken, now_ns)
        if not self._intake.full:
            self._room.set()
        if not group.events:
            # Nothing to record. The next record will cover these inputs (see kernel).
            self._uncovered = first
            return
        self._uncovered = 0
        covered = (first, inputs[group.taken - 1].sequence)
        self._append(covered, now_ns, group.events, group.taken)

    def _tick(self, now_ns: int) -> None:
        group = self._judge([], now_ns)
        if group.events:
            self._append(None, now_ns, group.events, 0)
        else:
            self._tick_not_before_ns = now_ns + EMPTY_TICK_PAUSE_NS

    def _judge(self, inputs: list[Stored], now_ns: int) -> Group:
        try:
            return decide_group(self._setup.engine, self._state, inputs, now_ns)
        except Halt:
            raise
        except Exception as error:
            span = f"{inputs[0].sequence}..{inputs[-1].sequence}" if inputs else "a tick"
            raise BrokenInvariant(
                f"{self._setup.engine.name} could not decide {span}: {error!r}"
            ) from error

    def _due_ns(self) -> int | None:
        due_ns = self._setup.engine.next_due_ns(self._state)
        return None if due_ns is None else max(due_ns, self._tick_not_before_ns)

    # -- appending -------------------------------------------------------------------

    def _append(
        self, covered: tuple[int, int] | None, now_ns: int, events: list[Any], inputs: int
    ) -> None:
        setup = self._setup
        data, head = write(
            setup.engine, self._state, self._head, self.epoch, covered, now_ns, events, setup.sign
        )
        if len(data) > MAX_RECORD_BYTES:
            if inputs > 1:
                raise GroupTooLarge(inputs)
            raise BrokenInvariant(f"the record of input {covered} has {len(data)} bytes")
        self._head = head
        self._unsaved_events += len(events)
        self._tick_not_before_ns = 0
        self._decided.append(Decided(head, data, events, inputs))
        self._launch()

    def _launch(self) -> None:
        """Send the next record if none is on the wire."""
        if self._flight is not None or not self._decided:
            return
        setup = self._setup
        record = self._decided.popleft()
        sent = setup.log.send(setup.events_subject, record.data, self._fence)
        answer = asyncio.ensure_future(sent)
        answer.add_done_callback(lambda _: self._wake.set())
        self._flight = Flight(answer, record)

    def _settle(self) -> None:
        """Note a record that landed and send the next; raise what befell one that did not."""
        flight = self._flight
        if flight is None or not flight.answer.done():
            return
        sequence, record = flight.answer.result(), flight.record
        if sequence <= max(self.sequence, self.epoch):
            raise LogDiverged(
                f"record {record.head.number} got sequence {sequence}, "
                f"which the log had given before (to {max(self.sequence, self.epoch)})"
            )
        self._flight = None
        self._launch()
        self._commit(sequence, record)

    def _commit(self, sequence: int, record: Decided) -> None:
        setup = self._setup
        self.sequence, self.committed = sequence, record.head
        self.records += 1
        self._intake.widen()
        self.inputs += record.inputs
        if setup.on_commit is not None:
            setup.on_commit(Committed(sequence, record.head, record.data, record.events))
        if setup.collection is not None and self.records % COLLECT_EVERY_RECORDS == 0:
            setup.collection.step()

    async def _land(self) -> None:
        """Wait until nothing is in flight."""
        while self.in_flight:
            self._settle()
            if self.in_flight:
                await self._rest(None)

    # -- snapshots -------------------------------------------------------------------

    def _holds_for_snapshot(self) -> bool:
        """Tell whether to decide no further until the state at this record is saved.

        Where events make it due, it waits for a record that has a state hash, so that the
        log itself can say whether the snapshot is right.
        """
        number = self._head.number
        if self._setup.snapshots is None or number <= self._saved_number:
            return False
        many = self._unsaved_events >= SNAPSHOT_EVERY_EVENTS
        return number % self._setup.snapshot_every == 0 or (
            many and number % STATE_HASH_EVERY_RECORDS == 0
        )

    def _snapshot_is_due(self) -> bool:
        return not self.in_flight and self._holds_for_snapshot()

    async def _snapshot(self) -> None:
        """Save the state. Only when nothing is in flight: then it is that on the log."""
        if self.committed.number > self._saved_number:
            self._saved_number = self.committed.number
            self._unsaved_events = 0
            await save_snapshot(self._setup, self._state, self.committed, self.sequence)

    # -- waiting ---------------------------------------------------------------------

    def _next_moment_ns(self, now_ns: int) -> int | None:
        """Return when something has to be done even if nothing arrives."""
        if self.in_flight >= MAX_RECORDS_IN_FLIGHT or self._holds_for_snapshot():
            return None
        moments = (self._intake.ripe_at_ns(), None if self.in_flight else self._due_ns())
        later = [moment for moment in moments if moment is not None and moment > now_ns]
        return min(later, default=None)

    async def _rest(self, until_ns: int | None) -> None:
        """Sleep until something arrived, landed or failed, or until `until_ns`."""
        timer = None
        if until_ns is not None:
            seconds = (until_ns - self._setup.clock.now_ns()) / SECOND_NS
            loop = asyncio.get_running_loop()
            timer = loop.call_later(
                min(max(seconds, _SHORTEST_REST_S), _LONGEST_REST_S), self._wake.set
            )
        await self._wake.wait()
        self._wake.clear()
        if timer is not None:
            timer.cancel()
