"""Verify: read a log from its first message on and prove that all of it had to be as it is.

Every record is decided again from its inputs at its recorded time and compared byte for
byte; states are hashed again, the notary's chain is computed again over every message and
compared with its signed seals, and commands, outcomes and money are added up. Signed
decisions are checked again because governance decides them again.

It does not prove that the log's tail was not cut off behind the last seal: who keeps a
seal elsewhere passes it as an anchor.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from engines.kernel import Engine
from replay.limits import MAX_FINDINGS, MAX_FINDINGS_ALIKE
from replay.progress import OnProgress
from replay.verify.accounting import Accounting
from replay.verify.engine_check import Checked, EngineCheck
from replay.verify.notary_check import NotaryCheck
from replay.verify.report import Finding, Report
from schemas import subjects
from schemas.chain import Chain
from schemas.errors import EverythingError, LogDiverged, LogGap, OperatingError
from schemas.events.governance import VenueFounded
from schemas.stored import Stored
from streams.log.cursor import Batches, Cursor
from streams.log.ports import Log


class TrustedChainHash(NamedTuple):
    """What someone noted of the log and kept elsewhere: the chain hash after `sequence`."""

    sequence: int
    chain: str


class _Enough(Exception):
    """MAX_FINDINGS are reached."""


class _Verification:
    """One walk along a log, with a check for each engine."""

    def __init__(
        self, log: Log, engines: Sequence[Engine[Any]], anchors: Sequence[TrustedChainHash]
    ) -> None:
        shard = log.shard
        self.report = Report(shard=shard)
        self.accounting = Accounting(shard, self._tell)
        self.checks: dict[str, EngineCheck[Any]] = {}
        self._log = log
        self._chain = Chain()
        self._anchors = {anchor.sequence: anchor for anchor in anchors}
        self._seen: dict[str, int] = {}
        self._readers: dict[str, tuple[str, ...]] = {}
        self._records: dict[str, EngineCheck[Any]] = {}
        self._epochs: dict[str, EngineCheck[Any]] = {}
        self._unknown: dict[str, None] = {}
        self._alike: dict[tuple[str, str], int] = {}
        self._events = f"{shard}.evt."
        for engine in engines:
            notary = engine.name == subjects.NOTARY
            check: EngineCheck[Any] = (
                NotaryCheck(engine, log, self._tell, self._chain)
                if notary
                else EngineCheck(engine, log, self._tell)
            )
            self.checks[engine.name] = check
            self._records[subjects.events(shard, engine.name)] = check
            self._epochs[subjects.epoch(shard, engine.name)] = check
            self._seen[engine.name] = 0

    async def run(self, until: int | None, progress: OnProgress | None) -> None:
        """Walk to `until`, or to where the log ends now."""
        end = await self._end(until)
        if not end:
            return
        self.report.end = end
        async with Cursor(self._log, [f"{self._log.shard}.>"]) as cursor:
            batches = cursor.read_to(end)
            while await self._some(batches, end):
                if progress is not None:
                    progress(self.report.through, end)

    async def finish(self) -> None:
        """Put together what the checks have counted."""
        report = self.report
        report.account = self.accounting.account
        report.chain = self._chain.last.hex()
        for name, check in self.checks.items():
            report.engines[name] = check.finish(self._seen[name])
            if check.broken:
                report.unable.append(f"{name}: not all was decided again: {check.broken}")
            report.followed += check.followed.values()
            if isinstance(check, NotaryCheck):
                report.seals, report.sealed_through = check.report.records, check.sealed_through
                if check.unproved:
                    report.unable.append(f"{check.unproved} seals: no notary key is known")
        for name in self._unknown:
            report.unable.append(f"{name}: nothing here can decide its records again")
        for anchor in self._anchors.values():
            note = f"the log ends before sequence {anchor.sequence}, which was noted once"
            if anchor.sequence > report.through:
                self._tell(Finding(kind="truncated", sequence=report.through, note=note))

    async def close(self) -> None:
        """Let go of the log."""
        for check in self.checks.values():
            await check.close()

    async def _end(self, until: int | None) -> int:
        try:
            last = await self._log.last_sequence()
        except (LogGap, LogDiverged) as error:
            self._tell(Finding(kind="gap", sequence=0, note=str(error)))
            return until or 0
        if until is not None and until > last:
            self.report.unable.append(f"sequence {until}: the log ends at {last}")
        return min(until or last, last)

    async def _some(self, batches: Batches, end: int) -> bool:
        """Check the next messages; False when there are no more to be had."""
        try:
            messages = await anext(batches, None)
        except (LogGap, LogDiverged) as error:
            await self._up_to_the_gap(end, error)
            return False
        if messages is None:
            return False
        for message in messages:
            await self._take(message)
        return True

    async def _up_to_the_gap(self, end: int, error: EverythingError) -> None:
        """Check what can still be read one by one, and name the first sequence that cannot."""
        for sequence in range(self.report.through + 1, end + 1):
            message = await self._log.get(sequence)
            if message is None:
                self._tell(Finding(kind="gap", sequence=sequence, note="this message is missing"))
                return
            await self._take(message)
        self._tell(Finding(kind="gap", sequence=self.report.through, note=str(error)))

    async def _take(self, message: Stored) -> None:
        sequence, subject, _ = message
        self._chain.add(message)
        self.accounting.count(message)
        for name in self._readers_of(subject):
            self._seen[name] += 1
        if sequence == 1 and not subject.startswith(f"{self._log.shard}.cmd.admin."):
            self._tell(Finding(kind="genesis", sequence=1, note="the log begins with no genesis"))
        if subject.startswith(self._events):
            await self._take_event(message)
        self.report.through = sequence
        if sequence in self._anchors:
            self._compare(self._anchors[sequence])

    async def _take_event(self, message: Stored) -> None:
        check = self._records.get(message.subject)
        if check is not None:
            checked = await check.take_record(message)
            if checked is not None:
                self.accounting.take(checked.sequence, checked.record, checked.inputs)
                self._learn(checked)
        elif message.subject in self._epochs:
            self._epochs[message.subject].take_epoch(message)
        else:
            self._unknown[message.subject.removeprefix(self._events).partition(".")[0]] = None

    def _learn(self, checked: Checked) -> None:
        """Take the venue and its notary key from the record of the genesis."""
        if checked.record.engine != subjects.GOVERNANCE or self.report.venue_id:
            return
        for event in checked.record.events:
            if isinstance(event, VenueFounded):
                self.report.venue_id = event.venue_id
                notary = self.checks.get(subjects.NOTARY)
                if isinstance(notary, NotaryCheck):
                    notary.learn_key(event.notary_key)

    def _compare(self, trusted: TrustedChainHash) -> None:
        chain = self._chain.last.hex()
        if chain != trusted.chain:
            finding = Finding(
                kind="seal",
                sequence=trusted.sequence,
                note="the log up to here is not what was noted",
                field="chain",
                expected=trusted.chain,
                found=chain,
            )
            self._tell(finding)

    def _readers_of(self, subject: str) -> tuple[str, ...]:
        """Return the engines whose input a message on `subject` is."""
        readers = self._readers.get(subject)
        if readers is None:
            readers = self._readers[subject] = tuple(
                name
                for name, check in self.checks.items()
                if any(subjects.matches(pattern, subject) for pattern in check.engine.reads)
            )
        return readers

    def _tell(self, finding: Finding) -> None:
        alike = finding.kind, finding.engine
        self._alike[alike] = self._alike.get(alike, 0) + 1
        if self._alike[alike] > MAX_FINDINGS_ALIKE:
            self.report.more_findings += 1
            return
        self.report.findings.append(finding)
        if len(self.report.findings) >= MAX_FINDINGS:
            raise _Enough


async def verify(
    log: Log,
    engines: Sequence[Engine[Any]],
    *,
    until: int | None = None,
    anchors: Sequence[TrustedChainHash] = (),
    progress: OnProgress | None = None,
) -> Report:
    """Check `log` up to `until`, or to where it ends now, and say what was found.

    `engines` are fresh instances, one of each engine that has records on the log. Inputs
    at the end that no record covers yet are `pending`, which is no finding.
    """
    started = time.perf_counter()
    walk = _Verification(log, engines, anchors)
    try:
        await walk.run(until, progress)
    except _Enough:
        walk.report.unable.append(f"stopped after {MAX_FINDINGS} findings")
    except OperatingError as error:
        walk.report.unable.append(f"the log cannot be read: {error}")
    except EverythingError as error:
        walk.report.unable.append(f"stopped: {error}")
    try:
        await walk.finish()
        await walk.close()
    except (_Enough, OperatingError) as error:
        walk.report.unable.append(f"stopped: {error}")
    walk.report.seconds = time.perf_counter() - started
    return walk.report
