"""The fetcher: does one job of ingest, and puts on the log what it brought.

One fetch, from the queue to the log:

    jobs/services.py   hands out the message, and acks it by the verdict
    Fetcher.handle     does the job; every outcome becomes a verdict there
    polite.py          gets the document: robots.txt, throttle, guard (rendering.py by Chromium)
    Downloader         has the document read in a child process
    identity.py        finds what is new in it
    observing.py       says so on the log

    what came of the job            on the log                  the message
    articles, or links to pages     articles, listing, fetch    done
    nothing that is not known       fetch                       done
    unchanged document              fetch                       done
    `Unfetched`, a source           fetch, with the problem     done
    `Unfetched`, a page, final      the same, and a dead letter done
    `Unfetched`, a page, passing    nothing                     later, JOB_ATTEMPTS times
    no text, and there's a browser  nothing                     done; a copy for the browser
    `HostBusy`                      nothing                     later; it is no attempt

- The jobs for pages are in the queue before the listing says that they were seen, and the
  listing is appended in one batch with the articles: a crash in between repeats work and
  loses none.
- A page's job is tried JOB_ATTEMPTS times, as long as its queue would keep it; a JobGivenUp ends
  it. A source's own document is not tried again: its next poll comes anyway, later each time.
  Only one that killed the process that did it, or of a source that nobody knows, is given up.
- The browser's process runs the same handler with another way to get a document.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from schemas import subjects
from schemas.chain import digest
from schemas.errors import InputError
from schemas.jobs import JOBS, FetchPage, FetchSource, Job, QueueName
from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import FetchProblem, ListedItem, SourceListed, Via
from schemas.sources import Source, is_on_site
from schemas.units import SECOND_NS
from streams.ingest.fetching import observing
from streams.ingest.fetching.http import HttpResponse
from streams.ingest.fetching.identity import sort_out
from streams.ingest.fetching.locks import Locks
from streams.ingest.fetching.observing import (
    Addressed,
    Attempt,
    FetchJournal,
    Provenance,
    Trial,
)
from streams.ingest.fetching.polite import Fetched, turn_name
from streams.ingest.fetching.problems import HostBusy, Unfetched
from streams.ingest.jobs.queue import JobQueue
from streams.ingest.jobs.registry import KnownSources
from streams.ingest.jobs.services import DONE, Delivery, Later, Verdict, backoff_s
from streams.ingest.limits import (
    JOB_ATTEMPTS,
    JOB_DELIVERIES,
    MAX_ACK_PENDING,
    MAX_FEED_ITEMS,
    MAX_HELD_REDIRECT_S,
)
from streams.ingest.sources import KINDS
from streams.ingest.sources.model import Document, Item, Kind
from streams.ingest.sources.plain import language, line
from streams.ingest.sources.reader import Read
from streams.ingest.sources.sitemap import newest
from streams.log.limits import JOB_LIFE_S
from streams.log.ports import Clock

_NOT_MODIFIED: Final = 304

log_ = structlog.get_logger(__name__)

Get = Callable[[Source, str, str, Mapping[str, str]], Awaitable[Fetched]]
"""Get what is at a url for a source, on behalf of the named job, with more headers.

