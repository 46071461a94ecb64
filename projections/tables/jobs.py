"""jobs (EM-48, EM-72): what left its queue undone, why, and what became of it since.

A row is one page of one source, or that source's own document, however often it was asked for.
Jobs that are simply done have no row: their article says so, and the fetches of the source.
"""

from collections.abc import Iterator
from typing import Final

from projections.store.collectors import AppendedInOrder, LatestByKey
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    SEQUENCE,
    TEXT,
    TEXT_OR_NULL,
    Projection,
    Row,
    RowPosition,
    Statement,
    Table,
    clean,
    patch,
    upsert,
)
from schemas.jobs import FetchSource, job_name
from schemas.observations import JobGivenUp, JobRetried, SourceFetched

_CHANGED: Final = {"changed_ns": BIGINT, **SEQUENCE}

TABLE = Table(
    name="jobs",
    columns={
        "job": TEXT,
        "source": TEXT,
        "url": TEXT,
        "what": TEXT,
        "title": TEXT,
        "wanted_by": TEXT,
        "status": TEXT,
        "queue": TEXT,
        "attempts": BIGINT,
        "reason": TEXT,
        "detail": TEXT,
        "http_status": BIGINT,
        "given_up": BIGINT,
        "given_up_ns": BIGINT,
        "retried_by": TEXT_OR_NULL,
        "retry_reason": TEXT_OR_NULL,
        "retried_ns": BIGINT_OR_NULL,
        **_CHANGED,
    },
    key=("job",),
    indexes=("(sequence)", "(source, sequence)", "(sequence) WHERE status = 'dead'"),
)
"""`status` is dead, retried (nothing is known since) or done (it was fetched since). `given_up` is
the log sequence of the last dead letter, `retried_by` the key of who had it tried again last.
"""

_PUT = upsert(TABLE, sparse=True, rare=True)
_RETRY = patch(
    "retry",
    TABLE,
    ("status", "retried_by", "retry_reason", "retried_ns", *_CHANGED),
    exact=False,
    rare=True,
)
_DONE = Statement(
    "jobs_done",
    TABLE,
    {"job": TEXT, **_CHANGED},
    """
    UPDATE jobs t SET status = 'done', changed_ns = s.changed_ns, sequence = s.sequence
    FROM stage_jobs_done s WHERE t.job = s.job AND t.sequence < s.sequence
    """,
    exact=False,
    rare=True,
)
"""It comes after the other two, and what they say of later messages stands."""


def _given_up(event: JobGivenUp, at: RowPosition) -> Row:
    page = None if isinstance(event.job, FetchSource) else event.job
    return (
        job_name(event.source, event.url),
        event.source,
        clean(event.url),
        "source" if page is None else "page",
        "" if page is None else clean(page.title),
        "" if page is None else clean(page.wanted_by),
        "dead",
        event.queue,
        event.attempts,
        clean(event.reason),
        clean(event.detail),
        event.status,
        at.sequence,
        event.given_up_ns,
        None,
        None,
        None,
        event.given_up_ns,
        at.sequence,
    )


def _retried(event: JobRetried, at: RowPosition) -> Row:
    job = job_name(event.source, event.url)
    who = (clean(event.key), clean(event.reason), event.retried_ns)
    return (job, "retried", *who, event.retried_ns, at.sequence)


def _fetched(event: SourceFetched, at: RowPosition) -> Iterator[Row]:
    if event.outcome in ("fetched", "unchanged"):
        yield job_name(event.source, event.url), event.ended_ns, at.sequence


PROJECTION = Projection(
    "jobs",
    (TABLE,),
    (_PUT, _RETRY, _DONE),
    lambda: (
        AppendedInOrder({JobGivenUp: [(_PUT, _given_up)], JobRetried: [(_RETRY, _retried)]}),
        LatestByKey(_DONE, {SourceFetched: _fetched}),
    ),
)
