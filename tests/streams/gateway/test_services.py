"""POST /ingest: programs that sign with a secret, and jobs for the fetcher."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from schemas import articles, decisions
from schemas.errors import AppendFailed, BadSignature, LogUnavailable
from schemas.jobs import FetchPage, Job, QueueName
from schemas.limits import MAX_INGEST_BYTES, SERVICE_CLOCK_S
from schemas.services import Claim, ServiceSecret, sign_request
from schemas.sources import Source
from schemas.units import SECOND_NS
from streams.accounts.errors import NonceUsed, WrongTime
from streams.accounts.nonces import NoNonces
from streams.gateway.limits import NONCE_LIFE_S
from streams.gateway.routes import ingest
from streams.gateway.services import Services
from tests.simulated.nonces import SimulatedNonces
from tests.streams.gateway.house import START_NS, House, SetClock, open_house

PATH = "/api/v1/ingest"
SECRET = "s" * 64
FORMER = "f" * 64
HOUR_NS = 3_600 * SECOND_NS


def keys(key_id: str) -> Sequence[ServiceSecret]:
    """Return what is accepted for `robot`: SECRET, and FORMER for an hour more."""
    held = [ServiceSecret(SECRET, None), ServiceSecret(FORMER, START_NS + HOUR_NS)]
    return held if key_id == "robot" else []


class ScriptedQueue:
    """A work queue in a list, which drops an id that it has had."""

    def __init__(self) -> None:
        self.jobs: dict[str, tuple[str, Job]] = {}
        self.full = False

    async def put(self, queue: QueueName, job: Job, job_id: str = "") -> None:
        if self.full:
            raise AppendFailed("maximum messages exceeded")
        self.jobs.setdefault(job_id, (queue, job))


class Robot:
    """A program that signs what it sends."""

    def __init__(self, house: House, queue: ScriptedQueue) -> None:
        self.house = house
        self.queue = queue
        self.count = 0

    def headers(self, body: bytes, **changed: str) -> dict[str, str]:
        self.count += 1
        said = {
            "secret": SECRET,
            "key_id": "robot",
            "timestamp": str(self.house.clock.ns // SECOND_NS),
            "nonce": f"nonce-{self.count:04}",
            "method": "POST",
            "path": PATH,
        } | changed
        signature = sign_request(
            said["secret"], said["method"], said["path"], said["timestamp"], said["nonce"], body
        )
        return {
            "Content-Type": "application/json",
            "X-Key-Id": said["key_id"],
            "X-Timestamp": said["timestamp"],
            "X-Nonce": said["nonce"],
            "X-Signature": said.get("signature", signature),
        }

    async def ask(self, request: Any, **changed: str) -> httpx.Response:
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        return await self.send(body, self.headers(body, **changed))

    async def send(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return await self.house.client.post(PATH, content=body, headers=headers)


@pytest.fixture
async def robot() -> AsyncIterator[Robot]:
    """A program with a key, and a venue with one source of each kind."""
    queue = ScriptedQueue()
    async with open_house(jobs=queue, service_keys=keys) as house:
        await house.open_for_trade()
        for kind in ("rss", "browser"):
            url = f"https://{kind}.example/"
            added = Source(source=kind, name=kind, kind=kind, url=url)
            answer = await house.act(decisions.AddSource(**house.terms(), source=added))
            assert answer.status_code == 200, answer.text
        yield Robot(house, queue)


def page(**fields: Any) -> dict[str, Any]:
    return {"source": "rss", "url": "https://rss.example/1", "key": "k-1"} | fields


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_page_is_queued(robot: Robot) -> None:
    request = page(title="Rain", language="en", published_ns=7)
    answer = await robot.ask(request)
    assert (answer.status_code, answer.json()) == (202, {"job": "robot:k-1"})
    queue, job = robot.queue.jobs["asked:robot:k-1"]
    assert queue == "page"
    assert job == FetchPage(
        source="rss",
        url="https://rss.example/1",
        title="Rain",
        language="en",
        published_ns=7,
        wanted_by="robot",
        asked_ns=robot.house.clock.ns,
        item=articles.page("https://rss.example/1"),
    )


async def test_a_browsers_page_goes_the_same_way(robot: Robot) -> None:
    await robot.ask(page(source="browser", url="https://browser.example/1"))
    assert robot.queue.jobs["asked:robot:k-1"][0] == "page"


async def test_a_host_below_the_sources_own_is_its_site_too(robot: Robot) -> None:
    assert (await robot.ask(page(url="http://www.RSS.example:81/1"))).status_code == 202


async def test_the_same_key_is_one_job(robot: Robot) -> None:
    answers = [await robot.ask(page()) for _ in range(2)]
    assert [answer.json() for answer in answers] == [{"job": "robot:k-1"}] * 2
    assert len(robot.queue.jobs) == 1


async def test_a_full_queue_is_said_to_be_busy(robot: Robot) -> None:
    robot.queue.full = True
    assert refusal(await robot.ask(page())) == (503, "busy")


async def test_each_request_is_taken_once(robot: Robot) -> None:
    body = json.dumps(page()).encode()
    headers = robot.headers(body)
    assert (await robot.send(body, headers)).status_code == 202
    assert refusal(await robot.send(body, headers)) == (401, "nonce_used")


@pytest.mark.parametrize(
    "changed",
    [
        {"secret": "x" * 64},
        {"key_id": "nobody"},
        {"key_id": "../robot"},
        {"key_id": ""},
        {"method": "GET"},
        {"path": "/api/v1/reality/ingest"},
        {"nonce": "short"},
        {"nonce": "n" * 65},
        {"timestamp": "1e9"},
        {"timestamp": "-1"},
        {"signature": ""},
        {"signature": "0" * 64},
        {"signature": "\u00e9" * 64},
    ],
)
async def test_whoever_is_not_known_gets_one_answer(robot: Robot, changed: dict[str, str]) -> None:
    body = json.dumps(page()).encode()
    headers = robot.headers(body, **changed)
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = await robot.house.client.post(PATH, content=body, headers=raw)
    assert refusal(answer) == (401, "bad_signature")
    assert robot.queue.jobs == {}


async def test_every_byte_of_the_body_is_signed(robot: Robot) -> None:
    body = json.dumps(page()).encode()
    headers = robot.headers(body)
    assert refusal(await robot.send(body + b" ", headers)) == (401, "bad_signature")
    assert refusal(await robot.send(b"not json", headers)) == (400, "malformed")
    # what was refused used nothing up
    assert (await robot.send(body, headers)).status_code == 202


async def test_a_stranger_is_told_nothing_of_the_form(robot: Robot) -> None:
    assert refusal(await robot.ask({"nonsense": 1}, secret="x" * 64)) == (401, "bad_signature")
    assert refusal(await robot.ask({"nonsense": 1})) == (422, "bad_input")


@pytest.mark.parametrize("off_s", [SERVICE_CLOCK_S, -SERVICE_CLOCK_S])
async def test_the_clock_may_be_off_a_little(robot: Robot, off_s: int) -> None:
    now_s = robot.house.clock.ns // SECOND_NS
    assert (await robot.ask(page(), timestamp=str(now_s + off_s))).status_code == 202
    further = str(now_s + off_s + (1 if off_s > 0 else -1))
    assert refusal(await robot.ask(page(), timestamp=further)) == (401, "wrong_time")


async def test_a_rotated_secret_is_accepted_until_it_lapses(robot: Robot) -> None:
    assert (await robot.ask(page(), secret=FORMER)).status_code == 202
    robot.house.clock.ns += HOUR_NS
    assert refusal(await robot.ask(page(), secret=FORMER)) == (401, "bad_signature")
    assert (await robot.ask(page())).status_code == 202


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"source": "nobody"}, (404, "unknown_source")),
        ({"url": "ftp://rss.example/"}, (422, "bad_input")),
        ({"url": "https://rss.example/\u00e9"}, (422, "bad_input")),
        ({"url": "https://other.example/"}, (422, "bad_input")),
        ({"url": "https://rss.example.other/"}, (422, "bad_input")),
        ({"url": "https://xrss.example/"}, (422, "bad_input")),
        ({"title": "two\nlines"}, (422, "bad_input")),
        ({"language": "what?"}, (422, "bad_input")),
        ({"published_ns": 2**63}, (422, "bad_input")),
        ({"published_ns": "7"}, (422, "bad_input")),
        ({"key": "a b"}, (422, "bad_input")),
        ({"key": "a\r\nX: 1"}, (422, "bad_input")),
        ({"more": 1}, (422, "bad_input")),
    ],
)
async def test_bounds(robot: Robot, changed: dict[str, Any], expected: tuple[int, str]) -> None:
    assert refusal(await robot.ask(page(**changed))) == expected
    assert robot.queue.jobs == {}


async def test_too_large(robot: Robot) -> None:
    body = json.dumps(page()).encode()
    assert refusal(await robot.ask(body + b" " * MAX_INGEST_BYTES)) == (413, "too_large")


async def test_requests_are_metered_by_key(robot: Robot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "FETCHES_ASKED_PER_MINUTE", 1)
    assert (await robot.ask(page())).status_code == 202
    assert refusal(await robot.ask(page(key="k-2"))) == (503, "busy")


async def test_a_door_without_a_queue(market: House) -> None:
    assert market.context.jobs is not None
    job = FetchPage(
        source="rss", url="", title="", language="", published_ns=None, wanted_by="", asked_ns=0
    )
    with pytest.raises(LogUnavailable):
        await market.context.jobs.put("page", job, "a:b")


# -- the check itself ----------------------------------------------------------------


def claim(nonce: str, clock: SetClock, key_id: str = "robot") -> Claim:
    timestamp = str(clock.ns // SECOND_NS)
    return Claim(
        key_id, timestamp, nonce, sign_request(SECRET, "POST", PATH, timestamp, nonce, b"")
    )


async def test_a_nonce_is_of_its_key() -> None:
    clock = SetClock()
    nonces = SimulatedNonces(clock)
    assert await nonces.use("service", "robot\nfirst-00", 1)
    await Services(keys, clock, nonces).check("POST", PATH, claim("second-0", clock), b"")
    with pytest.raises(NonceUsed):
        await Services(keys, clock, nonces).check("POST", PATH, claim("second-0", clock), b"")
    with pytest.raises(NonceUsed):
        await Services(keys, clock, nonces).check("POST", PATH, claim("first-00", clock), b"")


async def test_no_request_is_taken_while_it_is_unknown_what_was_used() -> None:
    clock = SetClock()
    nonces = SimulatedNonces(clock)
    nonces.away = True
    with pytest.raises(LogUnavailable):
        await Services(keys, clock, nonces).check("POST", PATH, claim("first-00", clock), b"")
    with pytest.raises(LogUnavailable):
        await Services(keys, clock, NoNonces()).check("POST", PATH, claim("first-00", clock), b"")


async def test_a_nonce_outlives_its_request() -> None:
    """As long as a captured request is in time, its nonce is known."""
    assert NONCE_LIFE_S > 2 * SERVICE_CLOCK_S
    clock = SetClock()
    checked = Services(keys, clock, SimulatedNonces(clock))
    early = claim("captured", clock)
    clock.ns -= SERVICE_CLOCK_S * SECOND_NS
    await checked.check("POST", PATH, early, b"")
    clock.ns += 2 * SERVICE_CLOCK_S * SECOND_NS
    with pytest.raises(NonceUsed):
        await checked.check("POST", PATH, early, b"")
    clock.ns += SECOND_NS
    with pytest.raises(WrongTime):
        await checked.check("POST", PATH, early, b"")


async def test_the_secret_is_nowhere_in_a_refusal() -> None:
    clock = SetClock()
    with pytest.raises(BadSignature) as refused:
        await Services(keys, clock, SimulatedNonces(clock)).check(
            "POST", PATH, claim("captured", clock, "nobody"), b""
        )
    assert SECRET not in str(refused.value)
