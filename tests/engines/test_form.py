"""All engines have one form, so that what is known of one is known of all."""

from importlib import import_module
from typing import Any, Final, get_args

import pytest

import engines
from engines.kernel import Engine
from schemas.subjects import ENGINES
from tests.house.source import ROOT

READS_NO_INPUT: Final = ("notary",)
"""Engines that take the bytes of their inputs as they are."""


def engine(name: str) -> Engine[Any]:
    made: Engine[Any] = getattr(import_module(f"engines.{name}"), f"{name.capitalize()}Engine")()
    return made


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_has_the_same_files(name: str) -> None:
    folder = ROOT / "engines" / name
    wanted = {"__init__.py", "engine.py", "state.py", "evolve.py", "limits.py", "inputs.py"}
    if name in READS_NO_INPUT:
        wanted.remove("inputs.py")
    assert wanted <= {path.name for path in folder.iterdir()}
    assert (folder / "decide.py").exists() != (folder / "decide" / "__init__.py").exists()


def test_every_folder_is_an_engine() -> None:
    folders = {path.name for path in (ROOT / "engines").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == set(ENGINES)
    assert engines.__doc__


@pytest.mark.parametrize("name", ENGINES)
def test_every_event_has_its_handler(name: str) -> None:
    handlers = import_module(f"engines.{name}.evolve").EVENT_HANDLERS
    events = import_module(f"schemas.events.{name}").Event
    assert set(handlers) == set(get_args(events) or (events,))


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_is_named_by_its_folder(name: str) -> None:
    assert engine(name).name == name
    assert engine(name).decider.startswith(f"{name}/")


@pytest.mark.parametrize("name", ENGINES)
def test_an_empty_state_survives_its_dump(name: str) -> None:
    one = engine(name)
    data = one.dump(one.initial())
    assert one.dump(one.load(data)) == data
