"""The FEED on a real nats-server: the same contract, and the server killed on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from projections.feeds.channels import PROGRESS, WRITER
from projections.feeds.nats_feed import NatsFeed
from projections.feeds.outbox import decode_progress
from projections.feeds.ports import FeedLog
from projections.feeds.process import Feeds
from projections.feeds.reader import open_channels
from schemas.errors import AppendFailed, Fenced
from schemas.feed import Envelope, decode_envelope
from schemas.limits import MAX_ATOMIC_BATCH
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog
from tests.projections.feeds.simulated_feed import SimulatedFeed, feed_server
from tests.projections.feeds.test_process import reference, some_history
from tests.support.nats import TestServer, nats_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    async with nats_server(tmp_path) as running:
        yield running


@pytest.fixture(params=["simulated", "real"])
async def feed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FeedLog]:
    if request.param == "simulated":
        yield SimulatedFeed(feed_server())
        return
    async with nats_server(tmp_path) as running:
        connected = NatsFeed(await running.connect_feed())
        yield connected
        await connected.close()


A, B = "feed.main.public.markets", "feed.main.public.audit"


async def test_a_batch_is_stored_whole_and_in_order(feed: FeedLog) -> None:
    epoch = await feed.acquire_lease(b"one")
    assert epoch == 1
    await feed.publish([(A, b"1"), (B, b"2"), (A, b"3")], epoch)
    assert await feed.last_sequence() == 4
    assert await feed.last(A) == (4, A, b"3")
    assert await feed.last_of([B, "feed.main.none", A]) == [(3, B, b"2"), (4, A, b"3")]
    assert await feed.first_from(A, 0) == (2, A, b"1")
    assert await feed.first_from(A, 3) == (4, A, b"3")
    assert await feed.first_from(A, 5) is None
    reader = await feed.open_reader([A], 2)
    assert await reader.poll(10, 5) == [(4, A, b"3")]
    await reader.close()


async def test_a_lease_that_was_taken_over_stores_nothing(feed: FeedLog) -> None:
    old = await feed.acquire_lease(b"old")
    new = await feed.acquire_lease(b"new")
    with pytest.raises(Fenced):
        await feed.publish([(A, b"1"), (B, b"2")], old)
    await feed.publish([(A, b"3")], new)
    assert (await feed.last_sequence(), await feed.last(B)) == (3, None)


async def test_what_the_stream_does_not_take_is_refused_whole(feed: FeedLog) -> None:
    epoch = await feed.acquire_lease(b"one")
    with pytest.raises(AppendFailed):
        await feed.publish([(A, b"1"), ("main.evt.exchange", b"2")], epoch)
    with pytest.raises(AppendFailed):
        await feed.publish([(A, b"1")] * (MAX_ATOMIC_BATCH + 1), epoch)
    await feed.publish([(A, b"1")] * MAX_ATOMIC_BATCH, epoch)
    assert await feed.last_sequence() == 1 + MAX_ATOMIC_BATCH


async def _published(server: TestServer) -> list[Envelope]:
    client = await server.connect_feed("check")
    end = await client.last_sequence()
    reader = await client.open_reader(["feed.main.>"], 0)
    found: list[Envelope] = []
    at = 0
    while at < end:
        for message in await reader.poll(500, 5):
            at = message.sequence
            if message.subject.rpartition(".")[2] not in (PROGRESS, WRITER):
                found.append(decode_envelope(message.payload))
    await client.close()
    return found


async def _wait_for(server: TestServer, sequence: int) -> None:
    client = NatsFeed(await server.connect_feed("wait"))
    async with asyncio.timeout(60):
        while True:
            last = await client.last(f"feed.main.{PROGRESS}")
            if last is not None:
                done = decode_progress(last.payload)
                if done.complete and done.log_sequence == sequence:
                    break
            await asyncio.sleep(0.05)
    await client.close()


async def test_a_killed_server_costs_no_message_and_doubles_none(server: TestServer) -> None:
    log = some_history()
    wanted = await asyncio.to_thread(reference, log)
    history = [(message.subject, message.payload) for message in log.messages()]
    async with AsyncExitStack() as stack:

        async def closing(client: NatsLog) -> NatsLog:
            stack.push_async_callback(client.close)
            return client

        writer = await closing(await server.connect("engine"))
        client = await closing(await server.connect())
        feed = NatsFeed(await closing(await server.connect_feed()))
        feeds = Feeds(client, feed, SystemClock(), writer="one")
        task = asyncio.create_task(feeds.run())
        stack.callback(task.cancel)
        third = len(history) // 3
        for part in (history[:3], history[3:third], history[third:]):
            await writer.last_sequence()  # waits for the connection
            await writer.append_batch(part)
            await server.kill9()
            await server.start()
        await _wait_for(server, len(history))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await _published(server) == wanted
        reader = await open_channels(feed, ["market.TEST.depth"], [5])
        numbers = [decode_envelope(data).sequence_number for _, data in await reader.next(5)]
        assert numbers == list(range(6, 34))
        await reader.close()
