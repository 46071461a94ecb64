"""The key folder."""

import stat
from pathlib import Path

import pytest

from schemas.errors import ConfigDrift
from streams.broker import roles
from streams.broker.keyring import ISSUER, ensure_service_keys


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