Raises Unfetched, or HostBusy when the job's turn is far off.
"""


class Downloader(NamedTuple):
    """How a document is got, and how it is read. `renders`: `get` goes through a browser."""

    get: Get
    read: Read
    renders: bool = False

    async def items(self, reading: str, response: HttpResponse, source: Source) -> list[Item]:
        """Return the items of a document. Raises Unfetched."""
        if response.status == _NOT_MODIFIED:
            raise Unfetched(FetchProblem.HTTP_STATUS, "nothing was asked of it", response.status)
        document = Document(
            url=response.url,
            body=response.body,
            media_type=response.media_type,
            charset=response.charset,
            selector=source.link_selector,
        )
        return await self.read(reading, document)

    async def parts(self, kind: Kind, response: HttpResponse, source: Source) -> list[Item]:
        """Return the links to the parts of a document that only lists them. Raises Unfetched."""
        if not kind.parts or response.status == _NOT_MODIFIED:
            return []
        return await self.items(kind.parts, response, source)

    async def items_of(
        self, kind: Kind, parts: Sequence[Item], source: Source, clock: Clock
    ) -> list[Item]:
        """Return the items of all parts that can be had, newest first. Raises Unfetched if none."""
        found: list[Item] = []
        failures: list[Unfetched] = []
        for part in parts:
            try:
                response = await self._part(part.link, source, clock)
                found += await self.items(kind.reading, response, source)
            except Unfetched as error:
                failures.append(error)
        if len(failures) == len(parts):
            raise failures[0]
        return newest(found)[:MAX_FEED_ITEMS]

    async def _part(self, url: str, source: Source, clock: Clock) -> HttpResponse:
        """Wait for a turn here: a job that came again would ask for the index each time."""
        who = turn_name(source.source, source.url)
        left_s = float(MAX_HELD_REDIRECT_S)
        while True:
            try:
                return (await self.get(source, url, who, {})).response
            except HostBusy as busy:
                left_s -= busy.seconds
                if left_s < 0:
                    raise Unfetched(FetchProblem.TOO_SLOW, "its turn is too far off") from busy
                await clock.sleep(busy.seconds)


class FetcherDeps(NamedTuple):
    """What a fetcher works with. `has_browser`: some process of the venue has one."""

    sources: KnownSources
    downloader: Downloader
    journal: FetchJournal
    jobs: JobQueue
    has_browser: bool = False


class _TryAgain(Exception):
    """The job may succeed a little later. This attempt counts."""


class Fetcher:
    """Handles jobs; `handle` is a `services.Handle`."""

    def __init__(self, deps: FetcherDeps) -> None:
        self.deps = deps
        self._documents = Locks()
        self._postponed: dict[int, int] = {}
        """How often a job's turn at its host was too far off, by the job's sequence."""
        self.done = 0

    async def handle(self, delivery: Delivery) -> Verdict:
        """Do one job. Raises an OperatingError when the log or the queue does not answer."""
        job = _job_in(delivery)
        if job is None:
            return DONE
        tried = delivery.attempt - self._postponed.get(delivery.sequence, 0)
        attempt = self._begin(job)
        trial = Trial(job, _queue_of(delivery), tried)
        try:
            async with self._alone(job):
                found = await self._fetch(trial, attempt, first=delivery.attempt == 1)
                await self.deps.journal.append(attempt, found)
        except HostBusy as busy:
            self._postpone(delivery.sequence)
            return Later(busy.seconds)
        except _TryAgain:
            return Later(backoff_s(tried))
        self._postponed.pop(delivery.sequence, None)
        self.done += 1
        return DONE

    def _begin(self, job: Job) -> Attempt:
        now_ns = self.deps.journal.clock.now_ns()
        if isinstance(job, FetchPage):
            return Attempt(job.source, job.url, page=True, started_ns=now_ns)
        source = self.deps.sources.get(job.source)
        return Attempt(job.source, source.url if source else "", page=False, started_ns=now_ns)

    def _alone(self, job: Job) -> contextlib.AbstractAsyncContextManager[None]:
        """One fetch of a source's document at a time: the second finds the first on the log."""
        if isinstance(job, FetchSource):
            return self._documents.of(job.source)
        return contextlib.nullcontext()

    def _postpone(self, sequence: int) -> None:
        self._postponed[sequence] = self._postponed.get(sequence, 0) + 1
        if len(self._postponed) > MAX_ACK_PENDING:
            del self._postponed[next(iter(self._postponed))]

    async def _fetch(self, trial: Trial, attempt: Attempt, *, first: bool) -> list[Addressed]:
        """Do the job; return what is to be appended. Raises HostBusy or _TryAgain."""
        job, tried = trial.job, trial.attempts
        source = self.deps.sources.get(job.source)
        try:
            if source is None:
                if tried < JOB_ATTEMPTS:
                    raise _TryAgain  # governance's decision may not have reached us yet
                raise Unfetched(FetchProblem.GIVEN_UP, "unknown source")
            if tried > JOB_DELIVERIES:
                raise Unfetched(FetchProblem.GIVEN_UP, "handed out too often")
            if self.deps.downloader.renders and source.kind != "browser" and first:
                # The fetcher has just asked for this page, and its throttle is not ours.
                raise HostBusy(source.crawl_delay_s)
            if isinstance(job, FetchSource):
                return await self._document(source, job, attempt)
            return await self._page(source, job, attempt)
        except HostBusy as busy:
            if not self._lapses(job, busy.seconds):
                raise
            late = Unfetched(FetchProblem.GIVEN_UP, "its turn comes too late")
            return self._noted(late, trial, attempt)
        except Unfetched as error:
            return await self._unfetched(error, source, trial, attempt)

    async def _unfetched(
        self, error: Unfetched, source: Source | None, trial: Trial, attempt: Attempt
    ) -> list[Addressed]:
        """Return the note of a failure; none if a browser has the job now. Raises _TryAgain."""
        if source is not None and self._wants_browser(source, error):
            await self.deps.jobs.put("browser", trial.job)
            return []
        if attempt.page and error.passing and trial.attempts < JOB_ATTEMPTS:
            raise _TryAgain
        return self._noted(error, trial, attempt)

    def _noted(self, error: Unfetched, trial: Trial, attempt: Attempt) -> list[Addressed]:
        """Return what a failure leaves on the log, which for a job given up is a dead letter."""
        journal = self.deps.journal
        told = error
        if attempt.page and error.passing:
            told = Unfetched(FetchProblem.GIVEN_UP, error.problem.value, error.status)
        said = {"source": attempt.source, "problem": told.problem.value, "detail": told.detail}
        log_.warning("nothing fetched", **said, status=told.status)
        if not attempt.page and error.problem is not FetchProblem.GIVEN_UP:
            return [journal.failed(attempt, error)]
        return [journal.failed(attempt, told), journal.given_up(attempt, trial, error)]

    def _lapses(self, job: Job, seconds: float) -> bool:
        """Tell whether the queue will have dropped a page's job, silently, in `seconds`."""
        if not isinstance(job, FetchPage):
            return False
        age_ns = self.deps.journal.clock.now_ns() - job.asked_ns
        return age_ns / SECOND_NS + seconds >= JOB_LIFE_S

    def _wants_browser(self, source: Source, error: Unfetched) -> bool:
        """Tell whether a page that showed nothing may show something to a browser."""
        return (
            error.problem is FetchProblem.NO_TEXT
            and source.kind in ("html", "sitemap")
            and self.deps.has_browser
            and not self.deps.downloader.renders
        )

    # -- a source's own document ---------------------------------------------------------

    async def _document(
        self, source: Source, job: FetchSource, attempt: Attempt
    ) -> list[Addressed]:
        journal, downloader = self.deps.journal, self.deps.downloader
        kind = KINDS.get(source.kind)
        if kind is None or not source.active or await journal.is_served(job):
            return []
        memory = await journal.memory(source)
        last = memory.last
        _check_allowed(source)
        fetched = await downloader.get(
            source, source.url, turn_name(job.source, source.url), observing.conditions(last)
        )
        response = fetched.response
        parts = await downloader.parts(kind, response, source)
        are_dated = all(part.published_ns is not None for part in parts)
        if last is not None and are_dated and _is_unchanged(response, last):
            return [journal.ended(attempt, fetched, outcome="unchanged", items=last.count)]
        items = await self._items(source, kind, response, parts)
        follows, now_ns = kind.follows(source), journal.clock.now_ns()
        fresh, listed = sort_out(memory, items, follows=follows, now_ns=now_ns)
        for item, known_as in fresh:
            if follows and item.link:
                await self._ask_for(source, kind, item, known_as)
        texts = [(item, known_as) for item, known_as in fresh if not (follows and item.link)]
        how = await self._provenance(source, kind.via, fetched, wanted=bool(texts))
        # An index without dates may stay as it is while its parts change: it is asked for in full.
        remembered = response if are_dated else response._replace(headers={})
        new = observing.listing(source, memory, listed, len(items), remembered, how.observed_ns)
        if last is not None and not listed:
            memory.last = new  # nothing to remember but how to ask next time
        return [
            *(
                journal.article(
                    source, item, how._replace(item=known_as.item, backlog=known_as.backlog)
                )
                for item, known_as in texts
            ),
            *([journal.listing(new)] if listed or last is None else []),
            journal.ended(attempt, fetched, items=len(items), new_articles=len(fresh)),
        ]

    async def _items(
        self, source: Source, kind: Kind, response: HttpResponse, parts: Sequence[Item]
    ) -> list[Item]:
        """Return the items of a document or of its parts that say anything. Raises Unfetched."""
        if parts:
            clock = self.deps.journal.clock
            items = await self.deps.downloader.items_of(kind, parts, source, clock)
        else:
            items = await self.deps.downloader.items(kind.reading, response, source)
        follows = kind.follows(source)
        return [item for item in items if follows or item.title or item.text]

    async def _ask_for(self, source: Source, kind: Kind, item: Item, known_as: ListedItem) -> None:
        job = FetchPage(
            source=source.source,
            url=item.link,
            title=item.title,
            language=item.language,
            published_ns=item.published_ns,
            wanted_by="",
            asked_ns=self.deps.journal.clock.now_ns(),
            item=known_as.item,
            backlog=known_as.backlog,
        )
        job_id = f"{source.source}@{digest(f'{item.link} {known_as.words}'.encode())}"
        await self.deps.jobs.put(kind.page_queue, job, job_id)

    # -- a page ----------------------------------------------------------------------------

    async def _page(self, source: Source, job: FetchPage, attempt: Attempt) -> list[Addressed]:
        journal, downloader = self.deps.journal, self.deps.downloader
        _check_allowed(source)
        if source.paywalled:
            raise Unfetched(FetchProblem.RESTRICTED, "behind a paywall")
        if job.wanted_by and not is_on_site(source, job.url):
            raise Unfetched(FetchProblem.BAD_URL, "not of the source's host")
        fetched = await downloader.get(source, job.url, turn_name(job.source, job.url), {})
        (item,) = await downloader.items("page", fetched.response, source)
        how = await self._provenance(source, "html", fetched, wanted=True)
        how = how._replace(item=job.item, backlog=job.backlog)
        return [
            journal.article(source, _completed(item, job), how),
            journal.ended(attempt, fetched, items=1, new_articles=1),
        ]

    async def _provenance(
        self, source: Source, via: Via, fetched: Fetched, *, wanted: bool
    ) -> Provenance:
        journal = self.deps.journal
        keeps = wanted and source.keep_raw_days
        raw = await journal.keep_raw(fetched.response.body) if keeps else ""
        return Provenance(
            via="browser" if self.deps.downloader.renders else via,
            observed_ns=journal.clock.now_ns(),
            robots_hash=fetched.robots_hash,
            raw=raw,
        )


