"""`make models`: what it trusts, what it refuses, and that a missing network breaks nothing."""

from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import httpx
import pytest

from deploy.processes.service import EXIT_UNAVAILABLE
from deploy.venue import models
from deploy.venue.models import EXIT_WRONG, Origin, ensure, llm_path
from deploy.venue.settings import Settings
from streams.ingest.asking.llama import NOT_INSTALLED
from streams.ingest.asking.model_file import DEFAULT_FILE, checked, pin_of, sha256_of
from streams.ingest.measuring import embedding
from tests.support.tiny_gguf import write_tiny_llama

ORIGIN = Origin(repo="someone/tiny", revision="main", file="tiny.gguf")


class Hub:
    """Stands for where models come from."""

    def __init__(self, make: Callable[[Path], object]) -> None:
        self._make = make
        self.asked = 0

    def __call__(self, origin: Origin, folder: Path) -> Path:
        self.asked += 1
        path = folder / origin.file
        self._make(path)
        return path


def unreachable(_: Path) -> None:
    raise httpx.ConnectError("no route")


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have llama.cpp seem installed, as these files are read by nobody here."""
    monkeypatch.setattr(models, "find_spec", lambda name: ModuleSpec(name, None))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "venue", llm_model=None, llm_model_sha256=None)


def test_first_use_is_trusted_and_written_down(settings: Settings, said: list[str]) -> None:
    hub = Hub(write_tiny_llama)
    assert ensure(settings, ORIGIN, hub, said.append) == 0
    path = llm_path(settings)
    assert path.name == DEFAULT_FILE
    assert checked(path, None) == (path, sha256_of(path))
    assert any("trusted on first use" in line for line in said)
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name, pin_of(path).name]
    said.clear()
    assert ensure(settings, ORIGIN, hub, said.append) == 0
    assert hub.asked == 1
    assert not any("trusted" in line for line in said)


def test_a_file_put_there_by_hand_is_taken(settings: Settings, said: list[str]) -> None:
    path = llm_path(settings)
    path.parent.mkdir(parents=True)
    write_tiny_llama(path)
    assert ensure(settings, ORIGIN, Hub(unreachable), said.append) == 0
    assert pin_of(path).read_text().strip() == sha256_of(path)


def test_a_file_that_changed_is_refused(settings: Settings, said: list[str]) -> None:
    hub = Hub(write_tiny_llama)
    ensure(settings, ORIGIN, hub, said.append)
    write_tiny_llama(llm_path(settings), "a")
    said.clear()
    assert ensure(settings, ORIGIN, hub, said.append) == EXIT_WRONG
    assert any("but should have" in line for line in said)


def test_a_lost_file_must_be_the_same_when_it_comes_again(
    settings: Settings, said: list[str]
) -> None:
    ensure(settings, ORIGIN, Hub(write_tiny_llama), said.append)
    llm_path(settings).unlink()
    other = Hub(lambda path: write_tiny_llama(path, "a"))
    assert ensure(settings, ORIGIN, other, said.append) == EXIT_WRONG
    assert not llm_path(settings).exists()


def test_a_download_that_is_not_the_stated_one_is_dropped(
    settings: Settings, said: list[str]
) -> None:
    stated = settings.model_copy(update={"llm_model_sha256": "0" * 64})
    assert ensure(stated, ORIGIN, Hub(write_tiny_llama), said.append) == EXIT_WRONG
    assert list(llm_path(settings).parent.iterdir()) == []


def test_the_stated_one_is_taken_and_not_written_down(
    settings: Settings, said: list[str], tmp_path: Path
) -> None:
    digest = sha256_of(write_tiny_llama(tmp_path / "same.gguf"))
    stated = settings.model_copy(update={"llm_model_sha256": digest})
    assert ensure(stated, ORIGIN, Hub(write_tiny_llama), said.append) == 0
    assert not pin_of(llm_path(settings)).exists()


def test_a_stated_one_that_is_no_digest(settings: Settings, said: list[str]) -> None:
    stated = settings.model_copy(update={"llm_model_sha256": "tiny"})
    hub = Hub(write_tiny_llama)
    assert ensure(stated, ORIGIN, hub, said.append) == EXIT_WRONG
    assert hub.asked == 0


def test_without_a_network_it_says_what_to_do(settings: Settings, said: list[str]) -> None:
    assert ensure(settings, ORIGIN, Hub(unreachable), said.append) == EXIT_UNAVAILABLE
    (line,) = [line for line in said if line.startswith("LLM:")]
    assert "The venue runs without it" in line
    assert "ConnectError" in line
    assert list(llm_path(settings).parent.iterdir()) == []
    assert "embedding model: here" in said


def test_a_wrong_embedding_model_and_no_library(
    settings: Settings, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "model_folder", lambda: tmp_path)
    monkeypatch.setattr(models, "find_spec", lambda _: None)
    code = ensure(settings, ORIGIN, Hub(write_tiny_llama), said.append)
    assert code == EXIT_UNAVAILABLE
    assert f"llama.cpp: {NOT_INSTALLED}" in said
    assert any(line.startswith("embedding model: ") and "here" not in line for line in said)
    assert any(line.startswith("LLM: here") for line in said)
