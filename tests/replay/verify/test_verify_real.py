"""Verify against a real nats-server, sound and with a damaged store."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from replay.verify.verify import verify
from schemas.limits import MAX_ATOMIC_BATCH
from streams.log import nats_log
from tests.replay.venue import engines, history
from tests.replay.verify.checking import only
from tests.replay.verify.test_verify import an_order
from tests.support.nats import TestServer, nats_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    messages = await asyncio.to_thread(history)
    async with nats_server(tmp_path) as running:
        log = await running.connect("people")
        for start in range(0, len(messages), MAX_ATOMIC_BATCH):
            part = messages[start : start + MAX_ATOMIC_BATCH]
            await log.append_batch([(m.subject, m.payload) for m in part])
        await log.close()
        yield running


async def test_a_sound_log_is_clean_while_it_grows(server: TestServer) -> None:
    messages = history()
    log, writer = await server.connect("verify"), await server.connect("people")
    stop = asyncio.Event()

    async def grow() -> None:
        while not stop.is_set():
            await writer.append_batch([("main.cmd.order.late", b"{}")] * 10)

    growing = asyncio.create_task(grow())
    report = await verify(log, engines())
    stop.set()
    await growing
    assert (report.exit_code, report.findings, report.unable) == (0, [], [])
    assert len(messages) <= report.through == report.end < await log.last_sequence()
    again = await verify(log, engines(), until=len(messages))
    assert (again.exit_code, again.through) == (0, len(messages))
    await log.close()
    await writer.close()


async def test_a_store_with_a_flipped_bit_is_not_clean(server: TestServer) -> None:
    order = an_order(history())
    await server.stop()
    damaged = 0
    for block in server.store.rglob("*.blk"):
        data = block.read_bytes()
        place = data.find(order.payload[10:60])
        if place >= 0:
            damaged += 1
            block.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    if not damaged:  # the block is compressed: hit the middle of it
        block = max(server.store.rglob("*.blk"), key=lambda path: path.stat().st_size)
        data = block.read_bytes()
        place = len(data) // 2
        block.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    await server.start()
    log = await nats_log.connect(server.url, "main", name="verify", dense=False)
    report = await verify(log, engines())
    await log.close()
    assert report.exit_code == 1
    assert only(report, "gap").sequence == report.through + 1


async def test_a_server_that_is_down_could_not_be_checked(server: TestServer) -> None:
    log = await server.connect("verify")
    await server.kill9()
    await log.close()
    report = await verify(log, engines())
    assert (report.exit_code, report.findings) == (2, [])
    assert "cannot be read" in report.unable[0]
