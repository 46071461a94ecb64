"""A simulated world for the handlers: a log, a queue, governance's word, scripted answers."""

import asyncio
from collections.abc import Mapping

from schemas import subjects
from schemas.codec import encode
from schemas.events import Event
from schemas.events.governance import SourceAdded, SourceQuarantineSet
from schemas.jobs import Job, QueueName
from schemas.observations import OBSERVATIONS, FetchProblem, Observation, SourceFetched
from schemas.records import Record, seal
from schemas.sources import Source
from schemas.stored import Stored
from streams.ingest.fetching.fetcher import Downloader, Fetcher, FetcherDeps
from streams.ingest.fetching.http import HttpResponse
from streams.ingest.fetching.observing import FetchJournal
from streams.ingest.fetching.polite import Fetched
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.jobs.registry import KnownSources
from streams.ingest.jobs.services import Delivery, Verdict
from streams.ingest.sources.reader import read_here
from streams.log.ports import Log
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import VirtualClock
from tests.streams.ingest.fetching.web import Page

SHARD = "main"


def governance_record(number: int, *events: Event) -> bytes:
    """Return a record of governance with `events`, as far as ingest looks at one."""
    payload, _ = seal(
        Record(
            engine=subjects.GOVERNANCE,
            decider="governance/1",
            epoch=1,
            number=number,
            first_input=number,
            last_input=number,
            time_ns=number,
            tick=False,
            events=list(events),
            state_hash=None,
            prev="",
        )
    )
    return payload


def added(source: Source) -> SourceAdded:
    return SourceAdded(cause=1, source=source)


def quarantined(source: Source, until_ns: int) -> SourceQuarantineSet:
    return SourceQuarantineSet(cause=1, source=source.source, until_ns=until_ns, reason="test")


async def decide(log: Log, number: int, *events: Event) -> None:
    """Put a record of governance on the log."""
    await log.send(
        subjects.events(log.shard, subjects.GOVERNANCE), governance_record(number, *events)
    )


async def observations(log: Log) -> list[Observation]:
    """Return all that was observed, in order."""
    end = await log.last_sequence()
    found = []
    for sequence in range(1, end + 1):
        stored = await log.get(sequence)
        if stored is not None and ".obs" in stored.subject:
            found.append(OBSERVATIONS.decode(stored.payload))
    return found


class Queued:
    """A `JobQueue` that remembers."""

    def __init__(self) -> None:
        self.put_in: list[tuple[QueueName, Job, str]] = []
        self.failure: Exception | None = None

    async def put(self, queue: QueueName, job: Job, job_id: str = "") -> None:
        if self.failure is not None:
            raise self.failure
        self.put_in.append((queue, job, job_id))

    @property
    def jobs(self) -> list[Job]:
        return [job for _, job, _ in self.put_in]


class KeptBytes:
    """A `RawStore` that remembers."""

    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}
        self.failure: Exception | None = None

    async def put(self, name: str, data: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self.bytes[name] = data


class FetchWorld:
    """A fetcher whose every answer is scripted: by url, a page, an Unfetched or a HostBusy."""

    def __init__(self, *sources: Source, renders: bool = False, has_browser: bool = False) -> None:
        self.log = SimulatedServer(SHARD).connect()
        self.clock = VirtualClock()
        self.queued = Queued()
        self.kept = KeptBytes()
        self.sources = KnownSources()
        self.web: dict[str, Page | Exception] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._number = 0
        self.know(*sources)
        self.fetcher = Fetcher(
            FetcherDeps(
                sources=self.sources,
                downloader=Downloader(self._get, read_here, renders=renders),
                journal=FetchJournal(self.log, self.clock, self.kept),
                jobs=self.queued,
                has_browser=has_browser,
            )
        )

    def know(self, *sources: Source) -> None:
        for source in sources:
            self._number += 1
            record = governance_record(self._number, added(source))
            self.sources.fold(Stored(self._number, "main.evt.governance", record))

    async def _get(self, source: Source, url: str, who: str, headers: Mapping[str, str]) -> Fetched:
        self.asked.append((url, dict(headers)))
        await asyncio.sleep(0.1)
        page = self.web.get(url)
        if page is None:
            raise Unfetched(FetchProblem.HTTP_STATUS, "", 404)
        if isinstance(page, Exception):
            raise page
        told = {name.lower(): value for name, value in page.headers.items()}
        return Fetched(HttpResponse(url, page.status, told, page.body), "f" * 64)

    async def do(
        self, job: Job, attempt: int = 1, sequence: int = 1, queue: QueueName = "source"
    ) -> Verdict:
        """Have the fetcher do `job`."""
        delivery = Delivery(sequence, subjects.jobs(SHARD, queue), encode(job), attempt)
        return await self.fetcher.handle(delivery)

    async def seen(self) -> list[Observation]:
        return await observations(self.log)

    async def fetches(self) -> list[SourceFetched]:
        """Return what became of each fetch."""
        return [one for one in await self.seen() if isinstance(one, SourceFetched)]
