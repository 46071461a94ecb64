"""`everything runner` and `runner-key`: what they refuse, and where a secret is kept."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.venue.service_keys import ServiceKeyFolder
from deploy.venue.settings import Home, Settings
from schemas.errors import InputError

SECRET = "EVERYTHING_RUNNER_SECRET"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVERYTHING_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(SECRET, raising=False)
    return tmp_path / "home"


def refused(*words: str) -> str:
    done = CliRunner().invoke(app, ["runner", "--url", "http://127.0.0.1:9", *words])
    assert isinstance(done.exception, InputError), done.output
    return str(done.exception)


def test_a_runners_secret_is_for_no_other_program(home: Path) -> None:
    done = CliRunner().invoke(app, ["runner-key", "new", "far-away", "--json"])
    made = json.loads(done.stdout)
    (held,) = ServiceKeyFolder(Home(home).runner_keys).accepted("far-away")
    assert held.secret == made["secret"]
    assert ServiceKeyFolder(Home(home).program_keys).accepted("far-away") == []
    path = home / "keys" / "runners" / "far-away.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    listed = CliRunner().invoke(app, ["runner-key", "list", "--json"])
    assert [one["key_id"] for one in json.loads(listed.stdout)] == ["far-away"]
    assert made["secret"] not in listed.stdout


def test_a_runner_without_a_secret_or_name_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "runner" in refused("--name", "Far Away")
    assert SECRET in refused("--name", "far-away")
    monkeypatch.setenv(SECRET, "short")
    said = refused("--name", "far-away")
    assert SECRET in said and "short" not in said
    assert "--secret-file" in refused("--name", "far-away", "--secret-file", str(tmp_path))
    monkeypatch.setenv(SECRET, "s" * 64)
    monkeypatch.setenv("EVERYTHING_CHROMIUM", str(tmp_path / "none"))
    assert "EVERYTHING_CHROMIUM" in refused("--name", "far-away")


def test_a_venue_that_renders_elsewhere_needs_no_chromium(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERYTHING_CHROMIUM", str(tmp_path / "none"))
    assert not Settings().renders
    monkeypatch.setenv("EVERYTHING_RENDER", "elsewhere")
    assert Settings().renders and Settings().browser is None
