"""The key folder and the conf that is rendered from it."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from everything.schemas.errors import ConfigDrift
from everything.streams.broker import roles
from everything.streams.broker.config import Place, render
from everything.streams.broker.keyring import ISSUER, ensure_service_keys
from everything.streams.broker.server import binary


def place(folder: Path) -> Place:
    return Place(store=folder / "store", port=4222, monitor_port=8222)


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    first = ensure_service_keys(tmp_path / "keys", "main")
    again = ensure_service_keys(tmp_path / "keys", "main")
    assert first.public == again.public
    assert first.issuer == again.issuer
    assert set(first.public) == {role.name for role in roles.services("main")}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    ensure_service_keys(tmp_path, "main")
    (tmp_path / "gateway.nk").chmod(0o640)
    with pytest.raises(ConfigDrift, match="gateway"):
        ensure_service_keys(tmp_path, "main")


@pytest.mark.parametrize("content", ["", "rubbish", "SU" + "A" * 56, "é"])
def test_a_file_without_a_seed_is_refused(tmp_path: Path, content: str) -> None:
    ensure_service_keys(tmp_path, "main")
    (tmp_path / "feeds.nk").write_text(content)
    with pytest.raises(ConfigDrift, match="feeds"):
        ensure_service_keys(tmp_path, "main")


def test_a_seed_of_another_kind_is_refused(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path, "main")
    (tmp_path / "feeds.nk").write_text(keyring.seed(ISSUER))
    with pytest.raises(ConfigDrift, match="no seed of kind user"):
        ensure_service_keys(tmp_path, "main")


def test_the_server_accepts_the_conf(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    conf = tmp_path / "nats.conf"
    conf.write_text(render(place(tmp_path), "main", keyring))
    checked = subprocess.run([binary(), "-t", "-c", conf], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_no_seed_is_in_the_conf(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    text = render(place(tmp_path), "main", keyring)
    for name in (ISSUER, *keyring.public):
        assert keyring.seed(name) not in text


def test_the_conf_keeps_to_loopback_and_syncs_always(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    conf = json.loads(render(place(tmp_path), "main", keyring).partition("\n")[2])
    assert conf["listen"] == "127.0.0.1:4222"
    assert conf["http"] == "127.0.0.1:8222"
    assert conf["jetstream"]["sync_interval"] == "always"
    assert "no_auth_user" not in conf


def test_every_user_has_an_allow_list(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    conf = json.loads(render(place(tmp_path), "main", keyring).partition("\n")[2])
    users = [user for account in conf["accounts"].values() for user in account["users"]]
    assert len(users) == len(roles.services("main"))
    for user in users:
        for rules in user["permissions"].values():
            assert rules.get("allow") or rules["deny"] == [">"]
            assert ">" not in rules.get("allow", [])
