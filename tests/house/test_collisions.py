"""No distribution that is installed beside us, nor the standard library, has a room's name.

The rooms are top-level packages (decision 0051): a module of the same name elsewhere would
be imported in place of ours, or ours in place of it.
"""

import sys
from importlib.metadata import packages_distributions

import pytest

from tests.house.source import ROOMS

OURS = "everything-market"
FOLDERS = (*ROOMS, "web", "tests", "docs", "examples")


def owners(name: str, installed: dict[str, list[str]]) -> list[str]:
    """Return which other distributions bring a top-level module `name`."""
    return sorted({owner for owner in installed.get(name, []) if owner != OURS})


@pytest.mark.parametrize("name", FOLDERS)
def test_no_other_distribution_has_the_name(name: str) -> None:
    assert owners(name, dict(packages_distributions())) == []


@pytest.mark.parametrize("name", FOLDERS)
def test_the_standard_library_does_not_have_the_name(name: str) -> None:
    assert name not in sys.stdlib_module_names


def test_a_collision_is_noticed() -> None:
    installed = {"schemas": [OURS, "another"], "replay": [OURS]}
    assert owners("schemas", installed) == ["another"]
    assert owners("replay", installed) == []
