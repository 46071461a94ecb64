"""Who may import whom: the arrows of the house (docs: the map of the rooms)."""

import sys
from typing import Final

import pytest

from tests.house.source import Module, imports, modules, parse, under

SCHEMAS: Final = "everything.schemas"
KERNEL: Final = "everything.engines.kernel"
LOG: Final = "everything.streams.log"

MAY_IMPORT: Final[dict[str, tuple[str, ...]]] = {
    SCHEMAS: (SCHEMAS,),
    "everything.engines": (SCHEMAS, KERNEL),  # and each engine itself, see below
    LOG: (SCHEMAS, KERNEL, LOG),
    "everything.streams": (SCHEMAS, "everything.streams"),
    "everything.projections": (SCHEMAS, LOG, "everything.projections"),
    "everything.replay": (
        SCHEMAS,
        "everything.engines",
        "everything.streams",
        "everything.projections",
        "everything.replay",
    ),
    "everything.deploy": ("everything",),
    "everything": (),
}
"""What of the project each room may import; the longest room that fits is a module's own."""

OUTSIDE: Final[dict[str, tuple[str, ...]]] = {
    SCHEMAS: ("msgspec", "pydantic", "nkeys", "nacl"),
    "everything.engines": ("msgspec",),
}
"""Third-party packages, for rooms that are not free to choose."""


def room_of(name: str, rooms: dict[str, tuple[str, ...]]) -> str:
    return max((room for room in rooms if under(name, room)), key=len, default="")


def allowed(module: Module) -> tuple[str, ...]:
    room = room_of(module.name, MAY_IMPORT)
    if room == "everything.engines":
        return (*MAY_IMPORT[room], ".".join(module.name.split(".")[:3]))
    return MAY_IMPORT[room]


def wrong_imports(module: Module) -> list[str]:
    """Return the imports of `module` that its room may not have."""
    wrong = []
    for line, name in imports(module):
        if name == "everything":
            good = True  # the bare package: it imports nothing, and gives only its place
        elif under(name, "everything"):
            good = any(under(name, room) for room in allowed(module))
        else:
            good = _outside_is_allowed(module, name)
        if not good:
            wrong.append(f"{module.name}:{line} imports {name}")
    return wrong


def _outside_is_allowed(module: Module, name: str) -> bool:
    packages = OUTSIDE.get(room_of(module.name, OUTSIDE))
    top = name.partition(".")[0]
    return packages is None or top in packages or top in sys.stdlib_module_names


@pytest.mark.parametrize("module", modules(), ids=[module.name for module in modules()])
def test_arrows(module: Module) -> None:
    assert wrong_imports(module) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("everything.schemas.x", "import everything.engines.kernel"),
        ("everything.schemas.x", "import nats"),
        ("everything.engines.kernel", "from everything.engines.pricing import PricingEngine"),
        ("everything.engines.pricing.x", "from everything.engines import exchange"),
        ("everything.engines.pricing.x", "from everything.engines.exchange.engine import E"),
        ("everything.engines.pricing.x", "from ..exchange import E"),
        ("everything.engines.pricing.x", "def f():\n    import everything.streams.log"),
        ("everything.engines.pricing.x", "if TYPE_CHECKING:\n    import structlog"),
        ("everything.streams.log.host", "from everything.engines.exchange import ExchangeEngine"),
        ("everything.streams.log.host", "from everything.streams.gateway import app"),
        ("everything.streams.gateway.x", "from everything.projections import api"),
        ("everything.streams.gateway.x", "from everything.engines import kernel"),
        ("everything.projections.x", "import everything.engines"),
        ("everything.projections.x", "from everything.streams import gateway"),
        ("everything.projections.x", "from everything.replay import verify"),
        ("everything.replay.x", "from everything import deploy"),
        ("everything.streams.broker.x", "import everything.deploy.cli"),
    ],
)
def test_wrong_arrow_is_caught(name: str, text: str) -> None:
    assert len(wrong_imports(parse(name, text))) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("everything.schemas.x", "import re, msgspec\nfrom everything.schemas import codec"),
        ("everything.engines.pricing.x", "from everything.engines.pricing.y import z"),
        (
            "everything.engines.pricing.x",
            "from .y import z\nfrom everything.engines.kernel import fold",
        ),
        ("everything.streams.log.host", "from everything.engines.kernel import Engine"),
        (
            "everything.projections.x",
            "from everything.streams.log.ports import Log\nimport psycopg",
        ),
        (
            "everything.replay.x",
            "from everything.engines.exchange import E\nimport everything.projections",
        ),
        ("everything.deploy.x", "from everything.replay import verify"),
    ],
)
def test_right_arrow_is_not_caught(name: str, text: str) -> None:
    assert wrong_imports(parse(name, text)) == []


def test_relative_imports_of_a_package_are_resolved() -> None:
    module = parse("everything.engines.pricing", "from .engine import P", package=True)
    assert list(imports(module)) == [(1, "everything.engines.pricing.engine.P")]
