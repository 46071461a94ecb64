"""An event with many fields is built by their names: two numbers of one type are easily swapped.

Keywords are not required by the Structs (`kw_only`): OrderPlaced and Traded are built for every
order, and keywords take 150 ns more of about 6 us. Scenario tests hold the order of theirs.
"""

import ast
from collections.abc import Iterator
from typing import Final, get_args

import pytest

from schemas.events import Event
from tests.house.source import Module, modules, parse

MAX_POSITIONAL: Final = 4
"""An event with so many fields may be built without their names."""
HOT: Final = frozenset({"OrderPlaced", "Traded"})
FIELDS: Final = {event.__name__: len(event.__struct_fields__) for event in get_args(Event)}


def unnamed(module: Module) -> Iterator[str]:
    """Yield where `module` builds an event with many fields by position."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if node.args and FIELDS.get(name, 0) > MAX_POSITIONAL and name not in HOT:
                yield f"{module.name}:{node.lineno} {name}"


def test_events_with_many_fields_are_built_by_name() -> None:
    built = [place for module in modules("engines", "replay") for place in unnamed(module)]
    assert built == []


@pytest.mark.parametrize(
    "text",
    [
        "BlendSet(1, name, 2, 3, 4)",
        "pricing.BlendSet(*all)",
        "x = [f(1), BlendSet(cause, b=1)]",
    ],
)
def test_planted_event_is_caught(text: str) -> None:
    (found,) = unnamed(parse("m", text))
    assert found == "m:1 BlendSet"


@pytest.mark.parametrize(
    "text", ["BlendSet(cause=1, symbol=name)", "OrderPlaced(1, 2)", "IdsForgotten(1, 2)", "f(1)"]
)
def test_what_needs_no_names_is_not_caught(text: str) -> None:
    assert list(unnamed(parse("m", text))) == []
