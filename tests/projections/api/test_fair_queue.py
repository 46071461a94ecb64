"""Callers take turns, however much one of them asks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from projections.api.fair_queue import FairQueue
from projections.api.store import NOW, ReadStore
from projections.limits import MAX_READS_WAITING_OF_ONE, READ_POOL_CONNECTIONS
from schemas.errors import Busy
from tests.projections.reading import project_all
from tests.projections.real import busy_day


class Counter:
    """Has its turn, until it is let, and notes who had one."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.let = asyncio.Semaphore(0)
        self.had: list[str] = []
        self.at_once = 0
        self.most = 0

    async def ask(self, caller: str) -> None:
        async with self.queue.turn(caller), self._counted():
            self.had.append(caller)
            await self.let.acquire()

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            yield
        finally:
            self.at_once -= 1

    async def asking(self, *callers: str) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.ask(caller)) for caller in callers]
        await asyncio.sleep(0)
        return tasks

    async def finish(self, tasks: list[asyncio.Task[None]]) -> None:
        for _ in tasks:
            self.let.release()
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("at_once", [1, 3])
async def test_who_asks_once_has_the_next_turn_but_one(at_once: int) -> None:
    counter = Counter(FairQueue(100, 100, at_once))
    tasks = await counter.asking(*["flood"] * 50, "one", "other")
    await counter.finish(tasks)
    assert counter.had[: at_once + 3] == [*["flood"] * at_once, "flood", "one", "other"]
    assert counter.most == at_once
    assert len(counter.had) == 52


async def test_turns_of_those_who_gave_up_go_on() -> None:
    counter = Counter(FairQueue(100, 100, 2))
    tasks = await counter.asking(*"aabbcc")
    for task in tasks[1:4]:
        task.cancel()
    await asyncio.gather(*tasks[1:4], return_exceptions=True)
    await counter.finish([tasks[0], *tasks[4:]])
    assert sorted(counter.had) == ["a", "a", "c", "c"]
    await counter.finish(await counter.asking("a", "b", "c"))
    assert counter.most == 2


async def test_bounds_of_one_and_of_all() -> None:
    counter = Counter(FairQueue(4, 2))
    tasks = await counter.asking(*"aabb")
    with pytest.raises(Busy, match="your questions"):
        await counter.ask("a")
    with pytest.raises(Busy, match="too many"):
        await counter.ask("c")
    await counter.finish(tasks)


async def test_a_flood_of_reads_keeps_no_other_address_waiting(dsn: str) -> None:
    await project_all(busy_day(seed=31, commands=100).server, dsn)
    store = ReadStore(dsn)
    await store.open()
    done: list[str] = []

    async def read(caller: str) -> None:
        async with store.view(NOW, caller) as view:
            await view.ends()
        done.append(caller)

    flood = [asyncio.create_task(read("flood")) for _ in range(MAX_READS_WAITING_OF_ONE)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await read("flood")
    await read("honest")
    assert done.index("honest") <= 2 * READ_POOL_CONNECTIONS
    await asyncio.gather(*flood)
    await store.close()
