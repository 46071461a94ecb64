"""POST /reality/jobs and /reality/ingest_callback: runners elsewhere, by a secret of their own."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from schemas.articles import snapshot_id
from schemas.limits import SERVICE_CLOCK_S
from schemas.runners import RunnerJob, RunnerReport
from schemas.services import ServiceSecret, sign_request
from schemas.sources import Source
from schemas.units import SECOND_NS
from streams.gateway.limits import MAX_BODY_BYTES, RUNNER_REQUESTS_PER_MINUTE
from tests.streams.gateway.house import House, open_house

ASK, REPORT = "/api/v1/reality/jobs", "/api/v1/reality/ingest_callback"
SECRET, FOREIGN = "s" * 64, "f" * 64
RUNNER = "far-away"
SOURCE = Source(source="wire", name="Wire", kind="browser", url="https://a.example/")
JOB = RunnerJob(ticket="7" * 32, source=SOURCE, url="https://a.example/1", links=False)
GOOD: dict[str, Any] = {
    "ticket": JOB.ticket,
    "url": JOB.url,
    "status": 200,
    "body_hash": "0" * 64,
    "items": [
        {
            "link": JOB.url,
            "title": "Rain",
            "text": "It rains.",
            "snapshot_id": snapshot_id("Rain", "It rains."),
        }
    ],
}


def runner_keys(key_id: str) -> Sequence[ServiceSecret]:
    return [ServiceSecret(SECRET, None)] if key_id == RUNNER else []


def service_keys(key_id: str) -> Sequence[ServiceSecret]:
    return [ServiceSecret(FOREIGN, None)] if key_id == "robot" else []


class ScriptedDesk:
    """A `RunnerDesk` with one job, which it gives to whoever asks first."""

    def __init__(self) -> None:
        self.job: RunnerJob | None = JOB
        self.holder = ""
        self.reports: list[RunnerReport] = []

    async def take(self, runner: str) -> RunnerJob | None:
        job, self.job = self.job, None
        self.holder = runner if job is not None else self.holder
        return job

    async def report(self, runner: str, report: RunnerReport) -> bool:
        mine = runner == self.holder and report.ticket == JOB.ticket
        if mine:
            self.reports.append(report)
            self.holder = ""
        return mine


class FarRunner:
    """A runner that signs what it sends."""

    def __init__(self, house: House, desk: ScriptedDesk) -> None:
        self.house = house
        self.desk = desk
        self.count = 0

    async def send(self, path: str, body: Any, /, **changed: Any) -> httpx.Response:
        self.count += 1
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = {
            "secret": SECRET,
            "key_id": RUNNER,
            "timestamp": str(self.house.clock.ns // SECOND_NS),
            "nonce": f"nonce-{self.count:04}",
            "path": path,
            "signed": content,
        } | changed
        signature = sign_request(
            said["secret"], "POST", said["path"], said["timestamp"], said["nonce"], said["signed"]
        )
        headers = {
            "Content-Type": "application/json",
            "X-Key-Id": said["key_id"],
            "X-Timestamp": said["timestamp"],
            "X-Nonce": said["nonce"],
            "X-Signature": signature,
        }
        return await self.house.client.post(path, content=content, headers=headers)


@pytest.fixture
async def runner() -> AsyncIterator[FarRunner]:
    desk = ScriptedDesk()
    async with open_house(service_keys=service_keys) as house:
        house.context.runners._keys = runner_keys
        house.context.runner_desk = desk
        await house.open_for_trade()
        yield FarRunner(house, desk)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_job_is_given_and_reported(runner: FarRunner) -> None:
    answer = await runner.send(ASK, {})
    assert answer.status_code == 200, answer.text
    job = answer.json()["job"]
    assert (job["ticket"], job["url"], job["links"]) == (JOB.ticket, JOB.url, False)
    assert job["source"]["url"] == SOURCE.url
    assert (await runner.send(ASK, {})).json() == {"job": None}
    answer = await runner.send(REPORT, GOOD)
    assert (answer.status_code, answer.json()) == (202, {"ticket": JOB.ticket})
    (told,) = runner.desk.reports
    assert (told.url, told.status, told.problem) == (JOB.url, 200, "")
    assert [(one.title, one.text) for one in told.items] == [("Rain", "It rains.")]
    assert refusal(await runner.send(REPORT, GOOD)) == (404, "not_found")


@pytest.mark.parametrize("path", [ASK, REPORT])
async def test_who_is_no_runner_is_told_nothing(runner: FarRunner, path: str) -> None:
    body = GOOD if path == REPORT else {}
    late = str(runner.house.clock.ns // SECOND_NS - SERVICE_CLOCK_S - 1)
    other = REPORT if path == ASK else ASK
    cases: list[tuple[dict[str, Any], str]] = [
        ({"secret": FOREIGN}, "bad_signature"),
        ({"key_id": "nobody"}, "bad_signature"),
        # a program that may have pages fetched may not say what they hold
        ({"key_id": "robot", "secret": FOREIGN}, "bad_signature"),
        ({"path": other}, "bad_signature"),
        ({"signed": b"{ }"}, "bad_signature"),
        ({"nonce": "short"}, "bad_signature"),
        ({"key_id": ""}, "bad_signature"),
        ({"timestamp": "soon"}, "bad_signature"),
        ({"timestamp": late}, "wrong_time"),
    ]
    for changed, code in cases:
        answer = await runner.send(path, body, **changed)
        assert refusal(answer) == (401, code), changed
    assert runner.desk.job is JOB and runner.desk.reports == []


async def test_a_request_is_taken_once(runner: FarRunner) -> None:
    await runner.send(ASK, {}, nonce="used-up-1")
    assert refusal(await runner.send(ASK, {}, nonce="used-up-1")) == (401, "nonce_used")
    await runner.send(REPORT, GOOD, nonce="used-up-2")
    assert refusal(await runner.send(REPORT, GOOD, nonce="used-up-2")) == (401, "nonce_used")
    assert len(runner.desk.reports) == 1


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"ticket": "8" * 32}, (404, "not_found")),
        ({"ticket": "nonsense"}, (422, "bad_input")),
        ({"url": "file:///etc/passwd"}, (422, "bad_input")),
        ({"problem": "given_up", "items": []}, (422, "bad_input")),
        ({"items": [{**GOOD["items"][0], "title": "Sun"}]}, (422, "bad_input")),
        ({"items": [{**GOOD["items"][0], "text": "two\nlines"}]}, (422, "bad_input")),
        ({"items": GOOD["items"] * 201}, (422, "bad_input")),
        ({"html": "<script>"}, (422, "bad_input")),
    ],
)
async def test_a_report_that_does_not_hold_is_refused(
    runner: FarRunner, fields: dict[str, Any], refused: tuple[int, str]
) -> None:
    await runner.send(ASK, {})
    assert refusal(await runner.send(REPORT, GOOD | fields)) == refused
    assert runner.desk.reports == []
    assert (await runner.send(REPORT, GOOD)).status_code == 202, "the job is still its own"


async def test_bodies_are_bounded(runner: FarRunner) -> None:
    long = json.dumps(GOOD | {"detail": "x" * MAX_BODY_BYTES}).encode()
    assert refusal(await runner.send(REPORT, long)) == (413, "too_large")


async def test_one_runner_asks_so_often(runner: FarRunner) -> None:
    answers = [
        (await runner.send(ASK, {})).status_code for _ in range(RUNNER_REQUESTS_PER_MINUTE + 5)
    ]
    assert answers == [200] * RUNNER_REQUESTS_PER_MINUTE + [503] * 5


async def test_a_venue_without_a_desk_says_so() -> None:
    async with open_house() as house:
        house.context.runners._keys = runner_keys
        await house.open_for_trade()
        far = FarRunner(house, ScriptedDesk())
        assert refusal(await far.send(ASK, {})) == (503, "log_unavailable")
        assert refusal(await far.send(REPORT, GOOD)) == (503, "log_unavailable")
