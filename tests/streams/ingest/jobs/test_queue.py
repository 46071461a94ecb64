"""The work queue on a real nats-server: full, repeated, away."""

import asyncio
from pathlib import Path

import pytest
from nats.js.api import RetentionPolicy, StreamConfig

from schemas.errors import AppendFailed, AppendUnknown, LogUnavailable
from schemas.jobs import FetchSource
from streams.ingest.jobs.queue import NatsJobQueue, NoJobQueue
from streams.log import nats_client
from tests.support.nats import nats_server
from tests.support.ports import free_port

CONFIG = StreamConfig(
    name="JOBS_main",
    subjects=["jobs.main.>"],
    retention=RetentionPolicy.WORK_QUEUE,
    max_msgs=2,
    discard="new",  # type: ignore[arg-type]
    duplicate_window=60,
)


def job(due_ns: int) -> FetchSource:
    return FetchSource(source="wire", due_ns=due_ns)


async def test_the_real_queue(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        client = await nats_client.connect(server.url, name="asker")
        jobs = NatsJobQueue(client, "main")
        with pytest.raises(LogUnavailable):
            await jobs.put("page", job(0), "a:0")
        await client.jetstream().add_stream(CONFIG)
        await jobs.put("page", job(1), "a:1")
        await jobs.put("page", job(1), "a:1")
        await jobs.put("source", job(1), "a:1")
        assert (await client.jetstream().stream_info("JOBS_main")).state.messages == 2
        assert await jobs.waiting() == {"source": 1, "page": 1, "browser": 0}
        with pytest.raises(AppendFailed):
            await jobs.put("page", job(3), "a:3")
        await server.kill9()
        with pytest.raises(LogUnavailable):
            await jobs.waiting()
        with pytest.raises((LogUnavailable, AppendUnknown)):
            async with asyncio.timeout(20):
                await jobs.put("page", job(4), "a:4")
        await server.start()
        await client.close()


async def test_no_server_within_the_bound_is_an_operating_error() -> None:
    with pytest.raises(LogUnavailable):
        await nats_client.connect(f"nats://127.0.0.1:{free_port()}", name="asker", within_s=0.2)


async def test_no_queue_refuses() -> None:
    with pytest.raises(LogUnavailable):
        await NoJobQueue().put("page", job(0))
