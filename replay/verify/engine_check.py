"""Check one engine's records: their chain, their writer, and every decision, made again."""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from engines.kernel import Engine, decide_group, write
from replay.verify.difference import first_difference
from replay.verify.inputs import Inputs
from replay.verify.releases import RELEASES
from replay.verify.report import EngineReport, Finding, FollowedRange, Kind
from schemas.errors import EverythingError, InputError, LogDiverged, OperatingError
from schemas.events import Event
from schemas.record_chain import Head, follow
from schemas.records import EPOCHS, EVENT_MESSAGES, Record, body, check_hash
from schemas.stored import Stored
from streams.log.ports import Log

S = TypeVar("S")

Tell = Callable[[Finding], None]

NOT_AGAIN: Final = "its inputs decide otherwise"

_OF_DECISIONS: Final = ("coverage", "decision", "state")


def _has_its_hash(record: Record, data: bytes) -> bool:
    try:
        check_hash(record, data)
    except LogDiverged:
        return False
    return True


class Checked(msgspec.Struct, frozen=True):
    """A record that was read and continues its chain, with the inputs that it covers."""

    sequence: int
    record: Record
    inputs: list[Stored]


class EngineCheck(Generic[S]):
    """Follows one engine along the log.

    After a record that is not what it must be, the state that the next one was decided
    from is unknown, so only the first wrong decision of an engine is reported; from there
    on its chain is checked and no more.
    """

    def __init__(self, engine: Engine[S], log: Log, tell: Tell) -> None:
        self.engine = engine
        self.report = EngineReport()
        self.followed: dict[str, FollowedRange] = {}
        """What was followed, by decider."""
        self.broken = ""
        """Why decisions could not be checked to the end; empty when they could."""
        self._tell = tell
        self._inputs = Inputs(log, engine.reads)
        self._state = engine.initial()
        self._head = Head()
        self._epoch = 0
        self._sequence = 0
        self._number = 0

    async def close(self) -> None:
        """Let go of the log."""
        await self._inputs.close()

    def finish(self, inputs_seen: int) -> EngineReport:
        """Return how far the engine was checked, of all the inputs that stand there."""
        self.report.hash, self.report.last_input = self._head.hash, self._head.last_input
        self.report.pending = inputs_seen - self._taken()
        return self.report

    def take_epoch(self, message: Stored) -> None:
        """Note which writer is the leader from here on."""
        self._sequence, self._number = message.sequence, self._head.number
        self.report.epochs += 1
        self._epoch = message.sequence
        try:
            epoch = EPOCHS.decode(message.payload)
        except InputError as error:
            self._found("unreadable", f"not an Epoch: {error}")
            return
        if epoch.engine != self.engine.name:
            self._found("epoch", f"an Epoch of {epoch.engine!r}")

    async def take_record(self, message: Stored) -> Checked | None:
        """Check a message on the engine's own subject; None if it is no record to count."""
        self._sequence, self._number = message.sequence, self._head.number + 1
        try:
            record = EVENT_MESSAGES.decode(message.payload)
        except InputError as error:
            self._found("unreadable", f"not a record: {error}")
            return None
        self._number = record.number
        before = self._head
        if not self._follows(record, message.payload):
            return None
        self.report.records += 1
        inputs = await self._covered(record)
        if not self.broken:
            self._check_coverage(before, record, inputs)
        if not self.broken:
            self._decide_again(before, record, message.payload, inputs)
        self._check_signature(record)
        return Checked(message.sequence, record, inputs)

    # -- the chain -------------------------------------------------------------------

    def _follows(self, record: Record, data: bytes) -> bool:
        """Move the head on to `record`; False if it is one that the head must not follow."""
        if record.engine != self.engine.name:
            self._found("record_chain", f"a record of {record.engine!r} on this subject")
            return False
        if record.epoch != self._epoch:
            late = record.epoch < self._epoch
            note = "written after leadership was lost" if late else "its Epoch is not on the log"
            self._differs("epoch", note, "epoch", self._epoch, record.epoch)
        try:
            follow(self._head._replace(epoch=0), record, data)
        except LogDiverged as error:
            if record.number <= self._head.number:
                self._found("record_chain", str(error))
                return False
            self._break("record_chain" if _has_its_hash(record, data) else "hash", str(error))
        self._head = Head(record.number, record.hash, record.last_input, record.time_ns)
        return True

    def _check_signature(self, record: Record) -> None:
        if record.signature:
            self._found("signature", "this engine's records are not signed")

    # -- what it covers --------------------------------------------------------------

    async def _covered(self, record: Record) -> list[Stored]:
        """Return the inputs that `record` covers."""
        if record.tick or record.last_input >= self._sequence:
            return []
        state, now_ns = self._state, record.time_ns
        decide = self.engine.decide
        # By the kernel's rules what leads to nothing in this state never will.
        return await self._inputs.through(
            record.last_input, lambda message: not decide(state, message, now_ns)
        )

    def _taken(self) -> int:
        return self._inputs.taken

    def _check_coverage(self, before: Head, record: Record, inputs: list[Stored]) -> None:
        """A record covers every input behind the last record's, up to one that is an input."""
        if record.tick:
            first = last = before.last_input
        else:
            first = inputs[0].sequence if inputs else 0
            last = inputs[-1].sequence if inputs else 0
        for field, expected in (("first_input", first), ("last_input", last)):
            found = getattr(record, field)
            if found != expected:
                note = "covers other inputs than there are"
                self._break_at("coverage", note, None, field, str(expected), str(found))
                return

    # -- the decisions ---------------------------------------------------------------

    def _decide_again(
        self, before: Head, record: Record, data: bytes, inputs: list[Stored]
    ) -> None:
        try:
            if record.decider != self.engine.decider:
                self._apply(record)
            else:
                self._compare(record, data, self._written_again(before, record, inputs))
        except OperatingError:
            raise
        except EverythingError as error:
            self._break("decision", f"cannot be decided: {error}")
        except Exception as error:
            self._break("decision", f"deciding it failed: {error!r}")

    def _written_again(self, before: Head, record: Record, inputs: list[Stored]) -> bytes:
        covered = None if record.tick else (record.first_input, record.last_input)
        events = self._events(record, inputs)
        again, _ = write(
            self.engine, self._state, before, record.epoch, covered, record.time_ns, events
        )
        return again

    def _compare(self, record: Record, data: bytes, again: bytes) -> None:
        if body(again) == body(data):
            self.report.redecided += 1
            self.report.state_hashes += record.state_hash is not None
            return
        event, field, expected, found = first_difference(EVENT_MESSAGES.decode(again), record)
        kind: Kind = "state" if field == "state_hash" else "decision"
        self._break_at(kind, NOT_AGAIN, event, field, expected, found)

    def _apply(self, record: Record) -> None:
        """Apply a record that another decider decided; what comes after it can be decided again.

        Only a release with that decider can say whether it had to be as it is.
        """
        for event in record.events:
            self.engine.evolve(self._state, event)
        found = self.followed.setdefault(
            record.decider,
            FollowedRange(
                engine=self.engine.name,
                decider=record.decider,
                release=RELEASES.get(record.decider, ""),
                records=0,
                first_record=record.number,
                last_record=record.number,
                first_sequence=self._sequence,
                last_sequence=self._sequence,
            ),
        )
        found.records += 1
        found.last_record, found.last_sequence = record.number, self._sequence
        self.report.applied[record.decider] = found.records

    def _events(self, record: Record, inputs: list[Stored]) -> list[Event]:
        """Decide the record's inputs at its time, and apply what they lead to."""
        group = decide_group(self.engine, self._state, inputs, record.time_ns)
        if group.taken != len(inputs):
            raise LogDiverged(f"covers {len(inputs)} inputs, and {group.taken} fill a record")
        return group.events

    # -- findings --------------------------------------------------------------------

    def _found(self, kind: Kind, note: str, **place: Any) -> None:
        sequence = place.pop("sequence", self._sequence)
        self._tell(
            Finding(
                kind=kind,
                sequence=sequence,
                engine=self.engine.name,
                record=self._number,
                note=note,
                **place,
            )
        )

    def _differs(self, kind: Kind, note: str, field: str, expected: object, found: object) -> None:
        self._found(kind, note, field=field, expected=str(expected), found=str(found))

    def _break(self, kind: Kind, note: str, **place: Any) -> None:
        """Report a flaw after which no decision of this engine can be checked."""
        if not (self.broken and kind in _OF_DECISIONS):
            self._found(kind, note, **place)
        self.broken = self.broken or note

    def _break_at(
        self, kind: Kind, note: str, event: int | None, field: str, expected: str, found: str
    ) -> None:
        self._break(kind, note, event=event, field=field, expected=expected, found=found)
