"""The services on a real nats-server: at least once, put off, given back, never lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from nats.js.api import RetentionPolicy, StreamConfig

from schemas.errors import AppendFailed, BrokenInvariant, LogUnavailable
from streams.ingest import limits
from streams.ingest.jobs.services import (
    DONE,
    Bus,
    Consumer,
    Delivery,
    Later,
    Verdict,
    backoff_s,
    bus,
)
from streams.log.nats_client import store
from tests.support.nats import TestServer, nats_server
from tests.support.ports import free_port

STREAM, SUBJECT = "JOBS_main", "jobs.main.source"
WITHIN_S = 20


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    async with nats_server(tmp_path) as it:
        async with bus(it.url, name="operator") as operator:
            await operator.client.jetstream().add_stream(
                StreamConfig(
                    name=STREAM,
                    subjects=["jobs.main.*"],
                    retention=RetentionPolicy.WORK_QUEUE,
                    max_msgs=50,
                    discard="new",  # type: ignore[arg-type]
                )
            )
        yield it


def consumer(ack_wait_s: int = 5) -> Consumer:
    return Consumer(stream=STREAM, durable="worker", subject=SUBJECT, ack_wait_s=ack_wait_s)


async def left(one: Bus) -> int:
    return (await one.client.jetstream().stream_info(STREAM)).state.messages


async def emptied(one: Bus) -> None:
    """Wait until all is done: acks are on their way while a service ends."""
    async with asyncio.timeout(WITHIN_S):
        while await left(one):  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(0.01)


class Served:
    """Serves until as many verdicts were given as there are in the script."""

    def __init__(self, script: list[Verdict | Exception]) -> None:
        self.script = script
        self.seen: list[Delivery] = []
        self.stop = asyncio.Event()

    async def handle(self, delivery: Delivery) -> Verdict:
        self.seen.append(delivery)
        verdict = self.script.pop(0)
        if not self.script:
            self.stop.set()
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    async def run(self, server: TestServer, at_once: int = 1) -> None:
        async with bus(server.url, name="worker") as it:
            it.consume(consumer(), self.handle, at_once=at_once)
            async with asyncio.timeout(WITHIN_S):
                await it.serve(self.stop)


async def test_a_message_is_handled_once_and_gone(server: TestServer) -> None:
    async with bus(server.url, name="sender") as sender:
        await store(sender.client, STREAM, SUBJECT, b"one")
        served = Served([DONE])
        await served.run(server)
        assert [(one.subject, one.payload, one.attempt) for one in served.seen] == [
            (SUBJECT, b"one", 1)
        ]
        await emptied(sender)


async def test_a_message_put_off_comes_again_and_counts_its_attempts(server: TestServer) -> None:
    async with bus(server.url, name="sender") as sender:
        await store(sender.client, STREAM, SUBJECT, b"one")
        served = Served([Later(0.05), Later(0), DONE])
        await served.run(server, at_once=4)
        assert [one.attempt for one in served.seen] == [1, 2, 3]
        await emptied(sender)


@pytest.mark.parametrize("error", [LogUnavailable("away"), ValueError("a bug")])
async def test_what_failed_comes_again(
    server: TestServer, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.ingest.jobs.services.backoff_s", lambda attempt: 0.05)
    async with bus(server.url, name="sender") as sender:
        await store(sender.client, STREAM, SUBJECT, b"one")
        served = Served([error, DONE])
        await served.run(server)
        assert [one.attempt for one in served.seen] == [1, 2]
        await emptied(sender)


async def test_a_halt_ends_the_service_and_keeps_the_message(server: TestServer) -> None:
    async with bus(server.url, name="sender") as sender:
        await store(sender.client, STREAM, SUBJECT, b"one")
        served = Served([BrokenInvariant("no"), DONE])
        with pytest.raises(BrokenInvariant):
            await served.run(server)
        assert await left(sender) == 1


async def test_signs_of_life_keep_a_slow_message_from_being_handed_out_again(
    server: TestServer,
) -> None:
    seen: list[Delivery] = []
    stop = asyncio.Event()

    async def slow(delivery: Delivery) -> Verdict:
        seen.append(delivery)
        await asyncio.sleep(2.5)
        stop.set()
        return DONE

    async with bus(server.url, name="worker") as it:
        await store(it.client, STREAM, SUBJECT, b"one")
        it.consume(consumer(ack_wait_s=1), slow, at_once=2)
        async with asyncio.timeout(WITHIN_S):
            await it.serve(stop)
    assert len(seen) == 1


async def test_many_at_once_but_no_more(server: TestServer) -> None:
    stop, at_work, most, done = asyncio.Event(), 0, 0, 0

    async def work(delivery: Delivery) -> Verdict:
        nonlocal at_work, most, done
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.05)
        at_work -= 1
        done += 1
        if done == 20:
            stop.set()
        return DONE

    async with bus(server.url, name="worker") as it:
        for number in range(20):
            await store(it.client, STREAM, SUBJECT, b"%d" % number)
        it.consume(consumer(), work, at_once=4)
        async with asyncio.timeout(WITHIN_S):
            await it.serve(stop)
    assert 1 < most <= 4


async def test_batches_come_in_order_and_are_done_together(server: TestServer) -> None:
    stop = asyncio.Event()
    seen: list[bytes] = []

    async def batch(given: Sequence[Delivery]) -> Verdict:
        assert len(given) <= 8
        seen.extend(one.payload for one in given)
        if len(seen) == 20:
            stop.set()
        return DONE

    async with bus(server.url, name="worker") as it:
        for number in range(20):
            await store(it.client, STREAM, SUBJECT, b"%d" % number)
        it.consume_batches(consumer(), batch, size=8, linger_s=0.05)
        async with asyncio.timeout(WITHIN_S):
            await it.serve(stop)
        assert seen == [b"%d" % number for number in range(20)]
    async with bus(server.url, name="sender") as sender:
        await emptied(sender)


async def test_a_batch_that_failed_comes_again_whole(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.ingest.jobs.services.backoff_s", lambda attempt: 0.05)
    stop = asyncio.Event()
    done: list[bytes] = []

    async def batch(given: Sequence[Delivery]) -> Verdict:
        if any(one.attempt == 1 for one in given):
            raise ValueError("a bug")
        done.extend(one.payload for one in given)
        if len(done) == 3:
            stop.set()
        return DONE

    async with bus(server.url, name="worker") as it:
        for number in range(3):
            await store(it.client, STREAM, SUBJECT, b"%d" % number)
        it.consume_batches(consumer(), batch, size=8, linger_s=0.05)
        async with asyncio.timeout(WITHIN_S):
            await it.serve(stop)
    assert sorted(done) == [b"0", b"1", b"2"]


async def test_the_same_id_is_stored_once_and_a_full_queue_refuses(server: TestServer) -> None:
    async with bus(server.url, name="sender") as sender:
        for _ in range(3):
            await store(sender.client, STREAM, SUBJECT, b"one", "source@1")
        assert await left(sender) == 1
        for number in range(49):
            await store(sender.client, STREAM, SUBJECT, b"%d" % number)
        with pytest.raises(AppendFailed):
            await store(sender.client, STREAM, SUBJECT, b"too much")


async def test_publishing_to_no_stream_is_an_operating_error(server: TestServer) -> None:
    async with bus(server.url, name="sender") as sender:
        with pytest.raises((LogUnavailable, AppendFailed)):
            await store(sender.client, "JOBS_other", "jobs.other.source", b"")


async def test_no_broker_is_an_operating_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.ingest.jobs.services.CONNECT_ATTEMPTS", 1)
    with pytest.raises(LogUnavailable):
        async with bus(f"nats://127.0.0.1:{free_port()}", name="worker"):
            pass


async def test_a_consumer_that_the_server_lost_is_made_again(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.ingest.jobs.services.CONSUMER_CHECK_S", 0.1)
    served = Served([DONE])
    async with bus(server.url, name="operator") as operator:
        serving = asyncio.create_task(served.run(server))
        js = operator.client.jetstream()
        async with asyncio.timeout(WITHIN_S):
            while not await js.consumers_info(STREAM):  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.01)
        await js.delete_consumer(STREAM, "worker")
        await store(operator.client, STREAM, SUBJECT, b"one")
        await serving
    assert len(served.seen) == 1


async def test_a_killed_server_ends_in_an_operating_error(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.ingest.jobs.services.CONNECT_ATTEMPTS", 2)
    monkeypatch.setattr("streams.ingest.jobs.services.CONNECT_PAUSE_S", 0.05)
    stop = asyncio.Event()
    async with bus(server.url, name="worker") as it:
        it.consume(consumer(), Served([]).handle)
        serving = asyncio.create_task(it.serve(stop))
        await store(it.client, STREAM, "jobs.main.page", b"")  # the connection works
        await server.kill9()
        with pytest.raises(LogUnavailable):
            async with asyncio.timeout(WITHIN_S):
                await serving


@pytest.mark.parametrize(
    ("attempt", "wait_s"), [(1, 5), (2, 10), (3, 20), (1_000, limits.SERVICE_BACKOFF_MAX_S)]
)
def test_backoff_doubles_within_its_bound(attempt: int, wait_s: float) -> None:
    assert backoff_s(attempt) == wait_s
