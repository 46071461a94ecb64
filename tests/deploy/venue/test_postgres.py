"""The embedded Postgres ends when its venue does, and lets in nobody but its venue's login."""

import os
import shutil
import signal
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from deploy.venue import postgres as module
from deploy.venue.postgres import Postgres, PostgresFailed
from deploy.venue.private import NotOurs
from tests.support.postgres import fetch, lay_out
from tests.support.strangers import as_stranger, refuses_strangers
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SOCKET = ".s.PGSQL.5432"
LONG = "x" * 120


def laid_out(folder: Path) -> Postgres:
    """Return the server of `folder`, with data that this run of the tests has made."""
    lay_out(folder)
    return Postgres(folder)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    it = laid_out(tmp_path / "postgres")
    it.start()
    yield it
    it.stop()
    assert not it.running


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Postgres]:
    """One whose home's path is too long for a socket."""
    it = laid_out(tmp_path / LONG / "postgres")
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


def test_one_that_recovers_for_longer_than_we_wait_is_found_and_stopped_too(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(postgres)
    monkeypatch.setattr(module, "_READY_WITHIN_S", 0)
    monkeypatch.setattr(Postgres, "_is_ready", lambda _: False)
    for _ in range(20):  # looks that come before it has written who it is, and after
        with pytest.raises(PostgresFailed, match=r"recovers still|ended at once"):
            postgres.start(0)
    assert postgres.pid is not None
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


def test_what_an_earlier_start_left_running_is_ended_and_started_as_ours(
    postgres: Postgres,
) -> None:
    """It may be an older release's, which lets anyone in."""
    hba = postgres.socket_folder / "pg_hba.conf"
    hba.write_text("local all all trust\n")
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGHUP)
    left = postgres.pid
    again = Postgres(postgres.socket_folder)
    again.start()
    assert again.pid not in (None, left)
    assert "trust" not in hba.read_text()
    assert fetch(again.url, "SELECT current_user")[0][0] == "postgres"
    again.stop()


def test_it_listens_on_no_address(postgres: Postgres) -> None:
    assert fetch(postgres.url, "SHOW listen_addresses")[0][0] == ""
    assert postgres.pid is not None
    server = psutil.Process(postgres.pid)
    assert server.net_connections(kind="inet") == []
    for worker in server.children():
        with suppress(psutil.NoSuchProcess):  # workers come and go
            assert worker.net_connections(kind="inet") == []


def greeting(path: Path) -> bytes:
    """Ask Postgres's socket to let the superuser in, and return its answer."""
    with socket.socket(socket.AF_UNIX) as caller:
        # by the folder, since a path may be too long for an address
        caller.connect(str(path))
        asked = b"user\0postgres\0database\0postgres\0\0"
        caller.sendall(struct.pack(">II", len(asked) + 8, 196_608) + asked)
        return caller.recv(1_000)


class LetIn(Exception):
    """A stranger is the superuser."""


def test_another_login_does_not_reach_the_socket(postgres: Postgres) -> None:
    path = postgres.socket_folder / SOCKET
    assert refuses_strangers(path, lambda: greeting(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(postgres.socket_folder.stat().st_mode) == 0o700


def test_another_login_that_reached_the_socket_would_not_be_let_in(postgres: Postgres) -> None:
    """Modes are one wall; behind it the system says who is calling."""
    hba = (postgres.socket_folder / "pg_hba.conf").read_text()
    rules = [line for line in hba.splitlines() if not line.startswith("#")]
    assert rules == ["local all all peer map=venue"]
    # somewhere that strangers reach, since everything above the home keeps them out
    with tempfile.TemporaryDirectory() as folder:
        open_to_all = Path(folder) / SOCKET
        open_to_all.parent.chmod(0o755)
        os.link(postgres.socket_folder / SOCKET, open_to_all)
        open_to_all.chmod(0o777)

        def come_in() -> None:
            answer = greeting(open_to_all)
            if not answer.startswith(b"E") or b"Peer authentication failed" not in answer:
                raise LetIn(answer)

        assert as_stranger(come_in) in ("", None)
        assert greeting(open_to_all).startswith(b"R"), "we ourselves are let in"


def test_the_socket_of_a_deep_home_is_in_a_folder_of_its_own(deep: Postgres) -> None:
    deep.start()
    folder = deep.socket_folder
    assert folder.parent == Path(tempfile.gettempdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert refuses_strangers(folder / SOCKET, lambda: greeting(folder / SOCKET))
    assert fetch(deep.url, "SELECT current_user")[0][0] == "postgres"
    killed(deep)
    deep.start()
    assert deep.socket_folder == folder, "who has the address finds it again"
    deep.stop()
    assert not folder.exists()


def test_a_second_start_of_a_deep_home_finds_its_folder(deep: Postgres, tmp_path: Path) -> None:
    deep.start()
    again = Postgres(tmp_path / LONG / "postgres")
    again.start()
    assert again.socket_folder == deep.socket_folder
    again.stop()


def taken(path: Path, how: str) -> None:
    """Put something in the place of a socket's folder."""
    path.rmdir()
    match how:
        case "link":
            other = path.with_name(f"{path.name}-other")
            other.mkdir(mode=0o700)
            path.symlink_to(other)
        case "open":
            path.mkdir()
            path.chmod(0o755)
        case "foreign":
            path.mkdir(mode=0o700)
            # where we are not root we cannot give it away: then it is we who are another login
            if os.geteuid() == 0:
                os.chown(path, 65_534, 65_534)
        case "file":
            path.touch(mode=0o700)


def removed(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    for one in (path, path.with_name(f"{path.name}-other")):
        shutil.rmtree(one, ignore_errors=True)


@pytest.mark.parametrize("how", ["link", "open", "foreign", "file"])
def test_a_socket_folder_that_somebody_else_put_there_is_refused(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Postgres(tmp_path / LONG / "postgres")
    (tmp_path / LONG).mkdir()
    folder = it._private_socket_folder()
    taken(folder, how)
    if how == "foreign" and os.geteuid() != 0:
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    try:
        with pytest.raises(NotOurs, match="not Postgres's alone") as refused:
            it._private_socket_folder()
        assert str(folder) in str(refused.value)
    finally:
        removed(folder)


def test_a_path_that_a_shell_would_read_is_only_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    it = laid_out(tmp_path / "a 'b\" $(touch ran),c" / "postgres")
    it.start()
    try:
        assert fetch(it.url, "SELECT 1")[0][0] == 1
    finally:
        it.stop()
    assert [*tmp_path.rglob("ran")] == []


def test_folders_above_the_home_are_opened_to_nobody_but_postgres(tmp_path: Path) -> None:
    """The library let everybody list them where root started it."""
    above = tmp_path / "above"
    for one in (above, above / "home"):
        one.mkdir(mode=0o700)
    it = laid_out(above / "home" / "postgres")
    it.start()
    try:
        for one in (above, above / "home"):
            assert not one.stat().st_mode & 0o067, oct(one.stat().st_mode)
            assert refuses_strangers(one, partial(os.listdir, one))
    finally:
        it.stop()
