"""What `streams.log.cursor` promises, held against the simulated log and a real server."""

import asyncio

import pytest

from schemas.errors import LogUnavailable
from schemas.stored import Stored
from streams.log import cursor as module
from streams.log.clock import SystemClock
from streams.log.cursor import Cursor
from streams.log.ports import Log
from tests.contract.conftest import Connect

ADA, BOB, RECORDS = "main.cmd.order.ada", "main.cmd.order.bob", "main.evt.exchange"


async def fill(log: Log, count: int) -> None:
    """Append `count` messages: two commands, then a record, and so on."""
    subjects = (ADA, BOB, RECORDS)
    await log.append_batch([(subjects[n % 3], b"%d" % n) for n in range(count)])


async def read(cursor: Cursor, sequence: int, *, exact: bool = True) -> list[int]:
    found: list[int] = []
    async for messages in cursor.read_to(sequence, exact=exact):
        found += [message.sequence for message in messages]
    return found


@pytest.mark.parametrize("batch", [1, 7, 500])
async def test_each_message_comes_once_and_in_order(log: Log, batch: int) -> None:
    await fill(log, 100)
    async with Cursor(log, [ADA, RECORDS], batch=batch) as cursor:
        assert await cursor.end() == 100
        wanted = [sequence for sequence in range(1, 101) if sequence % 3 != 2]
        assert await read(cursor, 50, exact=False) == [one for one in wanted if one <= 50]
        assert cursor.position == 50
        assert await read(cursor, 100) == [one for one in wanted if one > 50]
    async with Cursor(log, ["main.>"], 90, batch=batch) as cursor:
        assert await read(cursor, 100) == list(range(91, 101))


async def test_a_follower_hears_what_is_appended_meanwhile(
    connect: Connect, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_POLL_S", 0.05)
    await fill(log, 30)
    heard: list[Stored] = []
    silences = 0

    async def hear() -> None:
        nonlocal silences
        async with Cursor(await connect("follower"), [BOB]) as cursor:
            async for messages in cursor.follow(retry=SystemClock()):
                heard.extend(messages)
                silences += not messages

    async def until(count: int) -> None:
        async with asyncio.timeout(10):
            while len(heard) < count or not silences:  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.01)

    following = asyncio.create_task(hear())
    await until(10)
    silences = 0
    await fill(log, 30)
    await until(20)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert [message.sequence for message in heard] == list(range(2, 60, 3))


async def test_what_does_not_come_is_given_up(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_POLL_S", 0.01)
    await fill(log, 4)
    async with Cursor(log, [BOB]) as cursor:
        with pytest.raises(LogUnavailable, match="behind sequence 2"):
            await read(cursor, 5)
    assert cursor.position == 2
