"""The desk: documents are fetched by runners elsewhere, so that no browser runs here.

It stands in for `Renderer` in the process that has the browser's queue, and so all else is as
with any fetch: attempts, dead letters, listings. For each job of the queue

1.  robots.txt is asked for, and the host's turn is waited for, here: what is not allowed, or
    not yet, is handed to nobody;
2.  the first runner that asks gets it, with a ticket that is good for its report alone;
3.  what it reports within RUNNER_ANSWER_S is noted with its name, and taken for the document.

A runner that falls silent has failed in an attempt of the job, which then comes again.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from schemas import subjects
from schemas.codec import encode
from schemas.observations import FetchProblem, JobReported
from schemas.runners import (
    DeskTold,
    ReportedItem,
    ReportGiven,
    RunnerJob,
    RunnerReport,
    WorkAsked,
)
from schemas.sources import Source
from streams.ingest.fetching.guard import check_url, own_endpoint
from streams.ingest.fetching.http import HttpResponse
from streams.ingest.fetching.polite import Fetched, Polite
from streams.ingest.fetching.problems import HostBusy, Unfetched
from streams.ingest.limits import (
    RUNNER_ABSENT_S,
    RUNNER_ANSWER_S,
    RUNNER_ASK_S,
    RUNNER_WAIT_S,
    RUNNERS_ASKING,
)
from streams.ingest.sources.model import Document, Item
from streams.log.nats_requests import Responder
from streams.log.ports import Clock, Log

_T = TypeVar("_T")
_TICKET_BYTES: Final = 16
_encode_items: Final = msgspec.json.Encoder().encode
_decode_items: Final = msgspec.json.Decoder(list[ReportedItem]).decode
_decode_asked: Final = msgspec.json.Decoder(WorkAsked | ReportGiven).decode


class _Offer:
    """A job that waits for a runner, and then for its report."""

    def __init__(self, job: RunnerJob) -> None:
        self.job = job
        loop = asyncio.get_running_loop()
        self.taken: asyncio.Future[str] = loop.create_future()
        """By which runner."""
        self.reported: asyncio.Future[RunnerReport] = loop.create_future()


class Desk:
    """Gives out jobs and takes reports. `get` is a `fetcher.Get`, `read` a `reader.Read`."""

    def __init__(self, log: Log, clock: Clock, polite: Polite) -> None:
        self._log = log
        self._clock = clock
        self._polite = polite
        self._waiting: asyncio.Queue[_Offer] = asyncio.Queue()
        self._offers: dict[str, _Offer] = {}

    def status(self) -> dict[str, int]:
        """Return what a heartbeat says: the jobs that runners have, and those for which none is."""
        given = sum(offer.taken.done() for offer in self._offers.values())
        return {"given": given, "offered": len(self._offers) - given}

    # -- for the fetcher -----------------------------------------------------------------

    async def get(self, source: Source, url: str, who: str, headers: Mapping[str, str]) -> Fetched:
        """Return what a runner reports of `url`. Raises Unfetched, HostBusy, an OperatingError."""
        rules = await self._polite.allowed(source, url)
        is_document = url == source.url
        links = bool(source.link_selector) and is_document
        offer = _Offer(
            RunnerJob(ticket=secrets.token_hex(_TICKET_BYTES), source=source, url=url, links=links)
        )
        async with self._polite.turn(source, url, rules, who, is_document=is_document):
            report = await self._reported(offer)
        if report.problem:
            raise Unfetched(FetchProblem(report.problem), report.detail, report.status)
        check_url(report.url, own_endpoint(source))
        if not links and len(report.items) != 1:
            raise Unfetched(FetchProblem.NO_TEXT, "a page is one article", report.status)
        told = {"content-type": "application/json"}
        body = _encode_items(report.items)
        return Fetched(HttpResponse(report.url, report.status, told, body), rules.hash)

    async def read(self, reading: str, document: Document) -> list[Item]:
        """Return the items of what `get` returned."""
        return [
            Item(
                guid=item.guid,
                link=item.link,
                title=item.title,
                text=item.text,
                language=item.language,
                published_ns=item.published_ns,
            )
            for item in _decode_items(document.body)
        ]

    async def _reported(self, offer: _Offer) -> RunnerReport:
        self._offers[offer.job.ticket] = offer
        self._waiting.put_nowait(offer)
        try:
            runner = await _within(RUNNER_WAIT_S, offer.taken)
            if runner is None:
                raise HostBusy(RUNNER_ABSENT_S)  # nobody asks: that is no attempt
            taken_ns = self._clock.now_ns()
            report = await _within(RUNNER_ANSWER_S, offer.reported)
        finally:
            del self._offers[offer.job.ticket]
        if report is None:
            raise Unfetched(FetchProblem.TOO_SLOW, "the runner fell silent")
        await self._note(offer.job, runner, report, taken_ns)
        return report

    async def _note(self, job: RunnerJob, runner: str, report: RunnerReport, taken_ns: int) -> None:
        noted = JobReported(
            source=job.source.source,
            url=job.url,
            runner=runner,
            status=report.status,
            problem=report.problem,
            detail=report.detail,
            body_hash=report.body_hash,
            snapshot_ids=[item.snapshot_id for item in report.items if item.snapshot_id],
            taken_ns=taken_ns,
            reported_ns=self._clock.now_ns(),
        )
        subject = subjects.job_fates(self._log.shard, job.source.source)
        await self._log.send(subject, encode(noted))

    # -- for runners -----------------------------------------------------------------------

    async def take(self, runner: str) -> RunnerJob | None:
        """Return a job for `runner`, None if none comes within RUNNER_ASK_S."""
        try:
            async with asyncio.timeout(RUNNER_ASK_S):
                while True:
                    offer = await self._waiting.get()
                    if not offer.taken.done():
                        break
        except TimeoutError:
            return None
        offer.taken.set_result(runner)
        return offer.job

    def report(self, runner: str, report: RunnerReport) -> bool:
        """Take what `runner` says of a job that it has; False if it has no such job."""
        offer = self._offers.get(report.ticket)
        if offer is None or offer.reported.done():
            return False
        if not offer.taken.done() or offer.taken.cancelled() or offer.taken.result() != runner:
            return False
        offer.reported.set_result(report)
        return True


async def _within(seconds: float, wanted: asyncio.Future[_T]) -> _T | None:
    """Return what `wanted` brings within `seconds`, else None; then nothing can come any more."""
    try:
        async with asyncio.timeout(seconds):
            return await wanted
    except TimeoutError:
        return None


def desk_responder(desk: Desk) -> Responder:
    """Return what answers the gateway, which has checked who asks and how a report is shaped."""

    async def answer(question: bytes) -> bytes:
        asked = _decode_asked(question)
        if isinstance(asked, ReportGiven):
            return encode(DeskTold(taken=desk.report(asked.runner, asked.report)))
        return encode(DeskTold(job=await desk.take(asked.runner)))

    return Responder(
        answer,
        waiting=RUNNERS_ASKING,
        wait_s=RUNNER_ASK_S,
        busy=encode(DeskTold(problem="busy")),
        failed=encode(DeskTold(problem="failed")),
        at_once=2 * RUNNERS_ASKING,
    )
