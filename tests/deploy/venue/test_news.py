"""Installing the extra `news` while the venue runs: its progress, its end, its failure."""

import time
from pathlib import Path

import pytest

from deploy.venue import news
from tests.support.waiting import wait_for


@pytest.fixture
def said() -> list[str]:
    return []


def installation(command: str, folder: Path, said: list[str]) -> news.NewsInstallation:
    started = news.NewsInstallation(command, folder / "news.log", said.append)
    started.start()
    return started


def test_its_last_line_is_told_while_it_runs(tmp_path: Path, said: list[str]) -> None:
    started = installation("echo Collecting torch; echo; exec sleep 60", tmp_path, said)
    wait_for("it is told", lambda: started.is_running() and bool(said))
    assert said == ["installing news: Collecting torch"]
    started.stop()
    assert not started.is_running()
    assert len(said) == 1, "who stopped it knows"


def test_one_that_succeeds_says_no_more(tmp_path: Path, said: list[str]) -> None:
    started = installation("true", tmp_path, said)
    wait_for("it has ended", lambda: not started.is_running())
    assert said == []


def test_one_that_fails_says_why_and_how_to_try_again(tmp_path: Path, said: list[str]) -> None:
    started = installation("echo no space left; exit 3", tmp_path, said)
    wait_for("it has ended", lambda: not started.is_running())
    assert "exit 3" in said[-1]
    assert "no space left" in said[-1]
    assert "make news" in said[-1]
    assert not started.is_running()
    assert len([line for line in said if "exit 3" in line]) == 1


def test_stopping_ends_what_it_started(tmp_path: Path, said: list[str]) -> None:
    mark = tmp_path / "mark"
    started = installation(f"(while :; do date >> {mark}; sleep 0.05; done) & wait", tmp_path, said)
    wait_for("it works", mark.exists)
    started.stop()
    size = mark.stat().st_size
    time.sleep(0.3)
    assert mark.stat().st_size == size


def test_every_module_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert news.is_installed()
    monkeypatch.setattr(news, "MODULES", (*news.MODULES, "a_module_that_nobody_has"))
    assert not news.is_installed()
    with pytest.raises(news.NewsNotInstalled, match="make news"):
        news.require()
