"""The runner: renders pages for a venue whose keys are elsewhere.

It is no process of a venue and has no home: all that it holds is its own secret. It asks the
gateway for work, renders a page as the venue's own browser would (guard, robots.txt, sandbox,
bounds), has a child process read it, and reports. While the gateway is away, or does not let it in
yet, it asks again.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import msgspec
import structlog

from deploy.processes.until_stopped import run_until_stopped
from schemas.articles import snapshot_id
from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import LogUnavailable, OperatingError
from schemas.limits import (
    MAX_PUSHED_TEXT_CHARS,
    MAX_REPORT_BYTES,
    MAX_REPORT_ITEMS,
    MAX_TITLE_CHARS,
    MAX_URL_CHARS,
)
from schemas.observations import FetchProblem
from schemas.runners import ReportedItem, RunnerJob, RunnerReport
from schemas.services import sign_request
from schemas.sources import Source
from streams.ingest.fetching.guard import SystemResolver
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.polite import Fetched, Polite
from streams.ingest.fetching.problems import HostBusy, Unfetched
from streams.ingest.limits import (
    RUNNER_ANSWER_S,
    RUNNER_ASK_S,
    RUNNER_MAX_PAUSE_S,
    RUNNER_PAUSE_S,
)
from streams.ingest.sources.model import Document, Item
from streams.ingest.sources.plain import line
from streams.ingest.sources.reader import DocumentReader, Read
from streams.log.clock import SystemClock
from streams.log.ports import Clock

_PREFIX: Final = "/api/v1/reality"
_LATE_S: Final = 5
"""What is left of RUNNER_ANSWER_S for the report itself."""
_PATIENCE_S: Final = 3 * RUNNER_ASK_S
_NONCE_BYTES: Final = 16

log = structlog.get_logger(__name__)

Render = Callable[[Source, str, str], Awaitable[Fetched]]
"""`Renderer.get`."""


class _Job(msgspec.Struct, frozen=True):
    job: RunnerJob | None


class RunnerClient:
    """What a runner says to the gateway at `url`, signed with the secret called `name`."""

    def __init__(self, url: str, name: str, secret: str, http: httpx.AsyncClient) -> None:
        self._url = url.rstrip("/")
        self._name = name
        self._secret = secret
        self._http = http

    async def ask(self) -> RunnerJob | None:
        """Return a job, None if there is none. Raises as `_post` does."""
        answer = await self._post("/jobs", b"{}")
        try:
            return msgspec.json.decode(answer.content, type=_Job).job
        except msgspec.DecodeError as error:
            raise LogUnavailable("the gateway answers in another version") from error

    async def report(self, report: RunnerReport) -> None:
        """Hand in `report`. Raises as `_post` does; one that comes too late is dropped."""
        answer = await self._post("/ingest_callback", encode(report))
        if answer.status_code == httpx.codes.NOT_FOUND:
            log.info("the job is no more ours")

    async def _post(self, path: str, body: bytes) -> httpx.Response:
        """Send a signed request and return its answer. Raises LogUnavailable without a good one."""
        target = f"{_PREFIX}{path}"
        timestamp, nonce = str(int(time.time())), secrets.token_hex(_NONCE_BYTES)
        headers = {
            "Content-Type": "application/json",
            "X-Key-Id": self._name,
            "X-Timestamp": timestamp,
            "X-Nonce": nonce,
            "X-Signature": sign_request(self._secret, "POST", target, timestamp, nonce, body),
        }
        try:
            answer = await self._http.post(
                self._url + target, content=body, headers=headers, timeout=_PATIENCE_S
            )
        except httpx.HTTPError as error:
            raise LogUnavailable(f"no gateway at {self._url}: {type(error).__name__}") from error
        if answer.is_success or answer.status_code == httpx.codes.NOT_FOUND:
            return answer
        raise LogUnavailable(f"the gateway refuses: {answer.status_code} {answer.text[:200]}")


class Runner:
    """Does one job after the other. `render` and `read` are as the venue's own."""

    def __init__(self, client: RunnerClient, render: Render, read: Read, clock: Clock) -> None:
        self._client = client
        self._render = render
        self._read = read
        self._clock = clock
        self.done = 0

    async def run(self) -> None:
        """Ask and report for ever."""
        pause_s = RUNNER_PAUSE_S
        while True:
            try:
                await self.step()
                pause_s = RUNNER_PAUSE_S
            except OperatingError as error:
                log.warning("asked again later", reason=str(error), seconds=pause_s)
                await self._clock.sleep(pause_s)
                pause_s = min(2 * pause_s, RUNNER_MAX_PAUSE_S)

    async def step(self) -> None:
        """Ask once, and do what there is. Raises as RunnerClient does."""
        job = await self._client.ask()
        if job is not None:
            await self._client.report(await self.do(job))
            self.done += 1

    async def do(self, job: RunnerJob) -> RunnerReport:
        """Return what comes of `job`, whatever that is."""
        try:
            async with asyncio.timeout(RUNNER_ANSWER_S - _LATE_S):
                who = f"{job.source.source}@{job.url}"
                fetched = await self._render(job.source, job.url, who)
                return _report(job, fetched, await self._items(job, fetched))
        except Unfetched as error:
            return _failed(job, error)
        except HostBusy:
            return _failed(job, Unfetched(FetchProblem.TOO_SLOW, "its turn comes too late"))
        except TimeoutError:
            return _failed(job, Unfetched(FetchProblem.TOO_SLOW, "not rendered in time"))
        except Exception:
            log.exception("not rendered", url=job.url)
            return _failed(job, Unfetched(FetchProblem.RENDER_FAILED, "the runner failed"))

    async def _items(self, job: RunnerJob, fetched: Fetched) -> list[Item]:
        response = fetched.response
        document = Document(
            url=response.url,
            body=response.body,
            media_type=response.media_type,
            charset=response.charset,
            selector=job.source.link_selector if job.links else "",
        )
        return await self._read("html" if job.links else "page", document)


