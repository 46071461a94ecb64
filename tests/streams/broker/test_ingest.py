"""Ingest's processes at work with nothing but their own permissions, on a real server."""

import asyncio
import json
from typing import Any

import pytest
from nats.js.client import JetStreamContext

from schemas import subjects
from streams.broker import roles
from streams.ingest.jobs.services import DONE, Consumer, Delivery, Later, Verdict, bus
from tests.streams.broker.venue import SHARD, BrokerVenue, Dialled

DENIED = "Permissions Violation for Publish"
LOG, JOBS = subjects.log_stream(SHARD), subjects.jobs_stream(SHARD)


async def pulled(connection: Dialled, stream: str, durable: str, subject: str) -> Any:
    """Make `durable`, as nats-py does it for FastStream, and bind to it."""
    inbox = bytes(connection.client._inbox_prefix) + b"."
    return await connection.client.jetstream(timeout=2).pull_subscribe(
        subject, durable=durable, stream=stream, inbox_prefix=inbox
    )


async def put(connection: Dialled, subject: str, payload: bytes, **headers: str) -> None:
    assert "error" not in await connection.ask(subject, payload, headers)


@pytest.mark.parametrize(
    ("asker", "kind", "worker"),
    [
        ("scheduler", "source", "fetcher"),
        ("gateway", "page", "fetcher"),
        ("fetcher", "page", "fetcher"),
        ("scheduler", "browser", "browser"),
        ("fetcher", "browser", "browser"),
    ],
)
async def test_a_job_goes_from_who_asks_to_who_does_it(
    venue: BrokerVenue, asker: str, kind: str, worker: str
) -> None:
    subject = subjects.jobs(SHARD, kind)
    async with venue.service(asker) as one, venue.service(worker) as other:
        await put(one, subject, b"do it")
        waiting = await pulled(other, JOBS, kind, subject)
        (job,) = await waiting.fetch(1, timeout=2)
        assert job.data == b"do it"
        await job.ack_sync(timeout=2)
        assert await other.sync() == []
        info = await other.ask(f"$JS.API.STREAM.INFO.{JOBS}", b"")
    assert info["state"]["messages"] == 0


async def test_a_job_that_is_asked_for_twice_waits_once(venue: BrokerVenue) -> None:
    async with venue.service("scheduler") as scheduler:
        subject = subjects.jobs(SHARD, "source")
        for _ in range(2):
            await put(scheduler, subject, b"x", **{"Nats-Msg-Id": "daily@1"})
        info = await scheduler.ask(f"$JS.API.STREAM.INFO.{JOBS}", b"")
        assert info["state"]["messages"] == 1
    async with venue.service("fetcher") as fetcher:
        (job,) = await (await pulled(fetcher, JOBS, "source", subject)).fetch(1, timeout=2)
        await job.ack_sync(timeout=2)


@pytest.mark.parametrize(
    ("role", "asker", "stream", "durable", "subject"),
    [
        ("fetcher", "scheduler", JOBS, "source", subjects.jobs(SHARD, "source")),
        ("fetcher", "gateway", JOBS, "page", subjects.jobs(SHARD, "page")),
        ("browser", "fetcher", JOBS, "browser", subjects.jobs(SHARD, "browser")),
        ("measurer", "gateway", LOG, "measurer", subjects.articles(SHARD)),
        ("llm", "engine-reality", LOG, "llm", subjects.events(SHARD, subjects.REALITY)),
    ],
)
async def test_the_services_need_no_more_than_their_role(
    venue: BrokerVenue, role: str, asker: str, stream: str, durable: str, subject: str
) -> None:
    """Create, pull, say a sign of life, put off and ack, as FastStream does all of it."""
    async with venue.service(asker) as one:
        await put(one, subject, b"the last one")
    attempts: list[int] = []
    stop = asyncio.Event()

    async def handle(delivery: Delivery) -> Verdict:
        if delivery.payload != b"the last one":
            return DONE
        attempts.append(delivery.attempt)
        if delivery.attempt == 1:
            await asyncio.sleep(0.5)  # longer than a third of the wait for its ack
            return Later(0.0)
        stop.set()
        return DONE

    seed, inbox = venue.keyring.seed(role), roles.inbox(role)
    consumer = Consumer(stream=stream, durable=durable, subject=subject, ack_wait_s=1)
    async with bus(venue.server.url, name=role, seed=seed, inbox_prefix=inbox) as served:
        served.consume(consumer, handle)
        async with asyncio.timeout(10):
            await served.serve(stop)
    assert attempts == [1, 2]
    async with venue.service(role) as again:
        info = await again.ask(f"$JS.API.CONSUMER.INFO.{stream}.{durable}", b"")
    assert (info["num_ack_pending"], info["num_pending"]) == (0, 0)


