"""Workload: sites that publish, and the real scheduler, fetcher and measurer on their heels.

Sites and the work queue are simulated, and the embedding model is a stand-in.

Invariants: whatever a site has published stands on the log in the end, however its
fetchers died; and every article that was observed is measured.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from deploy.processes.until_stopped import run_until_stopped
from schemas import subjects
from schemas.codec import encode
from schemas.decisions import AddSource
from schemas.errors import AppendUnknown, OperatingError
from schemas.jobs import Job, QueueName
from schemas.observations import OBSERVATIONS, ArticleObserved, SignalsMeasured
from schemas.sources import Source
from streams.ingest.fetching.fetcher import Downloader, Fetcher, FetcherDeps
from streams.ingest.fetching.http import HttpResponse
from streams.ingest.fetching.observing import FetchJournal
from streams.ingest.fetching.polite import Fetched
from streams.ingest.jobs.registry import SourceRegistry
from streams.ingest.jobs.scheduler import Scheduler
from streams.ingest.jobs.services import Delivery, Later, Verdict
from streams.ingest.measuring.measurer import Measurer
from streams.ingest.sources.reader import read_here
from streams.log.tasks import run_until_first_exits
from tests.sim.decisions import Decisions
from tests.sim.life import Life
from tests.sim.world import World
from tests.streams.ingest.fetching.web import feed
from tests.streams.ingest.measuring.world import tools

ASKERS: Final = ("scheduler", "fetcher")
_NAMES: Final = ("wire", "post")
_ITEMS: Final = 15
_ACK_S: Final = 10.0
_FAILS_E4: Final = 300
_WORDS: Final = ("Alpha", "Beta", "Gamma", "soar", "fall", "court", "clears", "merger", "rose")


class _Waiting:
    """A message that is handed out until it is acked."""

    __slots__ = ("attempt", "free_s", "payload", "sequence", "subject")

    def __init__(self, sequence: int, subject: str, payload: bytes) -> None:
        self.sequence, self.subject, self.payload = sequence, subject, payload
        self.attempt = 0
        self.free_s = 0.0


class Durable:
    """A durable consumer: what it has handed out and nobody acked comes again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: dict[int, _Waiting] = {}

    def add(self, sequence: int, subject: str, payload: bytes) -> None:
        """Have one more message handed out."""
        self._waiting[sequence] = _Waiting(sequence, subject, payload)

    async def serve(
        self, handle: Callable[[Sequence[Delivery]], Awaitable[Verdict]], at_once: int
    ) -> None:
        """Hand out what is there, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self.fill()
            now_s = loop.time()
            some = [one for one in self._waiting.values() if one.free_s <= now_s][:at_once]
            if not some:
                await asyncio.sleep(0.25)
                continue
            for one in some:
                one.attempt += 1
                one.free_s = now_s + _ACK_S
            await self._hand_out(handle, some)

    def fill(self) -> None:
        """Look whether there is more to hand out."""

    async def _hand_out(
        self, handle: Callable[[Sequence[Delivery]], Awaitable[Verdict]], some: list[_Waiting]
    ) -> None:
        given = [Delivery(one.sequence, one.subject, one.payload, one.attempt) for one in some]
        now_s = asyncio.get_running_loop().time()
        try:
            verdict = await handle(given)
        except OperatingError:
            self._world.trace.mark("ingest: handler failed, handed out again")
            verdict = Later(1.0)
        if isinstance(verdict, Later):
            for one in some:
                one.free_s = now_s + verdict.seconds
        elif strikes(self._world):
            self._world.trace.mark("ingest: ack lost, handed out again")
        else:
            for one in some:
                self._waiting.pop(one.sequence, None)


class OfLog(Durable):
    """A durable consumer of the log's articles."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._read = 0

    def fill(self) -> None:
        """Take up what has been stored since."""
        server = self._world.server
        wanted = subjects.articles(server.shard)
        while self._read < server.last_sequence:
            self._read += 1
            message = server.get(self._read)
            if message is not None and message.subject == wanted:
                self.add(*message)


