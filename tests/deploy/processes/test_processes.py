"""How the processes of ingest start and stop: nothing before the genesis, no waiting for models."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deploy.processes import names
from deploy.processes.__main__ import main_of
from deploy.processes.daemon_thread import run_in_daemon_thread
from deploy.processes.genesis import wait_for_genesis
from deploy.venue import news
from deploy.venue.paths import VenuePaths
from deploy.venue.settings import Settings
from schemas import subjects
from schemas.errors import InputError
from streams.broker import roles
from tests.simulated.log import SimulatedServer


async def test_nobody_observes_before_the_genesis() -> None:
    server, stop = SimulatedServer(), asyncio.Event()
    waiting = asyncio.create_task(wait_for_genesis(server.connect(), stop))
    await asyncio.sleep(0.25)
    assert not waiting.done()
    server.store([(subjects.admin_command("main", "UROOT"), b"{}")])
    async with asyncio.timeout(5):
        assert await waiting is True


async def test_a_stop_ends_the_waiting() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(wait_for_genesis(SimulatedServer().connect(), stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(5):
        assert await waiting is False


async def test_work_aside_returns_or_raises() -> None:
    stop = asyncio.Event()
    assert await run_in_daemon_thread(lambda: 7, stop) == 7
    with pytest.raises(ZeroDivisionError):
        await run_in_daemon_thread(lambda: 1 // 0, stop)


async def test_a_stop_does_not_wait_for_work_aside() -> None:
    stop, go_on, ended = asyncio.Event(), threading.Event(), threading.Event()

    def load() -> int:
        go_on.wait()
        ended.set()
        return 7

    loading = asyncio.create_task(run_in_daemon_thread(load, stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(5):
        assert await loading is None
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 5)


@pytest.mark.parametrize("name", names.NAMES)
def test_every_process_can_be_had_and_has_a_role(name: str) -> None:
    assert callable(main_of(name, VenuePaths(Settings())))
    assert name in {role.name for role in roles.services("main")}


def test_without_a_browser_that_process_is_absent_and_said_to_be(tmp_path: Path) -> None:
    settings = Settings(chromium=tmp_path / "chromium")
    assert set(names.not_started(settings)) == {"browser"}
    (tmp_path / "chromium").touch()
    assert names.not_started(settings) == {}


def test_without_hnswlib_the_search_is_absent_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chromium").touch()
    monkeypatch.setattr(news, "has_index", lambda: False)
    assert set(names.not_started(Settings(chromium=tmp_path / "chromium"))) == {"search"}


def test_without_ingest_nothing_of_it_is_started() -> None:
    assert set(names.not_started(Settings(ingest=False))) == {*names.INGEST}


def test_without_the_extra_the_venue_trades_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(news, "MODULES", ("a_module_that_nobody_has",))
    assert names.not_started(Settings()) == dict.fromkeys(names.INGEST, "news: not installed")
    for name in names.INGEST:
        with pytest.raises(news.NewsNotInstalled, match="make news"):
            main_of(name, VenuePaths(Settings()))
    for name in (*names.CORE, *names.KEEPING):
        assert callable(main_of(name, VenuePaths(Settings())))


@pytest.mark.parametrize("name", (*names.CORE, *names.KEEPING))
def test_what_trades_imports_nothing_of_the_extra(name: str) -> None:
    code = (
        "import sys\n"
        "from deploy.processes.__main__ import main_of\n"
        "from deploy.venue.news import MODULES\n"
        "from deploy.venue.paths import VenuePaths\n"
        "from deploy.venue.settings import Settings\n"
        f"main_of({name!r}, VenuePaths(Settings()))\n"
        "print(*sorted({*MODULES, 'hnswlib'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # httpx imports httpcore, which is there with trading, too
    assert done.stdout.split() in ([], ["httpcore"])


def test_there_are_no_others() -> None:
    with pytest.raises(InputError):
        main_of("nonsense", VenuePaths(Settings()))


def test_every_engine_is_among_them() -> None:
    assert set(names.CORE) >= {f"engine-{name}" for name in subjects.ENGINES}
    assert set(names.HARD_WORKERS) <= {*names.INGEST, *names.KEEPING}
