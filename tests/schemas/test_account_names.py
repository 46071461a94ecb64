"""Reserved names: the venue's own, and whatever looks like one of them."""

import pytest

from schemas.account_names import RESERVED, is_reserved
from schemas.subjects import DEFAULT_SHARD, ENGINES, is_account
from streams.broker.roles import services


def test_every_reserved_name_is_one_that_somebody_could_ask_for() -> None:
    assert all(is_account(name) and is_reserved(name) for name in RESERVED)


def test_the_venues_own_roles_and_engines_are_reserved() -> None:
    for name in (*ENGINES, *(role.name for role in services(DEFAULT_SHARD))):
        assert is_reserved(name), name


@pytest.mark.parametrize("name", ["fee_", "fees-", "super_admin", "engine_x", "official-ann"])
def test_what_looks_like_one_is_reserved(name: str) -> None:
    assert is_account(name)
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["alice", "administrata", "rootbeer", "feeling", "maker-1"])
def test_ordinary_names_are_free(name: str) -> None:
    assert not is_reserved(name)
