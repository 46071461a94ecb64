"""Check an evidence bundle with nothing but the bundle and a key: no server, no data.

Always: the messages are the very ones between two seals that the venue's notary signed, and
records, decisions and seals within are what they say. From the log's first message on, the
whole `verify` runs. In the middle, records whose states and inputs are all there are
decided again. What that does not prove is said, too.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from engines.kernel import Engine, fold, state_hash
from replay.archive.founding import Founding, founding_of, pin, seal_of
from replay.archive.segments_check import stored
from replay.bundle.export import Bundle, Held, genesis_of, read
from replay.bundle.log import HeldLog
from replay.limits import MAX_FINDINGS
from replay.progress import OnProgress
from replay.verify.engine_check import Checked, EngineCheck, Tell
from replay.verify.report import CLEAN, COULD_NOT_CHECK, FINDINGS, Finding, Kind, Report
from replay.verify.text import not_decided_again
from replay.verify.verify import verify
from schemas import signatures
from schemas.chain import GENESIS_HASH, digest, link
from schemas.decisions import SIGNED_DECISIONS
from schemas.errors import (
    BadSignature,
    EverythingError,
    InputError,
    LogDiverged,
    MalformedMessage,
)
from schemas.events.governance import (
    DecisionAccepted,
    DecisionCoSigned,
    DecisionPending,
)
from schemas.record_chain import Head, follow
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from schemas.subjects import ENGINES, GOVERNANCE, NOTARY, events, last_token

_GOOD: Final = (DecisionAccepted, DecisionPending, DecisionCoSigned)


class BundleReport(msgspec.Struct, kw_only=True):
    """What a bundle proves, what it does not, and what is wrong with it.

    `replay` is the whole `verify` of a bundle that begins with the log's first message.
    """

    shard: str = ""
    venue_id: str = ""
    first: int = 0
    last: int = 0
    start: int = 0
    end: int = 0
    chain: str = ""
    seals: int = 0
    records: int = 0
    redecided: int = 0
    decisions: int = 0
    seconds: float = 0.0
    proved: list[str] = msgspec.field(default_factory=list)
    not_proved: list[str] = msgspec.field(default_factory=list)
    findings: list[Finding] = msgspec.field(default_factory=list)
    unable: list[str] = msgspec.field(default_factory=list)
    replay: Report | None = None

    @property
    def exit_code(self) -> int:
        """0 it proves what is said, 1 something is not as it must be, 2 it was not checked."""
        if self.findings:
            return FINDINGS
        return COULD_NOT_CHECK if self.unable else CLEAN


async def check_bundle(
    path: Path,
    engines_of: Callable[[str], Sequence[Engine[Any]]],
    *,
    key: str | None = None,
    progress: OnProgress | None = None,
) -> BundleReport:
    """Check the bundle in `path` against `key`, the venue's root or notary key.

    `engines_of` returns fresh engines of a shard. Without `key` whose log it is could not be
    checked. Raises OSError when the file cannot be read, TooLarge when it is no bundle.
    """
    started = time.perf_counter()
    report = BundleReport()
    try:
        bundle = read(path)
    except MalformedMessage as error:
        report.findings.append(Finding(kind="unreadable", sequence=0, note=str(error)))
        return report
    check = _BundleCheck(bundle, report)
    if check.pinned(key):
        check.chain()
        await check.decisions_again(engines_of(bundle.manifest.shard), progress)
    if not bundle.whole and not report.findings:
        check.found("hash", 0, "the file is not the one that was exported: its SHA-256 differs")
    check.conclude()
    report.seconds = time.perf_counter() - started
    return report


class _BundleCheck:
    def __init__(self, bundle: Bundle, report: BundleReport) -> None:
        manifest = bundle.manifest
        self._bundle = bundle
        self._manifest = manifest
        self._founding: Founding | None = None
        self._heads: dict[str, Head] = {}
        self._chain = bytes(32)
        self._unsealed: dict[int, str] = {}
        self._earlier = 0
        self._report = report
        report.shard, report.first, report.last = manifest.shard, manifest.first, manifest.last
        report.start, report.end = manifest.start, manifest.end

    def found(self, kind: Kind, sequence: int, note: str, engine: str = "") -> None:
        """Report something that is wrong."""
        self.tell(Finding(kind=kind, sequence=sequence, note=note, engine=engine))

    def tell(self, finding: Finding) -> None:
        """Report something that is wrong."""
        if len(self._report.findings) < MAX_FINDINGS:
            self._report.findings.append(finding)

    # -- whose it is -----------------------------------------------------------------

    def pinned(self, key: str | None) -> bool:
        """Tell whether the genesis and the two seals around the messages are good."""
        manifest, report = self._manifest, self._report
        try:
            founding = self._founding = founding_of(genesis_of(manifest), manifest.shard)
        except (InputError, msgspec.MsgspecError) as error:
            self.found("genesis", 1, f"the genesis in the manifest is none: {error}")
            return False
        report.venue_id = founding.venue_id
        if key is None:
            report.unable.append(
                "whose log this is: give the venue's root or notary key, known from elsewhere"
            )
        else:
            try:
                pin(founding, key)
            except InputError as error:
                self.found("signature", 1, str(error))
                return False
        return self._check_ends(founding)

    def _check_ends(self, founding: Founding) -> bool:
        manifest = self._manifest
        if not 1 <= manifest.start <= manifest.first <= manifest.last <= manifest.end:
            self.found("coverage", manifest.start, "the manifest's sequences make no sense")
            return False
        if manifest.before is None:
            if (manifest.start, manifest.chain) != (1, GENESIS_HASH):
                self.found("seal", manifest.start, "nothing proves what came before")
                return False
            return True
        return self._check_seal(founding, stored(manifest.before, manifest.shard), {
            manifest.start - 1: manifest.chain
        })  # fmt: skip

    def _check_seal(self, founding: Founding, message: Stored, hashes: dict[int, str]) -> bool:
        """Tell whether a seal is signed and says what `hashes` says; report it if not."""
        try:
            seal = seal_of(message, self._manifest.shard, founding.notary_key)
        except BadSignature as error:
            self.found("signature", message.sequence, f"the seal: {error}", NOTARY)
            return False
        except (InputError, LogDiverged) as error:
            self.found("hash", message.sequence, f"the seal: {error}", NOTARY)
            return False
        if hashes.get(seal.through) != seal.chain:
            begin = next(iter(hashes), self._manifest.start)
            note = f"messages {begin} to {seal.through} are not what was sealed"
            self.found("seal", begin, f"{note} at sequence {message.sequence}", NOTARY)
            return False
        self._report.seals += 1
        return True

    # -- what stands there -------------------------------------------------------------

    def chain(self) -> None:
        """Link every message, and check the seals, records and decisions among them."""
        manifest, founding = self._manifest, self._founding
        assert founding is not None
        self._chain = bytes.fromhex(manifest.chain)
        at = manifest.start - 1
        for message in self._bundle.messages:
            if message.sequence != at + 1:
                self.found("gap", at + 1, f"sequence {message.sequence} follows {at}")
                return
            if not message.subject.startswith(f"{manifest.shard}."):
                self.found("genesis", at + 1, f"not of shard {manifest.shard}: {message.subject}")
                return
            at = message.sequence
            self._chain = link(self._chain, *message)
            self._unsealed[at] = self._chain.hex()
            self._take(founding, message)
        if at != manifest.end:
            self.found("truncated", at, f"the messages end at {at}, not at {manifest.end}")
            return
        self._report.chain = self._chain.hex()
        if at == 1 or manifest.start == 1:
            self._check_genesis()
        self._check_seal(founding, stored(manifest.after, manifest.shard), self._unsealed)

    def _check_genesis(self) -> None:
        if self._bundle.messages[0] != genesis_of(self._manifest):
            self.found("genesis", 1, "the first message is not the manifest's genesis")

    def _take(self, founding: Founding, message: Stored) -> None:
        engine = last_token(message.subject)
        if engine not in ENGINES or message.subject != events(self._manifest.shard, engine):
            return
        record = self._record(engine, message)
        if record is None:
            return
        if engine == NOTARY:
            if record.last_input >= self._manifest.start:
                self._check_seal(founding, message, self._unsealed)
                self._forget(record.last_input)
        elif engine == GOVERNANCE:
            self._check_decisions(message.sequence, record)

    def _forget(self, through: int) -> None:
        self._unsealed = {at: hash_ for at, hash_ in self._unsealed.items() if at > through}

    def _record(self, engine: str, message: Stored) -> Record | None:
        """Return the record in `message`, if it goes on from the engine's last one here."""
        try:
            record = EVENT_MESSAGES.decode(message.payload)
        except InputError as error:
            self.found("unreadable", message.sequence, f"not a record: {error}", engine)
            return None
        begin = Head(number=record.number - 1, hash=record.prev)
        try:
            self._heads[engine] = follow(self._heads.get(engine, begin), record, message.payload)
        except LogDiverged as error:
            self.found("record_chain", message.sequence, str(error), engine)
            return None
        self._report.records += 1
        return record

    def _check_decisions(self, sequence: int, record: Record) -> None:
        """Check the signatures of what governance says was signed."""
        for event in record.events:
            if not isinstance(event, _GOOD):
                continue
            place = event.cause - self._manifest.start
            if not 0 <= place < len(self._bundle.messages):
                self._earlier += 1
                continue
            if not _is_signed(self._bundle.messages[place]):
                note = f"the decision at sequence {event.cause} is not signed by its key"
                self.found("signature", sequence, note, GOVERNANCE)
            self._report.decisions += 1

    # -- deciding again ----------------------------------------------------------------

    async def decisions_again(
        self, engines: Sequence[Engine[Any]], progress: OnProgress | None
    ) -> None:
        """Decide again what can be."""
        manifest, report = self._manifest, self._report
        log = HeldLog(manifest.shard, self._bundle.messages)
        if not report.chain:
            return  # they are not all there
        if manifest.start == 1:
            replay = await verify(log, engines, progress=progress)
            report.replay = replay
            report.findings += replay.findings
            report.unable += [*replay.unable, *map(not_decided_again, replay.followed)]
            report.redecided = sum(engine.redecided for engine in replay.engines.values())
            return
        for engine in engines:
            held = self._bundle.preludes.get(engine.name)
            if held is None:
                self._not_again(engine.name)
            else:
                await self._engine_again(engine, held, log)

    def _not_again(self, engine: str) -> None:
        if engine != NOTARY and engine in self._heads:
            self._report.not_proved.append(
                f"that {engine} had to decide as it did: its state before the range is not here"
            )

    async def _engine_again(self, engine: Engine[Any], held: Held, log: HeldLog) -> None:
        try:
            self._check_prelude(engine.name, held)
            state, head = _state_before(engine, held)
        except EverythingError as error:
            at = held.records[0].sequence if held.records else 0
            self.found("state", at, f"records before the range: {error}", engine.name)
            return
        except Exception as error:  # a state that somebody made up
            self.found("state", 0, f"the state before the range: {error!r}", engine.name)
            return
        check = MiddleCheck(engine, log, self.tell, self._manifest.start, state, head)
        subject = events(log.shard, engine.name)
        epoch = f"{subject}.epoch"
        for message in self._bundle.messages:
            if message.subject == subject:
                await check.take_record(message)
            elif message.subject == epoch:
                check.take_epoch(message)
        report = self._report
        report.redecided += check.report.redecided
        if check.folded:
            report.not_proved.append(
                f"that {engine.name} had to decide {check.folded} of its records as it did: "
                "their inputs begin before the range"
            )
        for decider, count in check.report.applied.items():
            report.not_proved.append(
                f"that {engine.name} had to decide {count} of its records as it did: "
                f"{decider} decided them, and this is {engine.decider}"
            )
        if check.broken and not report.findings:
            report.unable.append(f"{engine.name}: not all was decided again: {check.broken}")

    def _check_prelude(self, engine: str, held: Held) -> None:
        """Raise LogDiverged unless the records are `engine`'s and stand before the range."""
        at, subject = 0, events(self._manifest.shard, engine)
        for message in held.records:
            if message.subject != subject or not at < message.sequence < self._manifest.start:
                raise LogDiverged(
                    f"sequence {message.sequence} on {message.subject} is out of place"
                )
            at = message.sequence

    # -- in words ------------------------------------------------------------------------

    def conclude(self) -> None:
        """Say what a bundle without a flaw proves."""
        manifest, report = self._manifest, self._report
        if report.findings:
            report.proved, report.not_proved = [], []
            return
        where = f"messages {manifest.start} to {manifest.end}"
        report.proved = [
            f"{where} stood on the log just so when {report.seals} seals were signed",
            f"the {report.records} records among them are whole and follow one another",
            f"the {report.decisions} decisions that were taken there bear their keys' signatures",
        ]
        if report.redecided:
            report.proved.append(f"{report.redecided} records had to be as they are")
        if manifest.start > 1:
            report.not_proved.append(
                f"what stood before message {manifest.start}: the seal says its hash, no more"
            )
        if self._earlier:
            report.not_proved.append(
                f"the signatures of {self._earlier} decisions from before the range"
            )
        report.not_proved.append(f"what stands behind message {manifest.end}")


