"""POST /admin/retry-job: a person's signed word that a job is to be tried again."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from schemas import decisions, subjects
from schemas.articles import page
from schemas.codec import encode
from schemas.jobs import (
    AnyJob,
    FetchPage,
    FetchPage1,
    FetchSource,
    QueueName,
    RetryJob,
    job_name,
)
from schemas.limits import MAX_TITLE_CHARS, SERVICE_CLOCK_S
from schemas.observations import OBSERVATIONS, JobGivenUp, JobRetried
from schemas.signatures import verify
from schemas.units import SECOND_NS
from streams.gateway.limits import RETRIES_PER_MINUTE
from tests.streams.gateway.house import START_NS, House, Key, open_house
from tests.streams.gateway.test_services import ScriptedQueue

URL = "https://a.example/1"
JOB = job_name("wire", URL)
PAGE = FetchPage(
    source="wire", url=URL, title="Rain", language="en", published_ns=7, wanted_by="", asked_ns=1
)


class Office(NamedTuple):
    """A venue with an editor, and its work queue."""

    house: House
    queue: ScriptedQueue
    editor: Key

    async def give_up(self, job: AnyJob = PAGE, queue: QueueName = "page", url: str = URL) -> int:
        """Put a dead letter on the log and return its sequence."""
        letter = JobGivenUp(
            source="wire",
            url=url,
            job=job,
            queue=queue,
            attempts=5,
            reason="unreachable",
            detail="",
            status=0,
            given_up_ns=START_NS,
        )
        log = self.house.server.connect("fetcher")
        return await log.send(subjects.job_fates("main", "wire"), encode(letter))

    def retry(self, given_up: int, **fields: Any) -> RetryJob:
        told = RetryJob(
            venue_id=self.house.venue_id,
            job=JOB,
            given_up=given_up,
            reason="the site is back",
            client_time_ns=self.house.clock.ns,
        )
        return msgspec.structs.replace(told, **fields)

    async def send(self, retry: RetryJob, key: Key | None = None) -> httpx.Response:
        return await self.house.post("/admin/retry-job", (key or self.editor).action(retry))

    def retried(self) -> list[JobRetried]:
        found = [
            OBSERVATIONS.decode(message.payload)
            for message in self.house.server.messages()
            if ".obs-job." in message.subject
        ]
        return [one for one in found if isinstance(one, JobRetried)]


async def enrol(house: House, role: decisions.Role) -> Key:
    key = Key()
    decision = decisions.EnrolKey(**house.terms(), key=key.public, holder="Kim", role=role)
    assert (await house.act(decision)).status_code == 200
    return key


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    queue = ScriptedQueue()
    async with open_house(jobs=queue) as house:
        await house.open_for_trade()
        yield Office(house, queue, await enrol(house, "editor"))


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("queue", ["page", "browser"])
async def test_a_page_goes_back_into_its_queue_and_who_said_so_stands_on_the_log(
    office: Office, queue: QueueName
) -> None:
    given_up = await office.give_up(queue=queue)
    office.house.clock.ns += 5
    retry = office.retry(given_up)
    answer = await office.send(retry)
    assert answer.status_code == 202, answer.text
    sequence = answer.json()["sequence"]
    assert answer.json() == {"sequence": sequence, "job": JOB}
    put = office.queue.jobs[f"retry:{sequence}"]
    assert put == (queue, msgspec.structs.replace(PAGE, asked_ns=START_NS + 5))
    (said,) = office.retried()
    assert (said.source, said.url, said.given_up) == ("wire", URL, given_up)
    assert (said.reason, said.key) == ("the site is back", office.editor.public)
    assert said.body == encode(retry).decode()
    verify(said.key, said.body.encode(), said.signature)
    stored = office.house.server.get(sequence)
    assert stored is not None
    assert (stored.subject, stored.payload) == ("main.obs-job.wire", encode(said))


async def test_a_letter_of_an_earlier_release_is_tried_again_in_todays_words(
    office: Office,
) -> None:
    told = {name: getattr(PAGE, name) for name in FetchPage1.__struct_fields__}
    given_up = await office.give_up(FetchPage1(**told))
    answer = await office.send(office.retry(given_up))
    assert answer.status_code == 202, answer.text
    _, job = office.queue.jobs[f"retry:{answer.json()['sequence']}"]
    assert isinstance(job, FetchPage)
    assert (job.url, job.title, job.asked_ns, job.item) == (URL, "Rain", START_NS, page(URL))


async def test_a_poll_is_due_now(office: Office) -> None:
    given_up = await office.give_up(FetchSource(source="wire", due_ns=3), "source")
    answer = await office.send(office.retry(given_up))
    put = office.queue.jobs[f"retry:{answer.json()['sequence']}"]
    assert put == ("source", FetchSource(source="wire", due_ns=START_NS))


async def test_the_same_letter_may_be_retried_again_by_another_word(office: Office) -> None:
    given_up = await office.give_up()
    for _ in range(2):
        office.house.clock.ns += 1
        assert (await office.send(office.retry(given_up))).status_code == 202
    assert len(office.queue.jobs) == len(office.retried()) == 2


async def test_one_word_is_taken_once(office: Office) -> None:
    retry = office.retry(await office.give_up())
    assert (await office.send(retry)).status_code == 202
    assert refusal(await office.send(retry)) == (401, "nonce_used")
    office.house.clock.ns += (SERVICE_CLOCK_S + 1) * SECOND_NS
    assert refusal(await office.send(retry)) == (409, "stale")
    assert len(office.queue.jobs) == len(office.retried()) == 1


async def test_what_is_no_dead_letter_of_that_job_is_not_found(office: Office) -> None:
    given_up = await office.give_up()
    other = await office.give_up(url=URL + "0")
    for retry in (
        office.retry(1),
        office.retry(given_up + 1_000),
        office.retry(0),
        office.retry(other),
        office.retry(given_up, job="0" * 16),
    ):
        assert refusal(await office.send(retry)) == (404, "not_found")
    await office.send(office.retry(given_up))
    on_log = office.house.server.messages()[-1].sequence
    assert refusal(await office.send(office.retry(on_log))) == (404, "not_found")
    assert len(office.queue.jobs) == len(office.retried()) == 1


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"venue_id": "0" * 64}, (409, "wrong_venue")),
        ({"reason": ""}, (422, "bad_input")),
        ({"reason": "two\nlines"}, (422, "bad_input")),
        ({"reason": "x" * (MAX_TITLE_CHARS + 1)}, (422, "bad_input")),
        ({"client_time_ns": START_NS - (SERVICE_CLOCK_S + 1) * SECOND_NS}, (409, "stale")),
        (
            {"client_time_ns": START_NS + (SERVICE_CLOCK_S + 1) * SECOND_NS},
            (422, "from_the_future"),
        ),
    ],
)
async def test_a_word_that_does_not_hold_is_refused(
    office: Office, fields: dict[str, Any], refused: tuple[int, str]
) -> None:
    retry = office.retry(await office.give_up(), **fields)
    assert refusal(await office.send(retry)) == refused
    assert (office.queue.jobs, office.retried()) == ({}, [])


async def test_who_may_not_is_refused(office: Office) -> None:
    retry = office.retry(await office.give_up())
    viewer = await enrol(office.house, "viewer")
    assert refusal(await office.send(retry, viewer)) == (403, "role_too_low")
    assert refusal(await office.send(retry, Key())) == (403, "unknown_key")
    revoked = decisions.RevokeKey(**office.house.terms(), key=office.editor.public, reason="lost")
    assert (await office.house.act(revoked)).status_code == 200
    assert refusal(await office.send(retry)) == (403, "key_revoked")
    assert (office.queue.jobs, office.retried()) == ({}, [])


async def test_a_text_that_is_nearly_right_is_refused(office: Office) -> None:
    retry = office.retry(await office.give_up())
    good = office.editor.action(retry)
    spaced = good["body"].replace(",", ", ")
    cases: list[tuple[dict[str, str], tuple[int, str]]] = [
        ({"signature": office.house.root.sign(b"another text")}, (401, "bad_signature")),
        ({"body": good["body"].replace("back", "gone")}, (401, "bad_signature")),
        (
            {"body": spaced, "signature": office.editor.sign(spaced.encode())},
            (422, "not_canonical"),
        ),
        ({"body": '{"type":"retry_job/2"}'}, (422, "unknown_message")),
        ({"body": "{}"}, (400, "malformed")),
    ]
    for changed, refused in cases:
        answer = await office.house.post("/admin/retry-job", good | changed)
        assert refusal(answer) == refused, changed
    assert (office.queue.jobs, office.retried()) == ({}, [])


async def test_a_full_queue_is_said_and_another_word_may_follow(office: Office) -> None:
    given_up = await office.give_up()
    office.queue.full = True
    assert refusal(await office.send(office.retry(given_up))) == (503, "busy")
    office.queue.full = False
    office.house.clock.ns += 1
    assert (await office.send(office.retry(given_up))).status_code == 202
    assert len(office.queue.jobs) == 1


async def test_one_key_writes_a_bounded_number_onto_the_log(office: Office) -> None:
    given_up = await office.give_up()
    answers = []
    for number in range(RETRIES_PER_MINUTE + 10):
        retry = office.retry(given_up, reason=f"again {number}")
        answers.append((await office.send(retry)).status_code)
    assert answers == [202] * RETRIES_PER_MINUTE + [503] * 10
    assert len(office.retried()) == RETRIES_PER_MINUTE
