"""Service keys: files that only their owner reads, rotation, and what the CLI shows of them."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app, main
from deploy.limits import MAX_SERVICE_SECRETS
from deploy.venue.keys import KeyExists, KeyMissing
from deploy.venue.service_keys import ServiceKeyFolder
from deploy.venue.settings import BadSettings, Home, Settings
from schemas.errors import EverythingError, InputError
from schemas.limits import MIN_SECRET_BYTES, ROTATION_OVERLAP_NS
from schemas.services import ServiceSecret

NOW = 1_800_000_000 * 10**9


@pytest.fixture
def folder(tmp_path: Path) -> ServiceKeyFolder:
    return ServiceKeyFolder(tmp_path / "hmac")


def test_a_key_is_kept_for_its_owner_alone(folder: ServiceKeyFolder, tmp_path: Path) -> None:
    secret = folder.create("robot", NOW)
    assert len(bytes.fromhex(secret)) == MIN_SECRET_BYTES
    assert folder.accepted("robot") == [ServiceSecret(secret, None)]
    path = tmp_path / "hmac" / "robot.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["robot.json"]


def test_a_key_is_made_once(folder: ServiceKeyFolder) -> None:
    secret = folder.create("robot", NOW)
    with pytest.raises(KeyExists):
        folder.create("robot", NOW)
    assert folder.accepted("robot")[0].secret == secret


def test_rotation_accepts_both_for_a_day(folder: ServiceKeyFolder) -> None:
    first = folder.create("robot", NOW)
    second = folder.rotate("robot", NOW)
    lapses = NOW + ROTATION_OVERLAP_NS
    assert folder.accepted("robot") == [ServiceSecret(second, None), ServiceSecret(first, lapses)]
    third = folder.rotate("robot", lapses - 1)
    assert [one.secret for one in folder.accepted("robot")] == [third, second, first]
    assert folder.accepted("robot")[2].lapses_ns == lapses
    fourth = folder.rotate("robot", lapses)
    assert [one.secret for one in folder.accepted("robot")] == [fourth, third, second]


def test_secrets_are_bounded(folder: ServiceKeyFolder) -> None:
    folder.create("robot", NOW)
    for _ in range(MAX_SERVICE_SECRETS - 1):
        folder.rotate("robot", NOW)
    before = folder.accepted("robot")
    with pytest.raises(InputError):
        folder.rotate("robot", NOW)
    assert folder.accepted("robot") == before


def test_unknown_and_broken_keys_are_none(folder: ServiceKeyFolder, tmp_path: Path) -> None:
    assert folder.accepted("robot") == []
    with pytest.raises(KeyMissing):
        folder.rotate("robot", NOW)
    for name in ("../robot", "", "ROBOT", "a/b", "r" * 65):
        assert folder.accepted(name) == []
        with pytest.raises(InputError):
            folder.create(name, NOW)
    folder.create("robot", NOW)
    secret = folder.accepted("robot")[0].secret
    (tmp_path / "hmac" / "robot.json").write_text(secret)
    assert folder.accepted("robot") == []
    with pytest.raises(InputError) as broken:
        folder.load("robot")
    assert secret not in str(broken.value)


def test_the_environments_key(tmp_path: Path) -> None:
    folder = ServiceKeyFolder(tmp_path, "from the environment")
    assert folder.accepted("default") == [ServiceSecret("from the environment", None)]
    assert folder.accepted("robot") == []
    assert folder.listed() == []


def test_the_environments_secret_is_long_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    short = "x" * (MIN_SECRET_BYTES - 1)
    monkeypatch.setenv("REALITY_API_SECRET", short)
    with pytest.raises(BadSettings, match="REALITY_API_SECRET") as refused:
        Settings()
    assert short not in str(refused.value)
    monkeypatch.setenv("REALITY_API_SECRET", short + "x")
    settings = Settings()
    assert settings.reality_api_secret is not None
    assert settings.reality_api_secret.get_secret_value() == short + "x"
    assert short not in repr(settings)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["service-key", *arguments, "--json"])
    if isinstance(done.exception, EverythingError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERYTHING_HOME", str(tmp_path))
    folder = ServiceKeyFolder(Home(tmp_path).program_keys)
    assert json.loads(run("list")) == []
    made = json.loads(run("new", "robot"))
    assert made == {"key_id": "robot", "secret": folder.accepted("robot")[0].secret}
    turned = json.loads(run("rotate", "robot"))
    assert [one.secret for one in folder.accepted("robot")] == [turned["secret"], made["secret"]]
    listed = run("list")
    assert [key["key_id"] for key in json.loads(listed)] == ["robot"]
    assert "24.0 h more" in listed
    assert made["secret"] not in listed
    assert turned["secret"] not in listed
    for refused in (("new", "robot"), ("new", "default"), ("rotate", "nobody")):
        with pytest.raises(InputError):
            run(*refused)


def test_a_setting_that_makes_no_sense_is_one_line_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REALITY_API_SECRET", "hunter2")
    monkeypatch.setattr("sys.argv", ["everything", "service-key", "list"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert ended.value.code == 1
    assert "bad_settings" in told.err
    assert "REALITY_API_SECRET" in told.err
    assert "hunter2" not in told.out + told.err
