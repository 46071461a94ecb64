"""Queries about the jobs of ingest that were given up, and what became of them, for everyone."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query

from projections.api.context import AsOf, Reads
from projections.api.page import Conditions, NumberPage
from projections.api.reality import SourceFilter
from projections.api.reality_models import JobRowOut, JobsOut, OneJobOut
from schemas.errors import NotFound
from schemas.http import QUERY_ERRORS, errors

JobStatus = Annotated[
    Literal["dead", "retried", "done"] | None,
    Query(description="Only jobs that stand like this; `dead` are those to look at."),
]
ReasonFilter = Annotated[
    str | None, Query(max_length=64, pattern=r"^[a-z_]*$", description="Only jobs given up so.")
]
JobName = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]

router: Final = APIRouter(tags=["reality"])


@router.get("/jobs", summary="Jobs that were given up", responses=errors(*QUERY_ERRORS))
async def jobs(
    reads: Reads,
    page: NumberPage,
    status: JobStatus = None,
    source: SourceFilter = None,
    reason: ReasonFilter = None,
) -> JobsOut:
    """List dead letters and what became of them, the last changed first; the cursor is a sequence.

    What waits to be fetched is not here: `GET /status` says how much of it there is.
    """
    where = Conditions().add("sequence < {}", page.cursor).status(status)
    where.equal("source", source).equal("reason", reason)
    async with reads.view(page.at) as view:
        found = await page.read(view, "SELECT * FROM jobs", where, "sequence DESC")
        return JobsOut(
            sequence=view.sequence,
            jobs=[JobRowOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: str(row["sequence"])),
        )


@router.get("/jobs/{job}", summary="One job", responses=errors(*QUERY_ERRORS))
async def job(reads: Reads, at: AsOf, job: JobName) -> OneJobOut:
    """Return one job that was given up at least once."""
    async with reads.view(at) as view:
        row = await view.one("SELECT * FROM jobs WHERE job = $1", (job,))
        if row is None:
            raise NotFound(f"no job {job} was ever given up")
        return OneJobOut(sequence=view.sequence, job=JobRowOut.from_row(row))
