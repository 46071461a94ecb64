"""How the processes of ingest start and stop: nothing before the genesis, no waiting for models."""

import asyncio
import threading
from pathlib import Path

import pytest

from deploy.processes import process
from deploy.processes.daemon_thread import aside
from deploy.processes.genesis import founded
from deploy.venue.paths import Place
from deploy.venue.settings import Settings
from schemas import subjects
from schemas.errors import InputError
from streams.broker import roles
from tests.simulated.log import SimulatedServer


async def test_nobody_observes_before_the_genesis() -> None:
    server, stop = SimulatedServer(), asyncio.Event()
    waiting = asyncio.create_task(founded(server.connect(), stop))
    await asyncio.sleep(0.25)
    assert not waiting.done()
    server.store([(subjects.admin_command("main", "UROOT"), b"{}")])
    async with asyncio.timeout(5):
        assert await waiting is True


async def test_a_stop_ends_the_waiting() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(founded(SimulatedServer().connect(), stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(5):
        assert await waiting is False


async def test_work_aside_returns_or_raises() -> None:
    stop = asyncio.Event()
    assert await aside(lambda: 7, stop) == 7
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0, stop)


async def test_a_stop_does_not_wait_for_work_aside() -> None:
    stop, go_on, ended = asyncio.Event(), threading.Event(), threading.Event()

    def load() -> int:
        go_on.wait()
        ended.set()
        return 7

    loading = asyncio.create_task(aside(load, stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(5):
        assert await loading is None
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 5)


@pytest.mark.parametrize("name", process.NAMES)
def test_every_process_can_be_had_and_has_a_role(name: str) -> None:
    assert callable(process.main_of(name, Place(Settings())))
    assert name in {role.name for role in roles.services("main")}


def test_without_a_browser_that_process_is_absent_and_said_to_be(tmp_path: Path) -> None:
    settings = Settings(chromium=tmp_path / "chromium")
    assert set(process.absent(settings)) == {"browser"}
    (tmp_path / "chromium").touch()
    assert process.absent(settings) == {}


def test_without_ingest_nothing_of_it_is_started() -> None:
    assert set(process.absent(Settings(ingest=False))) == {*process.INGEST}


def test_there_are_no_others() -> None:
    with pytest.raises(InputError):
        process.main_of("nonsense", Place(Settings()))


def test_every_engine_is_among_them() -> None:
    assert set(process.CORE) >= {f"engine-{name}" for name in subjects.ENGINES}
    assert set(process.HARD_WORKERS) <= {*process.INGEST, *process.KEEPING}
