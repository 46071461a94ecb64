"""The leader loop: read, decide, append, evolve, for as long as this host is leader.

The state here is speculative: it runs ahead of the log by the records in flight. Therefore
the loop never repairs itself. Any failure ends it with an exception and its state is thrown
away. The host then acquires leadership again and starts from what the log holds.
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
from streams.host.input_buffer import InputBuffer
from streams.host.leadership import (
    Committed,
    HostConfig,
    RecoveredState,
    ignore_result,
    save_snapshot,
)
from streams.host.limits import (
    COLLECT_EVERY_RECORDS,
    EMPTY_TICK_PAUSE_NS,
    MAX_RECORD_BYTES,
    MAX_RECORDS_IN_FLIGHT,
    SNAPSHOT_EVERY_EVENTS,
)
from streams.log.cursor import Cursor
from streams.log.ports import Fence

S = TypeVar("S")

_SHORTEST_REST_S: Final = 1e-6
_LONGEST_REST_S: Final = 60.0


class GroupTooLarge(OperatingError):
    """The record of a group of `inputs` inputs does not fit into a message."""

    code = "group_too_large"

    def __init__(self, inputs: int) -> None:
        super().__init__(f"the record of {inputs} inputs is too large")
        self.inputs = inputs


class DecidedRecord(NamedTuple):
    """A record that is not yet known to be on the log."""

    head: Head
    data: bytes
    events: list[Any]
    inputs: int


class InFlightRecord(NamedTuple):
    """The one record that is on the wire.

    The next record is decided meanwhile and waits. With two on the wire the server could
    refuse the first and store the second, which would break the chain on the log for good.
    """

    answer: "asyncio.Future[int]"
    record: DecidedRecord


class StateView(NamedTuple, Generic[S]):
    """A leader's state, for inspection only. Nobody may change it.

    `state` runs ahead of `committed`, the last record on the log, by `in_flight` records.
    """

    committed: Head
    state: S
    in_flight: int


class LeaderLoop(Generic[S]):
    """Runs one leadership; `epoch` is its fencing token.

    `max_inputs` bounds the first group below what the engine asks for.
    """

    def __init__(
        self, config: HostConfig[S], recovered: RecoveredState[S], max_inputs: int | None = None
    ) -> None:
        engine = config.engine
        grouping = engine.grouping
        own = (config.events_subject, config.epoch_subject)
        reads_own = any(matches(pattern, subject) for pattern in engine.reads for subject in own)
        self._config = config
        self._state = recovered.state
        self._head = recovered.head
        self._fence = Fence(config.epoch_subject, recovered.epoch)
        self._buffer = InputBuffer(
            grouping.max_inputs,
            grouping.linger_ns,
            own if reads_own else (),
            narrowed_to=max_inputs,
        )
        self._sent: InFlightRecord | None = None
        self._decided: deque[DecidedRecord] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._over = False
        self._uncovered = 0
        """The first input that was decided and that no record covers yet, else 0."""
        self._tick_not_before_ns = 0
        self._saved_number = recovered.head.number - recovered.folded
        self._unsaved_events = recovered.folded_events
        self.committed = recovered.head
        self.sequence = recovered.sequence
        """The log sequence of the last record that is known to be there."""
        self.records = 0
        self.inputs = 0

    @property
    def head(self) -> Head:
        """The last record that was decided, in flight or not."""
        return self._head

    @property
    def epoch(self) -> int:
        return self._fence.sequence

    @property
    def waiting(self) -> int:
        """Inputs read and not decided."""
        return len(self._buffer)

    @property
    def in_flight(self) -> int:
        """Records decided and not yet known to be on the log."""
        return len(self._decided) + (self._sent is not None)

    @property
    def lag(self) -> int:
        """Inputs read whose outcome is not yet known to be on the log."""
        sent = self._sent.record.inputs if self._sent else 0
        return len(self._buffer) + sent + sum(record.inputs for record in self._decided)

    @property
    def last_seen(self) -> int:
        """The newest input that was read."""
        return max(self._buffer.last_seen, self._head.last_input)

    def view(self) -> StateView[S]:
        """Return the state as it is now."""
        return StateView(self.committed, self._state, self.in_flight)

    async def run(self, stop: asyncio.Event) -> None:
        """Read, decide and append until `stop` is set; then wait for the records in flight.

        Raises Fenced when another writer became leader, any other Halt that reading or
        deciding raises, OperatingError when the log does not answer.
        """
        after = self._head.last_input
        cursor = Cursor(self._config.log, self._subjects(), after, batch=MAX_GROUP_INPUTS)
        await cursor.open()
        pump = asyncio.create_task(self._pump(cursor))
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
            await self._flush_in_flight()
            await self._snapshot()
        finally:
            if self._sent is not None:
                ignore_result(self._sent.answer)
            # A library may swallow a cancellation, so the pump also looks at this flag.
            self._over = True
            watch.cancel()
            pump.cancel()
            await asyncio.gather(pump, watch, return_exceptions=True)
            await cursor.close()

    # -- reading ---------------------------------------------------------------------

    def _subjects(self) -> Sequence[str]:
        """Return what to read: the inputs, and the engine's Epochs, which show a successor."""
        reads = self._config.engine.reads
        epochs = self._config.epoch_subject
        return reads if any(matches(pattern, epochs) for pattern in reads) else (*reads, epochs)

    async def _pump(self, cursor: Cursor) -> None:
        """Keep the buffer filled."""
        epochs = self._config.epoch_subject
        only_epochs = epochs in self._subjects()
        async for messages in cursor.follow():
            if self._over:
                return
            if not messages:
                continue
            found = [message for message in messages if message.subject == epochs]
            if found:
                newest = found[-1].sequence
                if newest > self._fence.sequence:
                    raise Fenced(f"another writer became leader at sequence {newest}")
                if only_epochs:
                    messages = [message for message in messages if message.subject != epochs]
            self._buffer.add(messages, self._now_ns())
            self._wake.set()
            while self._buffer.full:
                self._room.clear()
                await self._room.wait()

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    # -- deciding --------------------------------------------------------------------

    def _now_ns(self) -> int:
        """Return the clock's time, or that of the last record if the clock went back."""
        return max(self._config.clock.now_ns(), self._head.time_ns)

    def _step(self, now_ns: int) -> bool:
        """Decide one group, or a tick, if one is due; tell whether one was decided."""
        if self.in_flight >= MAX_RECORDS_IN_FLIGHT or self._holds_for_snapshot():
            return False
        count = self._buffer.ready(now_ns, self.in_flight)
        if count:
            self._decide(self._buffer.first(count), now_ns)
            return True
        due_ns = self._due_ns()
        if due_ns is None or due_ns > now_ns or self.in_flight:
            return False
        self._tick(now_ns)
        return True

    def _decide(self, inputs: list[Stored], now_ns: int) -> None:
        group = self._decide_group(inputs, now_ns)
        first = self._uncovered or inputs[0].sequence
        self._buffer.drop(group.taken, now_ns)
        if not self._buffer.full:
            self._room.set()
        if not group.events:
            # There is nothing to record. The next record will cover these inputs (see kernel).
            self._uncovered = first
            return
        self._uncovered = 0
        covered = (first, inputs[group.taken - 1].sequence)
        self._append(covered, now_ns, group.events, group.taken)

    def _tick(self, now_ns: int) -> None:
        group = self._decide_group([], now_ns)
        if group.events:
            self._append(None, now_ns, group.events, 0)
        else:
            self._tick_not_before_ns = now_ns + EMPTY_TICK_PAUSE_NS

    def _decide_group(self, inputs: list[Stored], now_ns: int) -> Group:
        try:
            return decide_group(self._config.engine, self._state, inputs, now_ns)
        except Halt:
            raise
        except Exception as error:
            span = f"{inputs[0].sequence}..{inputs[-1].sequence}" if inputs else "a tick"
            raise BrokenInvariant(
                f"{self._config.engine.name} could not decide {span}: {error!r}"
            ) from error

    def _due_ns(self) -> int | None:
        due_ns = self._config.engine.next_due_ns(self._state)
        return None if due_ns is None else max(due_ns, self._tick_not_before_ns)

    # -- appending -------------------------------------------------------------------

    def _append(
        self, covered: tuple[int, int] | None, now_ns: int, events: list[Any], inputs: int
    ) -> None:
        config = self._config
        data, head = write(
            config.engine, self._state, self._head, self.epoch, covered, now_ns, events, config.sign
        )
        if len(data) > MAX_RECORD_BYTES:
            if inputs > 1:
                raise GroupTooLarge(inputs)
            raise BrokenInvariant(f"the record of input {covered} has {len(data)} bytes")
        self._head = head
        self._unsaved_events += len(events)
        self._tick_not_before_ns = 0
        self._decided.append(DecidedRecord(head, data, events, inputs))
        self._launch()

    def _launch(self) -> None:
        """Send the next record if none is on the wire."""
        if self._sent is not None or not self._decided:
            return
        config = self._config
        record = self._decided.popleft()
        sent = config.log.send(config.events_subject, record.data, self._fence)
        answer = asyncio.ensure_future(sent)
        answer.add_done_callback(lambda _: self._wake.set())
        self._sent = InFlightRecord(answer, record)

    def _settle(self) -> None:
        """Commit the record in flight if it was acked, and send the next one.

        Raises the error of an append that failed.
        """
        sent = self._sent
        if sent is None or not sent.answer.done():
            return
        sequence, record = sent.answer.result(), sent.record
        if sequence <= max(self.sequence, self.epoch):
            raise LogDiverged(
                f"record {record.head.number} got sequence {sequence}, "
                f"which the log had given before (to {max(self.sequence, self.epoch)})"
            )
        self._sent = None
        self._launch()
        self._commit(sequence, record)

    def _commit(self, sequence: int, record: DecidedRecord) -> None:
        config = self._config
        self.sequence, self.committed = sequence, record.head
        self.records += 1
        self._buffer.widen()
        self.inputs += record.inputs
        if config.on_commit is not None:
            config.on_commit(Committed(sequence, record.head, record.data, record.events))
        if config.collection is not None and self.records % COLLECT_EVERY_RECORDS == 0:
            config.collection.step()

    async def _flush_in_flight(self) -> None:
        """Wait until no record is in flight."""
        while self.in_flight:
            self._settle()
            if self.in_flight:
                await self._rest(None)

    # -- snapshots -------------------------------------------------------------------

    def _holds_for_snapshot(self) -> bool:
        """Tell whether deciding must pause until the state at this record is saved.

        A snapshot that is due because of its events waits for a record with a state hash.
        The log itself then proves the snapshot right or wrong.
        """
        number = self._head.number
        if self._config.snapshots is None or number <= self._saved_number:
            return False
        many = self._unsaved_events >= SNAPSHOT_EVERY_EVENTS
        return number % self._config.snapshot_every == 0 or (
            many and number % STATE_HASH_EVERY_RECORDS == 0
        )

    def _snapshot_is_due(self) -> bool:
        return not self.in_flight and self._holds_for_snapshot()

    async def _snapshot(self) -> None:
        """Save the state. With nothing in flight, it is the state that the log leads to."""
        if self.committed.number > self._saved_number:
            self._saved_number = self.committed.number
            self._unsaved_events = 0
            await save_snapshot(self._config, self._state, self.committed, self.sequence)

    # -- waiting ---------------------------------------------------------------------

    def _next_moment_ns(self, now_ns: int) -> int | None:
        """Return when the loop must wake even if nothing arrives, None for never."""
        if self.in_flight >= MAX_RECORDS_IN_FLIGHT or self._holds_for_snapshot():
            return None
        moments = (self._buffer.ready_at_ns(), None if self.in_flight else self._due_ns())
        later = [moment for moment in moments if moment is not None and moment > now_ns]
        return min(later, default=None)

    async def _rest(self, until_ns: int | None) -> None:
        """Sleep until an input, an ack or a failure arrives, or until `until_ns`."""
        timer = None
        if until_ns is not None:
            seconds = (until_ns - self._config.clock.now_ns()) / SECOND_NS
            loop = asyncio.get_running_loop()
            timer = loop.call_later(
                min(max(seconds, _SHORTEST_REST_S), _LONGEST_REST_S), self._wake.set
            )
        await self._wake.wait()
        self._wake.clear()
        if timer is not None:
            timer.cancel()
