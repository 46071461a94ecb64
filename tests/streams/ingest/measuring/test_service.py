"""The whole measurer on a real server, and a kill in the middle of its work."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from schemas.errors import ModelMismatch
from schemas.observations import SignalsMeasured, is_measured_text
from streams.ingest.jobs.services import bus
from streams.ingest.measuring.article_analyzer import Tools
from streams.ingest.measuring.measurer import MeasuringService, load
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog
from tests.streams.ingest.measuring.world import article, listed, measured, observed, record, tools
from tests.support.nats import TestServer, nats_server

WITHIN_S = 30


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    async with nats_server(tmp_path) as it:
        yield it


@pytest.fixture
async def log(server: TestServer) -> AsyncIterator[NatsLog]:
    it = await server.connect("world")
    yield it
    await it.close()


@contextlib.asynccontextmanager
async def working(
    server: TestServer, what: Callable[[], Tools] = tools
) -> AsyncIterator[MeasuringService]:
    """Run a measurer, and stop it as a process is stopped."""
    stop = asyncio.Event()
    log = await server.connect("measurer")
    service = MeasuringService(log, SystemClock(), what, ack_wait_s=3)
    async with bus(server.url, name="measurer") as connection:
        running = asyncio.create_task(service.run(connection, stop))
        try:
            yield service
        finally:
            stop.set()
            async with asyncio.timeout(WITHIN_S):
                await running
            await log.close()


async def signals(log: NatsLog, count: int) -> list[SignalsMeasured]:
    """Return the signals on the log once there are `count`."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            end = await log.last_sequence()
            found = measured([await log.get(number) for number in range(1, end + 1)])
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def test_articles_are_measured_as_they_come(server: TestServer, log: NatsLog) -> None:
    await log.append_batch([record(listed()), *observed(article(), article("short", ""))])
    async with working(server) as service:
        first = await signals(log, 2)
        await log.append_batch(observed(article()))
        (third,) = (await signals(log, 3))[2:]
        assert service.status()["measured"] == 3
    assert [one.unfit for one in first] == ["", "too_short"]
    assert [one.article for one in third.neighbours] == [2]
    async with working(server):
        await log.append_batch(observed(article("Acme is sued by its own shareholders on Monday")))
        assert len(await signals(log, 4)) == 4
    stored = [await log.get(number) for number in range(1, await log.last_sequence() + 1)]
    texts = [one for one in stored if one is not None and is_measured_text(one.payload)]
    assert len(texts) == 1, "a market's text is measured once, also after a start"


async def test_a_wrong_model_stops_it_with_a_reason(server: TestServer, log: NatsLog) -> None:
    def wrong() -> Tools:
        raise ModelMismatch("the model is another")

    service = MeasuringService(log, SystemClock(), wrong)
    async with bus(server.url, name="measurer") as connection:
        with pytest.raises(ModelMismatch):
            await service.run(connection, asyncio.Event())
    assert service.status() == {"phase": "loading"}


@pytest.mark.slow
async def test_the_real_models_find_the_same_story(server: TestServer, log: NatsLog) -> None:
    told = [
        article("Acme recalls 40,000 cars over faulty brakes", "The company warned on Monday."),
        article("Faulty brakes: Acme calls back 40,000 cars", "A warning came on Monday."),
        article("Acme opens a museum of art in the old harbour", "The mayor was there."),
    ]
    await log.append_batch([record(listed()), *observed(*told)])
    async with working(server, load):
        first, second, third = await signals(log, 3)
    assert [one.unfit for one in (first, second, third)] == ["", "", ""]
    assert [one.article for one in second.neighbours] == [2]
    assert second.neighbours[0].similarity_bp > 7_800
    assert third.neighbours == []
    assert first.sentiment_bp < third.sentiment_bp
    assert first.keywords_bp < 0


async def grown(log: NatsLog, sequence: int) -> None:
    """Wait until the log reaches `sequence`."""
    async with asyncio.timeout(WITHIN_S):
        while await log.last_sequence() < sequence:  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_a_kill_loses_nothing_and_doubles_nothing(server: TestServer, log: NatsLog) -> None:
    count = 60
    given = observed(*(article(f"Acme number {number} soars") for number in range(count)))
    last = await log.append_batch([record(listed()), *given])
    for goal, end in ((20, signal.SIGKILL), (40, signal.SIGKILL), (count, signal.SIGTERM)):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.streams.ingest.measuring.slow_measurer", server.url
        )
        await grown(log, last + goal)
        process.send_signal(end)
        await process.wait()
    by_article = sorted(one.article for one in await signals(log, count))
    assert by_article == list(range(2, last + 1))