def _report(job: RunnerJob, fetched: Fetched, items: list[Item]) -> RunnerReport:
    """Return a report of as many items as it has room for."""
    response = fetched.response
    kept = [_reported(item, links=job.links) for item in items[:MAX_REPORT_ITEMS]]
    while True:
        report = RunnerReport(
            ticket=job.ticket,
            url=response.url,
            status=response.status,
            body_hash=digest(response.body),
            problem="",
            detail="",
            items=kept,
        )
        if len(encode(report)) <= MAX_REPORT_BYTES:
            return report
        kept = kept[: len(kept) // 2]


def _reported(item: Item, *, links: bool) -> ReportedItem:
    title = line(item.title, MAX_TITLE_CHARS)
    text = "" if links and item.link else line(item.text, MAX_PUSHED_TEXT_CHARS)
    guid = item.guid if len(item.guid) <= MAX_URL_CHARS else digest(item.guid.encode())
    return ReportedItem(
        guid=guid,
        link=item.link,
        title=title,
        text=text,
        language=item.language,
        published_ns=item.published_ns,
        snapshot_id=snapshot_id(title, text) if text else "",
    )


def _failed(job: RunnerJob, error: Unfetched) -> RunnerReport:
    return RunnerReport(
        ticket=job.ticket,
        url="",
        status=error.status,
        body_hash="",
        problem=error.problem.value,
        detail=line(error.detail),
        items=[],
    )


async def run(
    url: str,
    name: str,
    secret: str,
    agent: Agent,
    chromium: str,
    stop: asyncio.Event,
    *,
    sandboxed: bool,
) -> None:
    """Do a venue's jobs until `stop`."""
    # playwright is large, and what only imports this does without it
    from streams.ingest.fetching.rendering import Renderer

    clock, resolver, reader = SystemClock(), SystemResolver(), DocumentReader()
    renderer = Renderer(
        Polite(agent, resolver, clock, reader.read_robots), chromium, sandboxed=sandboxed
    )
    options: dict[str, Any] = {"follow_redirects": False, "trust_env": False}
    try:
        async with httpx.AsyncClient(**options) as http:
            runner = Runner(RunnerClient(url, name, secret, http), renderer.get, reader.read, clock)
            await run_until_stopped(stop, runner.run())
    finally:
        await renderer.close()
        await reader.close()
        resolver.close()
