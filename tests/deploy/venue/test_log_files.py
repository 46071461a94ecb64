"""Log files: emptied when they are full, whoever writes them, and five are kept."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.limits import LOG_FILES
from deploy.venue import log_files
from deploy.venue.log_files import LogFiles, rotate
from deploy.venue.news import NewsInstallation
from deploy.venue.supervisor import Child
from tests.support.waiting import wait_for

FULL_BYTES = 10_000
_FLOOD = """
import os
for number in range(50_000):
    os.write(2, b"%08d " % number + b"x" * 90 + b"\\n")
"""
FLOOD_BYTES = 50_000 * 100


def test_a_file_that_is_not_full_is_let_alone(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * (FULL_BYTES - 1))
    assert not rotate(log, FULL_BYTES)
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_a_full_file_is_emptied_under_the_hands_of_its_writer(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(2 * LOG_FILES):
            writer.write(b"%d\n" % number * FULL_BYTES)
            assert rotate(log, FULL_BYTES)
            assert log.stat().st_size == 0
        writer.write(b"goes on\n")
    assert log.read_bytes() == b"goes on\n"
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["a.log", *(f"a.log.{number}" for number in range(1, LOG_FILES))]
    for number in range(1, LOG_FILES):
        older = tmp_path / f"a.log.{number}"
        assert older.read_bytes().startswith(b"%d\n" % (2 * LOG_FILES - number))
        assert older.stat().st_size <= FULL_BYTES
        assert older.stat().st_mode & 0o777 == 0o600


def test_of_a_file_that_grew_too_large_whole_lines_of_its_end_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(b"%07d\n" % number for number in range(FULL_BYTES)))
    assert rotate(log, FULL_BYTES + 3)
    lines = (tmp_path / "a.log.1").read_bytes().split(b"\n")
    assert lines[-2:] == [b"%07d" % (FULL_BYTES - 1), b""]
    assert {len(line) for line in lines[:-1]} == {7}
    assert sum(map(len, lines)) + len(lines) - 1 <= FULL_BYTES + 3


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 2 * FULL_BYTES)
    log = tmp_path / "a.log"
    log.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic link"):
        rotate(log, FULL_BYTES)
    log.unlink()
    log.write_bytes(b"x" * FULL_BYTES)
    (tmp_path / "a.log.1").symlink_to(secret)
    (tmp_path / "a.log.new").symlink_to(secret)
    assert rotate(log, FULL_BYTES)
    assert secret.read_bytes() == b"s" * 2 * FULL_BYTES
    assert not (tmp_path / "a.log.1").is_symlink()


def test_a_copy_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * FULL_BYTES)
    (tmp_path / "a.log.1").write_bytes(b"older")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(log_files, "_copy", full)
    with pytest.raises(OSError, match="no space"):
        rotate(log, FULL_BYTES)
    LogFiles(tmp_path).look()
    assert log.stat().st_size == FULL_BYTES
    assert (tmp_path / "a.log.1").read_bytes() == b"older"
    assert not (tmp_path / "a.log.new").exists()


def rotating(folder: Path, monkeypatch: pytest.MonkeyPatch, *others: Path) -> LogFiles:
    real = rotate
    monkeypatch.setattr(log_files, "rotate", lambda path: real(path, FLOOD_BYTES // 20))
    monkeypatch.setattr(log_files, "LOG_LOOK_MS", 1)
    return LogFiles(folder, *others)


def test_every_file_of_a_venue_stays_bounded_while_children_flood_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child of the supervisor, the installation, and one that appends as `pg_ctl` has it."""
    folder, other = tmp_path / "logs", tmp_path / "log"
    folder.mkdir()
    files = rotating(folder, monkeypatch, other)
    files.start()
    command = [sys.executable, "-c", _FLOOD]
    child = Child("child", command, {}, folder / "child.log")
    child.start()
    script = tmp_path / "flood.py"
    script.write_text(_FLOOD)
    installing = NewsInstallation(
        f"{sys.executable} {script}", folder / "news-install.log", lambda _: None
    )
    installing.start()
    shell = f"exec {sys.executable} {script} < /dev/null >> {other} 2>&1"
    server = subprocess.Popen(["/bin/sh", "-c", shell])
    most = 0
    seen: set[str] = set()

    def over() -> bool:
        nonlocal most
        for path in (*folder.iterdir(), *tmp_path.glob("log*.*")):
            try:
                most = max(most, path.stat().st_blocks * 512)
            except FileNotFoundError:
                continue
            seen.add(path.name)
        assert child.process is not None
        running = (child.process.poll() is None, installing.is_running(), server.poll() is None)
        return not any(running)

    try:
        wait_for("all have written", over)
        files.look()
    finally:
        files.stop()
        child.stop()
        installing.stop()
        server.wait()
    assert child.process is not None
    assert (child.process.returncode, server.returncode) == (0, 0)
    assert {f"{name}.{LOG_FILES - 1}" for name in ("child.log", "news-install.log", "log")} <= seen
    assert not {name for name in seen if name.endswith(f".{LOG_FILES}")}
    assert most < FLOOD_BYTES // 2, "each file was emptied many times"
    full = FLOOD_BYTES // 20
    assert all(path.stat().st_size < full for path in folder.glob("*.log"))
    assert all(path.stat().st_size <= full + full // 10 for path in folder.glob("*.log.*"))
    names = [f"child.log.{number}" for number in range(LOG_FILES - 1, 0, -1)]
    lines = b"".join((folder / name).read_bytes() for name in (*names, "child.log")).splitlines()
    numbers = [int(line[:8]) for line in lines]
    assert {len(line) for line in lines} == {99}, "lines are whole"
    assert numbers == sorted(set(numbers)), "in their order, and none twice"
    assert other.stat().st_size <= FLOOD_BYTES // 20
