"""The embedded Postgres ends when its venue does, whoever has started it last."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import psutil
import pytest

from deploy.venue.postgres import Postgres, PostgresFailed, _Server
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    it = Postgres(tmp_path / "postgres")
    it.start()
    yield it
    it.stop()
    assert not it.running


def killed(it: Postgres) -> psutil.Process:
    assert it.pid is not None
    process = psutil.Process(it.pid)
    process.kill()
    wait_for("it is gone", lambda: not it.running)
    return process


def test_one_that_was_killed_is_started_again_and_stopped(postgres: Postgres) -> None:
    before = killed(postgres).pid
    postgres.start()
    assert postgres.running
    assert postgres.pid != before
    postgres.stop()
    assert not postgres.running


def test_one_that_recovers_for_longer_than_the_library_waits_is_stopped_too(
    postgres: Postgres,
) -> None:
    """It comes up behind the library's back, which then knows only of the dead one."""
    killed(postgres)
    started = _Server.ensure_postgres_running

    def too_late(server: _Server) -> None:
        known = server._postmaster_info
        started(server)
        server._postmaster_info = known
        raise subprocess.TimeoutExpired("pg_ctl", 10)

    def failing() -> bool:
        with pytest.raises(PostgresFailed):
            postgres.start(0)
        return postgres.running

    with patch.object(_Server, "ensure_postgres_running", too_late):
        wait_for("it has come up unnoticed", failing)  # once its dead children are gone
    process = psutil.Process(postgres.pid)
    postgres.stop()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_stopping_what_is_gone_or_was_never_there_is_nothing(
    postgres: Postgres, tmp_path: Path
) -> None:
    killed(postgres)
    postgres.stop()
    postgres.stop()
    Postgres(tmp_path / "never").stop()
