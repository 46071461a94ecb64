"""What holds for every file: nothing of this machine in it, and no module too long."""

import sys
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import ROOT, Module, files, modules, parse

MAX_MODULE_LINES: Final = 800
"""A file is cut where a concept ends; one that is longer holds more than one."""

_REGISTRIES: Final = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
    )
)
"""Put together here, so that this file does not hold what it looks for."""


def places() -> list[str]:
    """Return the paths by which this machine knows the project and its user."""
    found = ["/".join(("", "work", "")), str(ROOT), sys.prefix, str(Path.home())]
    return [place for place in found if len(place) > len("/root")]


def offences(text: str) -> list[str]:
    return [word for word in (*_REGISTRIES, *places()) if word in text]


def texts() -> list[Path]:
    return [path for path in files() if b"\0" not in path.read_bytes()[:8_000]]


def test_no_path_of_a_machine_and_no_registry_in_any_file() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): offences(
            path.read_text(encoding="utf-8", errors="replace")
        )
        for path in texts()
    }
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize("word", [*_REGISTRIES, *places()])
def test_planted_word_is_caught(word: str) -> None:
    assert word in offences(f"see https://x.{word}/y")


def test_the_project_has_files() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in files()}
    assert "pyproject.toml" in names
    assert "schemas/codec.py" in names


ALL_MODULES = [*modules(), *modules("tests")]


def is_too_long(module: Module) -> bool:
    return module.text.count("\n") > MAX_MODULE_LINES


@pytest.mark.parametrize("module", ALL_MODULES, ids=[module.name for module in ALL_MODULES])
def test_module_length(module: Module) -> None:
    assert not is_too_long(module)


def test_planted_long_module_is_caught() -> None:
    assert is_too_long(parse("m", "x = 1\n" * (MAX_MODULE_LINES + 1)))
    assert not is_too_long(parse("m", "x = 1\n" * MAX_MODULE_LINES))
