"""Why and what-if against a real nats-server, whose readers and direct gets they use."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from replay.graphs.walk import walk
from replay.whatif import Changes, whatif
from replay.why import moved, why
from schemas import subjects
from schemas.errors import NotFound
from schemas.limits import MAX_ATOMIC_BATCH
from schemas.policy import CALIBRATED
from schemas.stored import Stored
from tests.simulated.virtual_time import simulate
from tests.support.nats import TestServer, nats_server
from tests.support.newsroom import news, server_of

SEED, ORDERS = 3, 100


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    messages = news(SEED, ORDERS)
    async with nats_server(tmp_path) as running:
        log = await running.connect("people")
        for start in range(0, len(messages), MAX_ATOMIC_BATCH):
            part = messages[start : start + MAX_ATOMIC_BATCH]
            await log.append_batch([(m.subject, m.payload) for m in part])
        await log.close()
        yield running


async def test_a_real_log_says_the_same_as_one_in_memory(server: TestServer) -> None:
    memory = server_of(SEED, ORDERS)
    log = await server.connect("replay")
    graph = await why(log, "RAIN")
    # in a thread: a simulated log brings a loop of its own
    same = await asyncio.to_thread(lambda: simulate(why(memory.connect(), "RAIN")))
    assert graph.document() == same.document()
    assert graph.flaws == []
    early = await why(log, "RAIN", at=graph.root.sequence - 1)
    assert early.root.sequence < graph.root.sequence
    article = next(node.sequence for node in graph.nodes.values() if node.kind == "article")
    ahead = await moved(log, article)
    assert any(node.kind == "score_change" for node in ahead.nodes.values())
    with pytest.raises(NotFound):
        await moved(log, 10**6)
    unchanged = await whatif(log, Changes())
    assert (unchanged.differs_at, unchanged.flaws) == (0, [])
    assert (await whatif(log, Changes(policy=CALIBRATED))).differs_at > 0
    await log.close()


async def test_a_walk_hands_on_what_is_asked_for_up_to_where_it_is_told(
    server: TestServer,
) -> None:
    messages = news(SEED, ORDERS)
    wanted = [subjects.events("main", subjects.REALITY), subjects.signals("main")]
    log = await server.connect("replay")
    for until in (None, 1, 40, 41, 42, 200, len(messages), 10**6):
        taken: list[Stored] = []
        progress: list[int] = []
        end = await walk(
            log,
            wanted,
            taken.append,
            until=until,
            progress=lambda at, _, seen=progress: seen.append(at),  # type: ignore[misc]
        )
        assert end == min(until or len(messages), len(messages))
        assert taken == [m for m in messages[:end] if m.subject in wanted]
        assert progress == sorted(progress)
    assert await walk(log, ["main.evt.nobody"], taken.append) == len(messages)
    await log.close()
