"""Jobs: what ingest has yet to fetch. They wait in a work queue, not on the log.

A job may be done twice, after a crash: what it brings is told apart by its content. What
cannot be done in JOB_ATTEMPTS is parked: the last SourceFetched says why, and it is gone.
"""

import msgspec

from schemas.articles import page
from schemas.codec import Codec, Message


class FetchSource(Message, tag="fetch_source/1", frozen=True, kw_only=True):
    """Fetch a source's document and observe what is new in it."""

    source: str
    due_ns: int


class FetchPage1(Message, tag="fetch_page/1", frozen=True, kw_only=True):
    """Fetch one page and observe it as an article of `source`.

    The fields of the feed, or of the request, hold where the page itself has none.
    `wanted_by` is the service key that asked, empty for a link of the source's own.
    """

    source: str
    url: str
    title: str
    language: str
    published_ns: int | None
    wanted_by: str
    asked_ns: int


class FetchPage(FetchPage1, tag="fetch_page/2", frozen=True, kw_only=True):
    """`item` and `backlog` are what the article will have (`schemas.observations`)."""

    item: str = ""
    backlog: bool = False


Job = FetchSource | FetchPage

JOBS: Codec[Job] = Codec(
    Job | FetchPage1,
    {FetchPage1: lambda old: FetchPage(**msgspec.structs.asdict(old), item=page(old.url))},
)