def _job_in(delivery: Delivery) -> Job | None:
    """Return the job in a message, or None if it holds none."""
    try:
        job = JOBS.decode(delivery.payload)
    except InputError as error:
        log_.warning("unreadable job dropped", seq=delivery.sequence, code=error.code)
        return None
    if not subjects.is_source(job.source):
        log_.warning("job for no source dropped", seq=delivery.sequence)
        return None
    return job


def _queue_of(delivery: Delivery) -> QueueName:
    match subjects.last_token(delivery.subject):
        case "source":
            return "source"
        case "browser":
            return "browser"
        case _:
            return "page"


def _check_allowed(source: Source) -> None:
    if source.restricted:
        raise Unfetched(FetchProblem.RESTRICTED, "the source is restricted")


def _is_unchanged(response: HttpResponse, last: SourceListed) -> bool:
    return response.status == _NOT_MODIFIED or digest(response.body) == last.body_hash


def _completed(item: Item, job: FetchPage) -> Item:
    """Return the page's item with what the job knew where the page says nothing."""
    published_ns = job.published_ns if item.published_ns is None else item.published_ns
    return Item(
        guid=item.guid,
        link=item.link,
        title=item.title or line(job.title, MAX_TITLE_CHARS),
        text=item.text,
        language=item.language or language(job.language),
        published_ns=published_ns,
    )
