"""The whole worker on a real server: what it says of itself, and that a kill loses nothing."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import encode
from schemas.observations import OBSERVATIONS, LlmAvailability, LlmCalled
from schemas.subjects import DEFAULT_SHARD, articles, events, llm
from schemas.units import SECOND_NS
from streams.broker import roles
from streams.ingest.asking.llm import LanguageModel, NoLlm
from streams.ingest.asking.model_file import NO_FILE, sha256_of
from streams.ingest.asking.service import (
    STOPPED,
    SWITCHED_OFF,
    AskingService,
    LlmSettings,
)
from streams.ingest.jobs.services import bus
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog, connect
from tests.streams.broker.venue import BrokerVenue
from tests.streams.ingest.asking.scripted import AskingWorld, ScriptedLlm, sensible
from tests.support.nats import TestServer, nats_server
from tests.support.waiting import wait_until

WITHIN_S = 30


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    async with nats_server(tmp_path) as it:
        yield it


@contextlib.asynccontextmanager
async def working(
    server: TestServer, log: NatsLog, load: Callable[[], LanguageModel | NoLlm]
) -> AsyncIterator[AskingService]:
    """Run a worker, and stop it as a process is stopped."""
    stop = asyncio.Event()
    service = AskingService(log, SystemClock(), load, ack_wait_s=3)
    async with bus(server.url, name="llm") as connection:
        running = asyncio.create_task(service.run(connection, stop))
        try:
            yield service
        finally:
            stop.set()
            async with asyncio.timeout(WITHIN_S):
                await running


async def observed(log: NatsLog) -> list[LlmCalled | LlmAvailability]:
    found = []
    for sequence in range(1, await log.last_sequence() + 1):
        stored = await log.get(sequence)
        if stored is not None and stored.subject == llm(DEFAULT_SHARD):
            observation = OBSERVATIONS.decode(stored.payload)
            assert isinstance(observation, LlmCalled | LlmAvailability)
            found.append(observation)
    return found


async def calls(log: NatsLog, count: int) -> list[LlmCalled]:
    """Return the answers on the log once there are `count`."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            found = [one for one in await observed(log) if isinstance(one, LlmCalled)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def modes(log: NatsLog, count: int) -> list[tuple[str, str]]:
    """Return what workers said of themselves once that is `count` things."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            said = [one for one in await observed(log) if isinstance(one, LlmAvailability)]
            if len(said) >= count:
                return [(one.mode, one.reason) for one in said]
            await asyncio.sleep(0.05)


def asking_world() -> tuple[AskingWorld, int]:
    """Return a world with one request that may be answered for two minutes from now."""
    world = AskingWorld()
    deadline_ns = time.time_ns() + 120 * SECOND_NS
    return world, world.request(world.article(), deadline_ns=deadline_ns)


@pytest.mark.long
async def test_a_real_model_answers(server: TestServer, terse: Path) -> None:
    log = await server.connect()
    world, request = asking_world()
    await world.copy(log)
    settings = LlmSettings(enabled=True, model=terse, sha256=sha256_of(terse))
    async with working(server, log, settings.load) as service:
        (called,) = await calls(log, 1)
        status = service.status()
        assert (status["mode"], status["model"]) == ("enabled", f"terse.gguf@{sha256_of(terse)}")
    assert (called.request, called.error) == (request, "")
    assert called.answer is not None
    assert called.model == status["model"]
    assert await modes(log, 2) == [("enabled", ""), ("disabled", STOPPED)]
    await log.close()


async def test_what_was_answered_is_not_asked_again_by_the_next(server: TestServer) -> None:
    log = await server.connect()
    world, first = asking_world()
    await world.copy(log)
    async with working(server, log, lambda: ScriptedLlm(sensible, after_s=0)):
        await calls(log, 1)
    second = (await log.last_sequence()) + 1
    record = world.server.get(first)
    assert record is not None
    model = ScriptedLlm(sensible, after_s=0)
    async with working(server, log, lambda: model):
        await modes(log, 3)
        await log.send(events(DEFAULT_SHARD, "reality"), record.payload)
        assert [one.request for one in await calls(log, 2)] == [first, second + 1]
    assert len(model.prompts) == 1
    assert model.closed
    await log.close()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (LlmSettings(enabled=False, model=Path("none.gguf"), sha256=None), SWITCHED_OFF),
        (LlmSettings(enabled=True, model=Path("none.gguf"), sha256=None), NO_FILE),
    ],
)
async def test_without_a_model_it_says_so_once_and_idles(
    server: TestServer, settings: LlmSettings, reason: str
) -> None:
    log = await server.connect()
    world, _ = asking_world()
    await world.copy(log)
    for _ in range(2):
        async with working(server, log, settings.load) as service:
            await wait_until(lambda it=service: it.status()["mode"] != "loading")  # type: ignore[misc]
            assert service.status() == {"mode": "disabled", "reason": reason, "model": ""}
    assert await modes(log, 1) == [("disabled", reason)]
    assert await calls(log, 0) == []
    await log.close()


async def test_told_to_stop_while_asking(server: TestServer) -> None:
    """The call is cut, and the next worker is given the request."""
    log = await server.connect()
    world, request = asking_world()
    await world.copy(log)
    slow = ScriptedLlm(sensible, after_s=600)
    async with working(server, log, lambda: slow):
        async with asyncio.timeout(WITHIN_S):
            while not slow.prompts:  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.01)
    assert slow.cancelled == 1
    async with working(server, log, lambda: ScriptedLlm(sensible, after_s=0)):
        (called,) = await calls(log, 1)
    assert called.request == request
    await log.close()


@pytest.mark.slow
async def test_killed_while_asking_the_request_comes_again(server: TestServer) -> None:
    log = await server.connect()
    world, request = asking_world()
    await world.copy(log)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.streams.ingest.asking.hanging_worker", server.url),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        while await process.stdout.readline() != b"asking\n":
            assert process.returncode is None
    process.kill()
    await process.wait()
    async with working(server, log, lambda: ScriptedLlm(sensible, after_s=0)):
        (called,) = await calls(log, 1)
        # a record behind it shows that the first one is done with
        record = world.server.get(request)
        assert record is not None
        await log.send(events(DEFAULT_SHARD, "reality"), record.payload)
        both = await calls(log, 2)
    assert [one.request for one in both] == [called.request, both[1].request]
    assert called.request == request < both[1].request
    assert encode(called.answer) == encode(both[1].answer)
    # killed, it said nothing of its end
    assert await modes(log, 3) == [("enabled", ""), ("enabled", ""), ("disabled", STOPPED)]
    await log.close()


async def test_with_no_more_than_its_role(tmp_path: Path) -> None:
    """On a broker that lets each process do only its own."""
    venue = BrokerVenue(tmp_path)
    await venue.start()
    try:
        await _answers_as_its_role(venue)
    finally:
        await venue.server.kill9()


async def _answers_as_its_role(venue: BrokerVenue) -> None:
    world, request = asking_world()

    def login(role: str) -> dict[str, Any]:
        return {
            "name": role,
            "seed": venue.keyring.seed(role),
            "inbox_prefix": roles.inbox(role),
        }

    writers = {
        articles(DEFAULT_SHARD): "gateway",
        events(DEFAULT_SHARD, "governance"): "engine-governance",
        events(DEFAULT_SHARD, "reality"): "engine-reality",
    }
    for stored in world.server.messages():
        writer = await connect(venue.server.url, DEFAULT_SHARD, **login(writers[stored.subject]))
        assert await writer.send(stored.subject, stored.payload) == stored.sequence
        await writer.close()
    log, stop = await connect(venue.server.url, DEFAULT_SHARD, **login("llm")), asyncio.Event()
    service = AskingService(log, SystemClock(), lambda: ScriptedLlm(sensible, after_s=0))
    async with bus(venue.server.url, **login("llm")) as connection:
        running = asyncio.create_task(service.run(connection, stop))
        assert [one.request for one in await calls(log, 1)] == [request]
        stop.set()
        await running
    assert await modes(log, 2) == [("enabled", ""), ("disabled", STOPPED)]
    await log.close()
