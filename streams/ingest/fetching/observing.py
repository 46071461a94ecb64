"""From items to observations: what is new in a document, and how the log tells of it.

The functions are pure. `FetchJournal` is what the fetcher knows of the log: it reads what
earlier fetches left there, and appends what this one brought.
"""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from schemas import articles, subjects
from schemas.chain import digest
from schemas.codec import Message, encode
from schemas.errors import InputError, OperatingError
from schemas.jobs import FetchSource, Job, QueueName
from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import (
    OBSERVATIONS,
    ArticleObserved,
    JobGivenUp,
    ListedItem,
    SourceFetched,
    SourceListed,
    Via,
)
from schemas.sources import Source
from schemas.stored import Stored
from schemas.texts import clean
from streams.ingest.fetching.http import HttpResponse
from streams.ingest.fetching.identity import ItemMemory
from streams.ingest.fetching.polite import Fetched
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.raw_store import RawStore
from streams.ingest.limits import MAX_ITEMS_IN_MEMORY, MAX_VALIDATOR_CHARS
from streams.ingest.sources.model import Item
from streams.log.appender import append_all
from streams.log.cursor import Cursor
from streams.log.ports import Clock, Log

Addressed = tuple[str, Message]
"""An observation behind the subject that it goes to."""

_log = structlog.get_logger(__name__)


class Provenance(NamedTuple):
    """How an article came in. `raw` names the bytes that are kept, if any are.

    `item` and `backlog` are as in ArticleObserved; an empty `item` is that of the url.
    """

    via: Via
    observed_ns: int
    robots_hash: str
    raw: str
    item: str = ""
    backlog: bool = False


def article(source: Source, item: Item, how: Provenance) -> ArticleObserved:
    """Return the observation of `item`, whose texts are plain and printable."""
    url = item.link or source.url
    title = item.title or item.text[:MAX_TITLE_CHARS].strip()
    return ArticleObserved(
        source=source.source,
        snapshot_id=articles.snapshot_id(title, item.text),
        locator=articles.locator(url, item.published_ns),
        url=url,
        title=title,
        excerpt=clean(item.text, source.excerpt_chars),
        text_chars=len(item.text),
        language=item.language,
        published_ns=item.published_ns,
        observed_ns=how.observed_ns,
        via=how.via,
        robots_hash=how.robots_hash,
        raw=how.raw,
        push=None,
        item=how.item or articles.page(url),
        backlog=how.backlog,
    )


def listing(
    source: Source,
    memory: ItemMemory,
    items: Sequence[ListedItem],
    count: int,
    response: HttpResponse,
    listed_ns: int,
) -> SourceListed:
    """Return the listing of a document of `count` items, of which `items` are to be remembered."""
    return SourceListed(
        source=source.source,
        url=source.url,
        body_hash=digest(response.body),
        etag=_validator(response, "etag"),
        last_modified=_validator(response, "last-modified"),
        items=list(items),
        count=count,
        since=memory.since,
        listed_ns=listed_ns,
    )


def _validator(response: HttpResponse, name: str) -> str:
    """Return a validator that can be sent back unchanged, or ""."""
    text = response.headers.get(name, "")
    fit = len(text) <= MAX_VALIDATOR_CHARS and text.isascii() and text.isprintable()
    return text if fit else ""


def _listed(stored: Stored) -> SourceListed | None:
    """Return the listing in `stored`, None if this version can read none in it."""
    try:
        listed = OBSERVATIONS.decode(stored.payload)
    except InputError:
        return None
    return listed if isinstance(listed, SourceListed) else None


def source_started_ns(stored: Stored | None) -> int | None:
    """Return when the fetch of the source's document in `stored` began; None if it is none."""
    seen = OBSERVATIONS.decode(stored.payload) if stored is not None else None
    return seen.started_ns if isinstance(seen, SourceFetched) and seen.what == "source" else None


def conditions(last: SourceListed | None) -> dict[str, str]:
    """Return the headers that ask for a document only if it has changed since `last`."""
    if last is None:
        return {}
    headers = {"If-None-Match": last.etag, "If-Modified-Since": last.last_modified}
    return {name: value for name, value in headers.items() if value}


class Attempt(NamedTuple):
    """One fetch under way."""

    source: str
    url: str
    page: bool
    started_ns: int

    def ended(
        self, ended_ns: int, response: HttpResponse | None = None, **given: object
    ) -> SourceFetched:
        """Return the result of the fetch, with the fields in `given`."""
        fields: dict[str, object] = {
            "outcome": "fetched",
            "problem": "",
            "detail": "",
            "status": response.status if response is not None else 0,
            "body_bytes": len(response.body) if response is not None else 0,
            "items": 0,
            "new_articles": 0,
            "robots_hash": "",
            **given,
        }
        return SourceFetched(
            source=self.source,
            url=self.url,
            what="page" if self.page else "source",
            started_ns=self.started_ns,
            ended_ns=ended_ns,
            **fields,  # type: ignore[arg-type]  # the names above
        )

    def failed(self, ended_ns: int, error: Unfetched) -> SourceFetched:
        """Return the result of a fetch that brought nothing."""
        return self.ended(
            ended_ns,
            outcome="refused" if error.refused else "failed",
            problem=error.problem.value,
            detail=error.detail,
            status=error.status,
        )


