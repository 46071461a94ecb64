"""The fetcher: does the jobs of ingest, and puts on the log what each of them brought.

What a document brought goes onto the log as one batch with the listing that says it was
seen, after the jobs for its pages are in the queue: a crash in between repeats, and loses
nothing. The browser's process runs the same handler, with another way to get a document.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from schemas import subjects
from schemas.chain import digest
from schemas.codec import Message, encode
from schemas.errors import InputError, OperatingError
from schemas.jobs import JOBS, FetchPage, FetchSource
from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import FetchProblem, SourceListed, Via
from schemas.sources import Source, is_on_site
from streams.ingest.fetching import observing
from streams.ingest.fetching.http import Answer
from streams.ingest.fetching.locks import Locks
from streams.ingest.fetching.observing import Attempt, Circumstances
from streams.ingest.fetching.polite import Fetched
from streams.ingest.fetching.problems import Busy, Unfetched
from streams.ingest.jobs.ports import Jobs, RawStore
from streams.ingest.jobs.registry import Registry
from streams.ingest.jobs.services import DONE, Delivery, Later, Verdict, backoff_s
from streams.ingest.limits import JOB_ATTEMPTS, JOB_DELIVERIES, MAX_ACK_PENDING
from streams.ingest.sources import KINDS
from streams.ingest.sources.model import Document, Item, Kind
from streams.ingest.sources.plain import language, line
from streams.ingest.sources.reader import Read
from streams.log.ports import Clock, Log

_NOT_MODIFIED: Final = 304

log_ = structlog.get_logger(__name__)

Get = Callable[[Source, str, str, Mapping[str, str]], Awaitable[Fetched]]
"""Get what is at a url for a source, on behalf of the named job, with more headers.