@pytest.mark.parametrize(
    ("role", "source", "subject"),
    [
        ("measurer", "fetcher", subjects.articles(SHARD)),
        ("llm", "engine-reality", subjects.events(SHARD, subjects.REALITY)),
    ],
)
async def test_a_place_on_the_log_is_remembered(
    venue: BrokerVenue, role: str, source: str, subject: str
) -> None:
    async with venue.service(source) as one:
        await put(one, subject, b"first")
        await put(one, subject, b"second")
    async with venue.service(role) as reader:
        messages = await (await pulled(reader, LOG, role, subject)).fetch(2, timeout=2)
        assert [message.data for message in messages] == [b"first", b"second"]
        await messages[0].ack_sync(timeout=2)
        await messages[1].nak()
    async with venue.service(role) as reader:
        (again,) = await (await pulled(reader, LOG, role, subject)).fetch(1, timeout=2)
        assert again.data == b"second"
        await again.ack_sync(timeout=2)
        assert await reader.sync() == []


def published(subject: str, payload: str) -> str:
    """Return the protocol line of a message; a client may send it later than it says."""
    return f"PUB {subject} {len(payload)}\r\n{payload}"


async def made(venue: BrokerVenue) -> dict[str, Any]:
    """Return the measurer's consumer, made now if need be."""
    async with venue.service("measurer") as measurer:
        await pulled(measurer, LOG, "measurer", subjects.articles(SHARD))
        return await measurer.ask(f"$JS.API.CONSUMER.INFO.{LOG}.measurer", b"")


@pytest.mark.parametrize("role", sorted({"llm", "fetcher", "gateway", "replay", "engine-pricing"}))
async def test_nobody_moves_or_empties_another_ones_consumer(venue: BrokerVenue, role: str) -> None:
    before = await made(venue)
    config = before["config"] | {"max_ack_pending": 1, "filter_subject": "main.evt.*"}
    change = json.dumps({"stream_name": LOG, "config": config})
    api = "$JS.API.CONSUMER"
    async with venue.raw(venue.keyring.seed(role), role) as stranger:
        for subject, payload in (
            (f"{api}.CREATE.{LOG}.measurer", change),
            (f"{api}.CREATE.{LOG}.measurer.main.evt.*", change),
            (f"{api}.DELETE.{LOG}.measurer", ""),
            (f"{api}.MSG.NEXT.{LOG}.measurer", "5"),
            (f"$JS.ACK.{LOG}.measurer.1.1.1.1.0", "+ACK"),
        ):
            assert DENIED in await stranger.said(published(subject, payload)), subject
        # under a name of its own it may, and the server sees that it is not the config's
        assert await stranger.said(published(f"{api}.CREATE.{LOG}.x", change)) == ""
    after = await made(venue)
    assert (after["config"], after["created"]) == (before["config"], before["created"])
    assert after["ack_floor"] == before["ack_floor"]
    assert after["num_ack_pending"] == before["num_ack_pending"]


async def test_a_worker_gets_no_other_jobs_than_its_own(venue: BrokerVenue) -> None:
    """The server compares the filter with the one that the permission names."""
    wanted = {"name": "page", "durable_name": "page", "ack_policy": "explicit"}
    subject = f"$JS.API.CONSUMER.CREATE.{JOBS}.page.jobs.main.page"
    async with venue.service("fetcher") as fetcher:
        for taken in ("jobs.main.browser", "jobs.main.*", ""):
            body = {"stream_name": JOBS, "config": wanted | {"filter_subject": taken}}
            answer = await fetcher.ask(subject, json.dumps(body).encode())
            assert "error" in answer, taken


async def raw(connection: Dialled) -> Any:
    js: JetStreamContext = connection.client.jetstream(timeout=2)
    return await js.object_store(subjects.raw_bucket(SHARD))


@pytest.mark.parametrize("role", ["fetcher", "browser"])
async def test_raw_bytes_are_kept_by_who_fetched_them(venue: BrokerVenue, role: str) -> None:
    async with venue.service(role) as connection:
        store = await raw(connection)
        data = role.encode() * 100_000
        await store.put(role, data)
        info = await store.get_info(role)
        assert (info.size, info.chunks) == (len(data), -(-len(data) // (128 * 1024)))
        assert await connection.sync() == []


async def test_raw_bytes_of_one_fetch_are_not_purged_by_another(venue: BrokerVenue) -> None:
    """What is kept under a name stays until it expires: look before putting it again."""
    async with venue.service("fetcher") as fetcher:
        store = await raw(fetcher)
        await store.put("once", b"first")
        nuid = (await store.get_info("once")).nuid
        filtered = json.dumps({"filter": f"$O.raw-main.C.{nuid}"})
        purge = f"$JS.API.STREAM.PURGE.{subjects.raw_stream(SHARD)}"
        async with venue.raw(venue.keyring.seed("fetcher"), "fetcher") as by_hand:
            assert DENIED in await by_hand.said(published(purge, filtered))
        assert (await store.get_info("once")).nuid == nuid


async def test_every_owner_of_a_place_is_a_role_of_that_name() -> None:
    assert set(roles.LOG_DURABLES) <= {role.name for role in roles.services(SHARD)}