class Trial(NamedTuple):
    """How often a job was tried, and from which queue it came."""

    job: Job
    queue: QueueName
    attempts: int


class FetchJournal:
    """Reads and appends what the log has of fetches. `raw` is None if no bytes are kept."""

    def __init__(self, log: Log, clock: Clock, raw: RawStore | None = None) -> None:
        self.clock = clock
        self._log = log
        self._raw = raw
        self._started_ns: dict[str, int] = {}
        self._memories: dict[str, ItemMemory] = {}

    # -- what the log has ----------------------------------------------------------------

    async def is_served(self, job: FetchSource) -> bool:
        """Tell whether the source's document was fetched since the job was due."""
        started_ns = self._started_ns.get(job.source)
        if started_ns is None:
            stored = await self._log.last(subjects.fetches(self._log.shard, job.source))
            started_ns = source_started_ns(stored)
        return started_ns is not None and job.due_ns <= started_ns

    async def memory(self, source: Source) -> ItemMemory:
        """Return what is remembered of the source's document, as its listings have it.

        A listing that cannot be read is passed over: at worst its items are observed again.
        Raises LogUnavailable.
        """
        subject = subjects.listings(self._log.shard, source.source)
        memory = self._memories.pop(source.source, None) or ItemMemory()
        last = await self._log.last(subject)
        if last is not None and last.sequence != memory.sequence:
            listed = _listed(last)
            since = last.sequence if listed is None else listed.since or last.sequence
            async with Cursor(self._log, [subject], max(memory.sequence, since - 1)) as cursor:
                async for messages in cursor.read_to(last.sequence):
                    for message in messages:
                        if (listed := _listed(message)) is not None:
                            memory.fold(listed, message.sequence)
        if memory.last is not None and memory.last.url != source.url:
            return ItemMemory()  # another document, by its signed address
        self._memories[source.source] = memory
        self._forget()
        return memory

    def _forget(self) -> None:
        """Let go of the memories that were not asked for longest, if all are too many together."""
        held = sum(len(memory) for memory in self._memories.values())
        while held > MAX_ITEMS_IN_MEMORY and len(self._memories) > 1:
            held -= len(self._memories.pop(next(iter(self._memories))))

    # -- what may be appended ------------------------------------------------------------

    def article(self, source: Source, item: Item, how: Provenance) -> Addressed:
        """Return the observation of one article."""
        return subjects.articles(self._log.shard), article(source, item, how)

    def listing(self, listed: SourceListed) -> Addressed:
        """Return the listing of a document."""
        return subjects.listings(self._log.shard, listed.source), listed

    def ended(self, attempt: Attempt, fetched: Fetched, **given: object) -> Addressed:
        """Return that a fetch brought a response."""
        now_ns, robots_hash = self.clock.now_ns(), fetched.robots_hash
        seen = attempt.ended(now_ns, fetched.response, robots_hash=robots_hash, **given)
        return subjects.fetches(self._log.shard, attempt.source), seen

    def failed(self, attempt: Attempt, error: Unfetched) -> Addressed:
        """Return that a fetch brought nothing, and why."""
        seen = attempt.failed(self.clock.now_ns(), error)
        return subjects.fetches(self._log.shard, attempt.source), seen

    def given_up(self, attempt: Attempt, trial: Trial, error: Unfetched) -> Addressed:
        """Return that a job leaves its queue undone, and why."""
        letter = JobGivenUp(
            source=attempt.source,
            url=attempt.url,
            job=trial.job,
            queue=trial.queue,
            attempts=trial.attempts,
            reason=error.problem.value,
            detail=error.detail,
            status=error.status,
            given_up_ns=self.clock.now_ns(),
        )
        return subjects.job_fates(self._log.shard, attempt.source), letter

    # -- keeping and appending -----------------------------------------------------------

    async def keep_raw(self, body: bytes) -> str:
        """Keep the bytes and return their name; "" if not, as articles count for more."""
        name = digest(body)
        if self._raw is None:
            return ""
        try:
            await self._raw.put(name, body)
        except OperatingError as error:
            _log.warning("bytes not kept", code=error.code)
            return ""
        return name

    async def append(self, attempt: Attempt, observed: Sequence[Addressed]) -> None:
        """Append all, or nothing where the log has room for a batch. Raises an OperatingError."""
        if not observed:
            return
        await append_all(self._log, [(subject, encode(one)) for subject, one in observed])
        if not attempt.page:
            self._started_ns[attempt.source] = attempt.started_ns
