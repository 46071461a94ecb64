"""The scheduler: asks for each source's document when it is due.

A source is due one poll interval after its last fetch began. Up to a tenth of the interval
is added, so that sources do not run in step. While a source fails, the interval grows up
to FAILING_BACKOFF times.

All of the scheduler's knowledge is on the log, so a restart fetches nothing twice: a job
that is asked for again has the same id, and the fetcher skips a job that was done.
"""

from dataclasses import dataclass
from typing import Final

import structlog

from schemas import subjects
from schemas.chain import digest
from schemas.errors import InputError, OperatingError
from schemas.jobs import FetchSource
from schemas.limits import JOBS_DEDUPE_S
from schemas.observations import OBSERVATIONS, SourceFetched, SourceListed
from schemas.sources import Source
from schemas.stored import Stored
from schemas.units import SECOND_NS
from streams.ingest.jobs.queue import JobQueue
from streams.ingest.jobs.registry import SourceRegistry, follow
from streams.ingest.limits import FAILING_BACKOFF, SCHEDULE_ATTEMPTS, SCHEDULE_EVERY_S
from streams.ingest.sources import KINDS
from streams.log.ports import Clock, Log
from streams.log.tasks import run_until_first_exits

_SPREAD: Final = 10
"""The largest addition is the interval divided by this."""
_NEVER: Final = 0

log_ = structlog.get_logger(__name__)


@dataclass
class _Known:
    """What is known of a source's fetches."""

    started_ns: int = _NEVER
    failures: int = 0
    asked_due_ns: int = -1
    """The due time of the last job that was asked for; -1 before the first."""
    asked_at_ns: int = 0


class Scheduler:
    """Puts FetchSource jobs into `jobs`. `run` ends only with an error."""

    def __init__(self, log: Log, jobs: JobQueue, clock: Clock) -> None:
        self._log = log
        self._jobs = jobs
        self._clock = clock
        self._registry = SourceRegistry(log, clock)
        self._known: dict[str, _Known] = {}
        self.asked = 0

    async def run(self) -> None:
        """Follow the log and ask for what is due, for ever."""
        end = await self._log.last_sequence()
        fetches = subjects.fetches(self._log.shard, "*")
        await run_until_first_exits(
            self._registry.run(),
            follow(self._log, self._clock, fetches, self._take, end),
            self._keep_asking(),
        )

    async def _keep_asking(self) -> None:
        await self._registry.caught_up()
        failed = 0
        while True:
            try:
                await self.ask()
                failed = 0
            except OperatingError as error:
                failed += 1
                log_.warning("could not ask for fetches", code=error.code)
                if failed == SCHEDULE_ATTEMPTS:
                    raise
            await self._clock.sleep(SCHEDULE_EVERY_S)

    async def ask(self) -> None:
        """Ask for all that is due now. An OperatingError may leave some of it not asked for."""
        now_ns = self._clock.now_ns()
        for source in list(self._registry.known.due(now_ns)):
            known = self._known.get(source.source)
            if known is None:
                known = self._known.setdefault(source.source, await self._recall(source))
            due = due_ns(source, known.started_ns, known.failures)
            waiting = known.asked_due_ns == due
            if due > now_ns or (waiting and now_ns < known.asked_at_ns + JOBS_DEDUPE_S * SECOND_NS):
                continue
            job = FetchSource(source=source.source, due_ns=due)
            await self._jobs.put(KINDS[source.kind].queue, job, f"{source.source}@{due}")
            known.asked_due_ns, known.asked_at_ns = due, now_ns
            self.asked += 1

    async def _recall(self, source: Source) -> _Known:
        """Return what the log says of a source's last fetch.

        The last fetch on the log may be that of a page. Then the last listing stands in for
        it, and at worst the source is fetched once too early.
        """
        known = _Known()
        for subject in (
            subjects.listings(self._log.shard, source.source),
            subjects.fetches(self._log.shard, source.source),
        ):
            _note(known, await self._log.last(subject))
        return known

    def _take(self, stored: Stored) -> None:
        known = self._known.get(subjects.last_token(stored.subject))
        if known is not None:
            _note(known, stored)

    def status(self) -> dict[str, int]:
        """Return what a heartbeat says."""
        return {"sources": len(self._known), "asked": self.asked}


def due_ns(source: Source, started_ns: int, failures: int) -> int:
    """Return when `source` is to be fetched next; 0, which is at once, if it never was."""
    if started_ns == _NEVER:
        return _NEVER
    interval_ns = source.poll_interval_s * SECOND_NS
    if failures:
        interval_ns *= min(2 ** min(failures, 16), FAILING_BACKOFF)
    lot = int(digest(f"{source.source}@{started_ns}".encode())[:8], 16)
    return started_ns + interval_ns + lot % (interval_ns // _SPREAD)


def _note(known: _Known, stored: Stored | None) -> None:
    if stored is None:
        return
    try:
        seen = OBSERVATIONS.decode(stored.payload)
    except InputError:
        return  # written by a later version; at worst the source is fetched too early
    if isinstance(seen, SourceListed):
        known.started_ns = max(known.started_ns, seen.listed_ns)
    elif isinstance(seen, SourceFetched) and seen.what == "source":
        known.started_ns = max(known.started_ns, seen.started_ns)
        known.failures = known.failures + 1 if seen.outcome in ("failed", "refused") else 0