Raises Unfetched, or Busy when its turn is far off.
"""


class Means(NamedTuple):
    """What a fetcher works with. `raw` is None where no bytes are kept.

    `renders` tells that `get` goes through a browser, `has_browser` that some process does.
    """

    log: Log
    jobs: Jobs
    clock: Clock
    registry: Registry
    get: Get
    read: Read
    raw: RawStore | None = None
    renders: bool = False
    has_browser: bool = False


class _Brought(NamedTuple):
    """What an attempt brought."""

    fetched: Fetched
    items: list[Item]


class Fetcher:
    """Handles jobs; `handle` is a `services.Handle`."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._sources = Locks()
        self._started_ns: dict[str, int] = {}
        self._put_off: dict[int, int] = {}
        self.done = 0

    async def handle(self, delivery: Delivery) -> Verdict:
        """Do one job. Raises an OperatingError when the log or the queue does not answer."""
        try:
            job = JOBS.decode(delivery.payload)
        except InputError as error:
            log_.warning("unreadable job dropped", seq=delivery.sequence, code=error.code)
            return DONE
        try:
            verdict = await self._do(job, delivery)
        except Busy as busy:
            self._put_off[delivery.sequence] = self._put_off.get(delivery.sequence, 0) + 1
            if len(self._put_off) > MAX_ACK_PENDING:
                del self._put_off[next(iter(self._put_off))]
            return Later(busy.seconds)
        if verdict is DONE:
            self._put_off.pop(delivery.sequence, None)
            self.done += 1
        return verdict

    async def _do(self, job: FetchSource | FetchPage, delivery: Delivery) -> Verdict:
        if not subjects.is_source(job.source):
            log_.warning("job for no source dropped", seq=delivery.sequence)
            return DONE
        attempt = self._attempt(job)
        tried = delivery.attempt - self._put_off.get(delivery.sequence, 0)
        source = self._means.registry.get(job.source)
        if tried > JOB_DELIVERIES or (source is None and tried >= JOB_ATTEMPTS):
            why = "unknown source" if source is None else "handed out too often"
            return await self._record(attempt, Unfetched(FetchProblem.GIVEN_UP, why))
        if source is None:
            return Later(backoff_s(tried))  # the decision may not have reached us yet
        if self._means.renders and source.kind != "browser" and delivery.attempt == 1:
            # The fetcher has just asked for this page, and its throttle is not ours.
            raise Busy(source.crawl_delay_s)
        if isinstance(job, FetchSource):
            async with self._sources.of(source.source):
                return await self._source(source, job, attempt)
        return await self._page(source, job, attempt, tried)

    def _attempt(self, job: FetchSource | FetchPage) -> Attempt:
        page = isinstance(job, FetchPage)
        source = self._means.registry.get(job.source)
        url = job.url if isinstance(job, FetchPage) else (source.url if source else "")
        return Attempt(job.source, url, page, self._means.clock.now_ns())

    # -- a source's own document ---------------------------------------------------------

    async def _source(self, source: Source, job: FetchSource, attempt: Attempt) -> Verdict:
        kind = KINDS.get(source.kind)
        if kind is None or not source.active or await self._served(job):
            return DONE
        last = observing.last_listing(
            await self._means.log.last(subjects.listings(self._shard, source.source)), source
        )
        try:
            _allowed(source)
            fetched = await self._get(source, source.url, job, observing.conditions(last))
            if last is not None and _unchanged(fetched.answer, last):
                return await self._unchanged(attempt, fetched, last)
            items = await self._read(kind.reading, fetched, source)
        except Unfetched as error:
            if self._wants_browser(source, error):
                await self._means.jobs.put("browser", job)
                return DONE
            return await self._record(attempt, error)
        return await self._observe(source, kind, attempt, _Brought(fetched, items), last)

    async def _served(self, job: FetchSource) -> bool:
        """Tell whether the document was fetched since the job was due."""
        started_ns = self._started_ns.get(job.source)
        if started_ns is None:
            stored = await self._means.log.last(subjects.fetches(self._shard, job.source))
            started_ns = observing.source_started_ns(stored)
        return started_ns is not None and job.due_ns <= started_ns

    async def _unchanged(self, attempt: Attempt, fetched: Fetched, last: SourceListed) -> Verdict:
        told = attempt.ended(
            self._means.clock.now_ns(),
            fetched.answer,
            outcome="unchanged",
            items=len(last.items),
            robots_hash=fetched.robots_hash,
        )
        return await self._append(attempt, [(self._fetches(attempt), told)])

    async def _observe(
        self,
        source: Source,
        kind: Kind,
        attempt: Attempt,
        brought: _Brought,
        last: SourceListed | None,
    ) -> Verdict:
        fetched, items = brought
        fresh = observing.unseen(items, last)
        follows = kind.follows(source)
        pages = [item for item in fresh if follows and item.link]
        for item in pages:
            await self._ask_for(source, kind, item)
        texts = [item for item in fresh if not (follows and item.link)]
        how = await self._circumstances(source, kind.via, fetched, wanted=bool(texts))
        messages: list[tuple[str, Message]] = [
            (subjects.articles(self._shard), observing.article(source, item, how)) for item in texts
        ]
        listed = observing.listing(source, items, fetched.answer, how.observed_ns)
        messages.append((subjects.listings(self._shard, source.source), listed))
        told = attempt.ended(
            how.observed_ns,
            fetched.answer,
            items=len(items),
            new_articles=len(fresh),
            robots_hash=fetched.robots_hash,
        )
        return await self._append(attempt, [*messages, (self._fetches(attempt), told)])

    async def _ask_for(self, source: Source, kind: Kind, item: Item) -> None:
        job = FetchPage(
            source=source.source,
            url=item.link,
            title=item.title,
            language=item.language,
            published_ns=item.published_ns,
            wanted_by="",
            asked_ns=self._means.clock.now_ns(),
        )
        job_id = f"{source.source}@{digest(item.link.encode())}"
        await self._means.jobs.put(kind.page_queue, job, job_id)

    # -- a page ----------------------------------------------------------------------------

    async def _page(self, source: Source, job: FetchPage, attempt: Attempt, tried: int) -> Verdict:
        try:
            _allowed(source)
            if source.paywalled:
                raise Unfetched(FetchProblem.RESTRICTED, "behind a paywall")
            if job.wanted_by and not is_on_site(source, job.url):
                raise Unfetched(FetchProblem.BAD_URL, "not of the source's host")
            fetched = await self._get(source, job.url, job, {})
            (item,) = await self._read("page", fetched, source)
        except Unfetched as error:
            if self._wants_browser(source, error):
                await self._means.jobs.put("browser", job)
                return DONE
            if error.passing and tried < JOB_ATTEMPTS:
                return Later(backoff_s(tried))
            if error.passing:
                error = Unfetched(FetchProblem.GIVEN_UP, error.problem.value, error.status)
            return await self._record(attempt, error)
        how = await self._circumstances(source, "html", fetched, wanted=True)
        told = attempt.ended(
            how.observed_ns,
            fetched.answer,
            items=1,
            new_articles=1,
            robots_hash=fetched.robots_hash,
        )
        seen = observing.article(source, _completed(item, job), how)
        return await self._append(
            attempt, [(subjects.articles(self._shard), seen), (self._fetches(attempt), told)]
        )

    # -- both --------------------------------------------------------------------------------

    @property
    def _shard(self) -> str:
        return self._means.log.shard

    def _fetches(self, attempt: Attempt) -> str:
        return subjects.fetches(self._shard, attempt.source)

    async def _get(
        self,
        source: Source,
        url: str,
        job: FetchSource | FetchPage,
        headers: Mapping[str, str],
    ) -> Fetched:
        who = f"{job.source}@{url}"
        return await self._means.get(source, url, who, headers)

    async def _read(self, reading: str, fetched: Fetched, source: Source) -> list[Item]:
        answer = fetched.answer
        if answer.status == _NOT_MODIFIED:
            raise Unfetched(FetchProblem.HTTP_STATUS, "nothing was asked of it", answer.status)
        return await self._means.read(
            reading,
            Document(
                url=answer.url,
                body=answer.body,
                media_type=answer.media_type,
                charset=answer.charset,
                selector=source.link_selector,
            ),
        )

    def _wants_browser(self, source: Source, error: Unfetched) -> bool:
        """Tell whether a page that showed nothing may show something to a browser."""
        return (
            error.problem is FetchProblem.NO_TEXT
            and source.kind == "html"
            and self._means.has_browser
            and not self._means.renders
        )

    async def _circumstances(
        self, source: Source, via: Via, fetched: Fetched, *, wanted: bool
    ) -> Circumstances:
        raw = await self._kept(fetched.answer) if wanted and source.keep_raw_days else ""
        return Circumstances(
            via="browser" if self._means.renders else via,
            observed_ns=self._means.clock.now_ns(),
            robots_hash=fetched.robots_hash,
            raw=raw,
        )

    async def _kept(self, answer: Answer) -> str:
        """Keep the bytes and return their name; articles count for more than their bytes."""
        name = digest(answer.body)
        if self._means.raw is None:
            return ""
        try:
            await self._means.raw.put(name, answer.body)
        except OperatingError as error:
            log_.warning("bytes not kept", code=error.code)
            return ""
        return name

    async def _record(self, attempt: Attempt, error: Unfetched) -> Verdict:
        told = attempt.failed(self._means.clock.now_ns(), error)
        return await self._append(attempt, [(self._fetches(attempt), told)])

    async def _append(self, attempt: Attempt, messages: Sequence[tuple[str, Message]]) -> Verdict:
        await self._means.log.append_batch([(to, encode(one)) for to, one in messages])
        if not attempt.page:
            self._started_ns[attempt.source] = attempt.started_ns
        return DONE


def _allowed(source: Source) -> None:
    if source.restricted:
        raise Unfetched(FetchProblem.RESTRICTED, "the source is restricted")


def _unchanged(answer: Answer, last: SourceListed) -> bool:
    return answer.status == _NOT_MODIFIED or digest(answer.body) == last.body_hash


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
