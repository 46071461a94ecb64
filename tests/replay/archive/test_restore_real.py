"""Archive under load, kill the archiver, lose the server: the archive brings the log back."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engines.notary.engine import NotaryEngine
from replay.archive.archiver import Archiver
from replay.archive.restore import restore
from replay.archive.segments import SegmentFolder
from replay.archive.segments_check import check
from replay.verify.verify import verify
from schemas import signatures
from schemas.limits import MAX_ATOMIC_BATCH
from streams.host.host import EngineHost
from streams.host.snapshots import SnapshotMemory
from streams.log.clock import SystemClock
from streams.log.ports import Log
from tests.engines.governance.people import NOTARY
from tests.house.source import ROOT
from tests.replay.archive.archives import chain_of
from tests.replay.venue import engines, history
from tests.support.nats import TestServer, nats_server

pytestmark = pytest.mark.slow


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    messages = await asyncio.to_thread(history)
    async with nats_server(tmp_path) as running:
        log = await running.connect("people")
        await log.append_batch([message[1:] for message in messages[:MAX_ATOMIC_BATCH]])
        await log.close()
        yield running


def archiver(server: TestServer, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.replay.archive.archiving", server.url, str(folder)]
    return subprocess.Popen(command, cwd=ROOT)


async def archived_more(folder: SegmentFolder, segments: int) -> None:
    async with asyncio.timeout(60):
        while len(folder.sealed()) < segments:  # noqa: ASYNC110  # another process's files
            await asyncio.sleep(0.05)


async def test_kill_and_lose_and_restore(server: TestServer, tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path / "archive", "main")
    folder.prepare()
    log, writer = await server.connect("notary"), await server.connect("people")
    stop = asyncio.Event()
    host = EngineHost(
        NotaryEngine(),
        log,
        SystemClock(),
        writer="notary",
        snapshots=SnapshotMemory(),
        sign=lambda data: signatures.sign(NOTARY.seed, data),
    )
    sealing = asyncio.create_task(host.run(stop))
    load = asyncio.create_task(_load(writer, stop))
    for lives in range(1, 5):
        process = archiver(server, folder.path.parent)
        await archived_more(folder, len(folder.sealed()) + 1)
        process.kill()
        process.wait()
        assert check(folder).sealed_through > 0, lives
    stop.set()
    await asyncio.gather(sealing, load)
    last = Archiver(writer, SystemClock(), folder)
    await last.finish(unsealed=True)
    await last.close()
    archive = check(folder, key=NOTARY.key)
    assert archive.last == await writer.last_sequence()
    assert list(folder.path.glob("*.partial")) == []
    report = await verify(writer, engines())
    await log.close()
    await writer.close()
    await server.kill9()
    await _restored(tmp_path, folder, report.chain)


async def _load(writer: Log, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await writer.append_batch(
            [("main.cmd.order.trader1", b'{"late":%d}' % n) for n in range(200)]
        )
        await asyncio.sleep(0.01)


async def _restored(path: Path, folder: SegmentFolder, chain: str) -> None:
    fresh = path / "fresh"
    fresh.mkdir()
    archive = check(folder)
    async with nats_server(fresh) as server:
        log = await server.connect("restorer")
        task = asyncio.create_task(restore(log, archive))
        async with asyncio.timeout(30):
            while not await log.last_sequence():  # noqa: ASYNC110  # broken off as soon as it began
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await log.close()
        await server.kill9()
        await server.start()
        log = await server.connect("restorer")
        assert await restore(log, archive) == archive.last
        report = await verify(log, engines())
        assert (report.exit_code, report.findings, report.unable) == (0, [], [])
        assert report.chain == chain == archive.chain
        assert chain_of(list(archive.messages("main"))) == chain
        await log.close()
