"""Jobs: what ingest has yet to fetch. They wait in a work queue, not on the log.

A job may be done twice, after a crash: what it brings is told apart by its content. What
cannot be done leaves the queue as well, and stands on the log as a JobGivenUp: a dead letter,
with all that it takes to try again.
"""

from typing import Final, Literal

import msgspec

from schemas.articles import page
from schemas.chain import digest
from schemas.codec import Codec, Message, Upcasts, upcast

QueueName = Literal["source", "page", "browser"]
QUEUES: Final[tuple[QueueName, ...]] = ("source", "page", "browser")
_NAME_CHARS: Final = 16


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

AnyJob = FetchSource | FetchPage1 | FetchPage
"""A job of any version, as a dead letter of any age may hold it."""

_UPCASTS: Final[Upcasts] = {
    FetchPage1: lambda old: FetchPage(**msgspec.structs.asdict(old), item=page(old.url))
}
JOBS: Codec[Job] = Codec(AnyJob, _UPCASTS)


def newest(job: AnyJob) -> Job:
    """Return `job` in its newest version."""
    found: Job = upcast(job, _UPCASTS)
    return found


class RetryJob(Message, tag="retry_job/1", frozen=True, kw_only=True):
    """A person's word that a job is to be tried again; its canonical JSON is what they sign.

    `given_up` is the log sequence of the JobGivenUp, `job` the name of the job in it. The time
    is the signer's, within SERVICE_CLOCK_S of the gateway's; `venue_id` ties it to one venue.
    """

    venue_id: str
    job: str
    given_up: int
    reason: str
    client_time_ns: int


RETRIES: Codec[RetryJob] = Codec(RetryJob)


def job_name(source: str, url: str) -> str:
    """Return the name of the job to fetch `url` for `source`: 16 hex characters.

    The same page of the same source has the same name each time it is asked for.
    """
    return digest(f"{source}@{url}".encode())[:_NAME_CHARS]
