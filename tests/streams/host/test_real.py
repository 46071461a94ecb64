"""The host on a real nats-server: restarts of the server, and a second writer."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engines.kernel import Engine
from schemas.errors import Fenced, OperatingError
from schemas.stored import Stored
from schemas.units import SECOND_NS
from streams.host.host import EngineHost
from streams.host.snapshots import SnapshotFolder
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog
from tests.streams.host.checks import GENESIS, check_accounts, records, redecide
from tests.streams.host.rig import add
from tests.streams.host.toys import Toy, Witness
from tests.support.nats import TestServer, nats_server
from tests.support.waiting import wait_until

LOOK_EVERY_S = 0.01
PATIENCE_S = 60


class RealRun:
    """A host at work on a connection of its own to a real server."""

    def __init__(self, log: NatsLog, engine: Engine[Any], writer: str, **options: Any) -> None:
        self.log = log
        self.stop = asyncio.Event()
        self.host: EngineHost[Any] = EngineHost(
            engine, log, SystemClock(), writer=writer, **options
        )
        self.task = asyncio.create_task(self.host.run(self.stop))


@asynccontextmanager
async def running(
    server: TestServer, engine: Engine[Any], writer: str = "one", **options: Any
) -> AsyncIterator[RealRun]:
    """Run a host, and stop it in the end."""
    run = RealRun(await server.connect(writer), engine, writer, **options)
    try:
        yield run
    finally:
        run.stop.set()
        await asyncio.gather(run.task, return_exceptions=True)
        await run.log.close()


async def everything_on(log: NatsLog) -> list[Stored]:
    """Read the whole log."""
    end = await log.last_sequence()
    reader = await log.open_reader(["main.>"], 0)
    messages: list[Stored] = []
    while len(messages) < end:
        messages += await reader.poll(1_000, 5)
    await reader.close()
    return messages[:end]


async def load(log: NatsLog, stop: asyncio.Event) -> int:
    """Append batches until told to stop, whatever becomes of each; return the last sequence."""
    last = 0
    for step in itertools.count():
        if stop.is_set():
            return last
        batch = [add(1_000 * step + number) for number in range(100)]
        try:
            last = max(last, await log.append_batch(batch))
        except OperatingError:
            await asyncio.sleep(LOOK_EVERY_S)
    return last


def covers(run: RealRun, sequence: int) -> Callable[[], bool]:
    """Tell when the host's records cover `sequence`."""
    return lambda: int(run.host.status().get("last_input", 0)) >= sequence


def has_written(run: RealRun, number: int) -> Callable[[], bool]:
    """Tell when record `number` is on the log."""
    return lambda: int(run.host.status().get("record", 0)) >= number


async def test_one_at_a_time_and_in_bulk(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        log = await server.connect("load")
        await log.found(*GENESIS)
        witness = Witness(linger_ns=SECOND_NS // 10)
        async with running(server, Toy()) as run, running(server, witness, "two") as watch:
            for number in range(5):
                sequence = await log.send(*add(number))
                await wait_until(covers(run, sequence), run.task)
            for step in range(5):
                sequence = await log.append_batch([add(step) for _ in range(1_000)])
            await wait_until(covers(run, sequence), run.task)
            await wait_until(covers(watch, sequence), watch.task)
        messages = await everything_on(log)
        await log.close()
        assert check_accounts(messages, Toy()) == 5_005
        assert redecide(messages, Witness()) >= 100


async def test_takeover_under_load_fences_the_first(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        log = await server.connect("load")
        await log.found(*GENESIS)
        stop = asyncio.Event()
        loading = asyncio.create_task(load(log, stop))
        async with running(server, Toy()) as first:
            await wait_until(has_written(first, 20), first.task)
            async with running(server, Toy(), "two") as second:
                with pytest.raises(Fenced):
                    await asyncio.wait_for(first.task, PATIENCE_S)
                await wait_until(lambda: second.host.status()["phase"] == "leader", second.task)
                assert second.host.status()["restarts"] == 0
                epoch = second.host.status()["epoch"]
                stop.set()
                await wait_until(covers(second, await loading), second.task)
        messages = await everything_on(log)
        await log.close()
        written = [(sequence, record.epoch) for sequence, record, _ in records(messages, "toy")]
        assert all((own == epoch) == (sequence > epoch) for sequence, own in written)
        assert check_accounts(messages, Toy()) > 0


@pytest.mark.slow
async def test_a_server_killed_again_and_again_costs_nothing(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        log = await server.connect("load")
        await log.found(*GENESIS)
        stop = asyncio.Event()
        loading = asyncio.create_task(load(log, stop))
        snapshots = SnapshotFolder(tmp_path / "snapshots", "toy", "code")
        async with running(server, Toy(), snapshots=snapshots, snapshot_every=50) as run:
            for _ in range(5):
                before = int(run.host.status().get("record", 0))
                await wait_until(has_written(run, before + 20), run.task)
                await server.kill9()
                await server.start()
            stop.set()
            await wait_until(covers(run, await loading), run.task)
            assert int(run.host.status()["restarts"]) > 0
        messages = await everything_on(log)
        await log.close()
        assert check_accounts(messages, Toy()) > 0
