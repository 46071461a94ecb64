"""POST /reality/jobs and /reality/ingest_callback: runners elsewhere ask for work, and report."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from schemas.errors import NotFound
from schemas.http import COMMAND_ERRORS, errors
from schemas.runners import RunnerJob, RunnerReport, report_problem
from streams.gateway.context import Context
from streams.gateway.errors import FieldInvalid
from streams.gateway.limits import RUNNER_REQUESTS_PER_MINUTE
from streams.gateway.models import ReportIn, ReportOut, RunnerJobOut, WorkIn, WorkOut
from streams.gateway.routes.common import SignedClaim, reply

router: Final = APIRouter(prefix="/reality", tags=["for programs"])


async def _runner_of(request: Request, context: Context, claim: SignedClaim) -> str:
    body = await request.body()
    runner = await context.runners.check(request.method, request.url.path, claim, body)
    context.runner_rate.admit(RUNNER_REQUESTS_PER_MINUTE, runner)
    return runner


Runner = Annotated[str, Depends(_runner_of)]
"""The parameter that gives a route the name of the runner whose secret signs the request."""


@router.post(
    "/jobs",
    summary="Ask for a page to render",
    response_model=WorkOut,
    responses=errors(*COMMAND_ERRORS, 401),
)
async def ask_for_work(context: Context, _: WorkIn, runner: Runner) -> Response:
    """Return a job as soon as there is one, null after some seconds without.

    Signed as `POST /ingest` is, by a runner's secret. The host's robots.txt allows the page and
    it is its turn there: begin at once.
    """
    context.check_ready()
    job = await context.runner_desk.take(runner)
    return reply(200, WorkOut(job=None if job is None else _shown(job)))


@router.post(
    "/ingest_callback",
    summary="Report what a rendered page says",
    status_code=202,
    response_model=ReportOut,
    responses=errors(*COMMAND_ERRORS, 401, 404),
)
async def report(context: Context, body: ReportIn, runner: Runner) -> Response:
    """Hand in what came of a job, once, by the runner that has it and while it has it."""
    context.check_ready()
    told = msgspec.convert(body.model_dump(), RunnerReport)
    if (wrong := report_problem(told)) is not None:
        raise FieldInvalid(*wrong)
    if not await context.runner_desk.report(runner, told):
        raise NotFound("this runner has no such job, or no more")
    return reply(202, ReportOut(ticket=told.ticket))


def _shown(job: RunnerJob) -> RunnerJobOut:
    source: dict[str, Any] = msgspec.to_builtins(job.source)
    return RunnerJobOut(ticket=job.ticket, url=job.url, links=job.links, source=source)