class Queues:
    """The work queue of ingest: `JobQueue`, as a server has it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids: dict[str, None] = {}
        self._last = 0
        self.durables = {name: Durable(world) for name in ("source", "page", "browser")}

    async def put(self, queue: QueueName, job: Job, job_id: str = "") -> None:
        """Have `job` done; the answer may be lost."""
        await asyncio.sleep(0)
        if strikes(self._world):
            raise AppendUnknown("no answer, and it is not in the queue")
        if not job_id or job_id not in self._ids:
            self._ids[job_id] = None
            self._last += 1
            self.durables[queue].add(self._last, f"jobs.main.{queue}", encode(job))
        if strikes(self._world):
            raise AppendUnknown("no answer, and it is in the queue")


def strikes(world: World) -> bool:
    """Tell whether something goes wrong with the queue now."""
    return not world.healed and world.dice.randrange(10_000) < _FAILS_E4


class Ingest:
    """Sites, and what becomes of what they say."""

    def __init__(self, world: World, decisions: Decisions) -> None:
        self._world = world
        self._decisions = decisions
        self._dice = random.Random(f"{world.seed} ingest")
        self._queues = Queues(world)
        self._articles = OfLog(world)
        self._sites: dict[str, list[tuple[str, str]]] = {name: [] for name in _NAMES}

    async def found(self) -> None:
        """Have the sources known and the processes started."""
        for name in _NAMES:
            source = Source(
                source=name, name=name, kind="rss", url=f"http://127.0.0.1:9/{name}",
                crawl_delay_s=0, poll_interval_s=8, allow_loopback=True,
            )  # fmt: skip
            await self._decisions.sure(AddSource, source=source)
        self._world.start("scheduler", self._scheduler)
        self._world.start("fetcher", self._fetcher)
        self._world.start("measurer", self._measurer)

    async def drive(self) -> None:
        """Publish this and that."""
        for number in range(_ITEMS):
            name = self._dice.choice(_NAMES)
            title = f"{' '.join(self._dice.sample(_WORDS, 6))} {number}"
            self._sites[name].append((title, f"http://127.0.0.1:9/{name}/{number}"))
            await asyncio.sleep(self._dice.choice((0.0, 2.0, 6.0)))

    def missing(self) -> list[str]:
        """Return the titles that were published and do not stand on the log."""
        seen = {one.title: None for _, one in self._observed() if isinstance(one, ArticleObserved)}
        return [title for site in self._sites.values() for title, _ in site if title not in seen]

    def unmeasured(self) -> list[int]:
        """Return the articles on the log that nobody has measured."""
        articles: dict[int, None] = {}
        for sequence, one in self._observed():
            if isinstance(one, ArticleObserved):
                articles[sequence] = None
            elif isinstance(one, SignalsMeasured):
                articles.pop(one.article, None)
        return list(articles)

    def _observed(self) -> list[tuple[int, Any]]:
        wanted = (subjects.articles("main"), subjects.signals("main"))
        return [
            (message.sequence, OBSERVATIONS.decode(message.payload))
            for message in self._world.server.messages()
            if message.subject in wanted
        ]

    # -- the processes -------------------------------------------------------------------

    async def _scheduler(self, world: World, life: Life) -> None:
        scheduler = Scheduler(world.connect(life), self._queues, world.clock("scheduler"))
        await run_until_stopped(life.stop, scheduler.run())

    async def _fetcher(self, world: World, life: Life) -> None:
        log, clock = world.connect(life), world.clock("fetcher")
        registry = SourceRegistry(log, clock)
        fetcher = Fetcher(
            FetcherDeps(
                sources=registry.known,
                downloader=Downloader(self._get, read_here),
                journal=FetchJournal(log, clock),
                jobs=self._queues,
            )
        )

        async def serve(durable: Durable) -> None:
            await registry.caught_up()
            await durable.serve(lambda some: fetcher.handle(some[0]), 1)

        async def work() -> None:
            durables = self._queues.durables
            await run_until_first_exits(
                registry.run(), serve(durables["source"]), serve(durables["page"])
            )

        await run_until_stopped(life.stop, work())

    async def _measurer(self, world: World, life: Life) -> None:
        measurer = Measurer(world.connect(life), world.clock("measurer"), tools(), aside=_aside)
        await measurer.open()
        await run_until_stopped(life.stop, self._articles.serve(measurer.handle, 4))

    async def _get(self, source: Source, url: str, who: str, headers: Mapping[str, str]) -> Fetched:
        await asyncio.sleep(0.1)
        page = feed(*self._sites.get(source.source, []))
        told = {name.lower(): value for name, value in page.headers.items()}
        return Fetched(HttpResponse(url, page.status, told, page.body), "f" * 64)


async def _aside(work: Callable[[], list[SignalsMeasured]]) -> list[SignalsMeasured]:
    await asyncio.sleep(0.01)
    return work()