def _is_signed(message: Stored) -> bool:
    try:
        signed = SIGNED_DECISIONS.decode(message.payload)
        signatures.verify(signed.key, signed.body.encode(), signed.signature)
    except InputError:
        return False
    return last_token(message.subject) == signed.key


def _state_before(engine: Engine[Any], held: Held) -> tuple[Any, Head]:
    """Return state and head before the range. Raises LogDiverged when they do not fit."""
    if held.state is None:
        state, head, rest = engine.initial(), Head(), held.records
    else:
        message, *rest = held.records
        record = EVENT_MESSAGES.decode(message.payload)
        head = follow(Head(record.number - 1, record.prev), record, message.payload)
        hash_ = digest(held.state)
        if record.state_hash != hash_:
            raise LogDiverged(f"{engine.name}: not the state after record {record.number}")
        state = engine.load(held.state)
        if state_hash(engine, state) != hash_:
            raise LogDiverged(f"{engine.name}: a state is not written canonically")
    for message in rest:
        head = fold(engine, state, head, EVENT_MESSAGES.decode(message.payload), message.payload)
    return state, head


class MiddleCheck(EngineCheck[Any]):
    """Decides an engine's records again from a state in the middle of the log.

    Records whose inputs begin before `start` are applied, not decided: `folded` counts them.
    """

    def __init__(
        self, engine: Engine[Any], log: HeldLog, tell: Tell, start: int, state: Any, head: Head
    ) -> None:
        super().__init__(engine, log, tell)
        self._start = start
        self._state = state
        self._head = head
        self._epoch = head.epoch
        self.folded = 0

    async def take_record(self, message: Stored) -> Checked | None:
        """Check a message on the engine's own subject."""
        try:
            record = EVENT_MESSAGES.decode(message.payload)
        except InputError:
            return await super().take_record(message)
        if self._epoch < record.epoch < self._start:
            self._epoch = record.epoch  # its Epoch stands before the range, so is not to be seen
        if record.tick or record.first_input >= self._start:
            return await super().take_record(message)
        self._sequence, self._number = message.sequence, record.number
        if self._follows(record, message.payload) and not self.broken:
            await self._inputs.through(record.last_input, lambda _: False)
            for event in record.events:
                self.engine.evolve(self._state, event)
            self.folded += 1
        return None
