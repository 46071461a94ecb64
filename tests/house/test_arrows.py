"""Who may import whom: the arrows of the house (docs: the map of the rooms)."""

import sys
from typing import Final

import pytest

from tests.house.source import ROOMS, Module, imports, modules, parse, under

SCHEMAS: Final = "schemas"
KERNEL: Final = "engines.kernel"
LOG: Final = "streams.log"
HOST: Final = "streams.host"

MAY_IMPORT: Final[dict[str, tuple[str, ...]]] = {
    SCHEMAS: (SCHEMAS,),
    "engines": (SCHEMAS, KERNEL),  # and each engine itself, see below
    LOG: (SCHEMAS, LOG),
    HOST: (SCHEMAS, KERNEL, LOG, HOST),
    "streams": (SCHEMAS, "streams"),
    "projections": (SCHEMAS, LOG, "projections"),
    "replay": (
        SCHEMAS,
        "engines",
        "streams",
        "projections",
        "replay",
    ),
    "deploy": ROOMS,
}
"""What of the project each room may import; the longest room that fits is a module's own."""

OUTSIDE: Final[dict[str, tuple[str, ...]]] = {
    SCHEMAS: ("msgspec", "pydantic", "nkeys", "nacl"),
    "engines": ("msgspec",),
}
"""Third-party packages, for rooms that are not free to choose."""


def room_of(name: str, rooms: dict[str, tuple[str, ...]]) -> str:
    return max((room for room in rooms if under(name, room)), key=len, default="")


def allowed(module: Module) -> tuple[str, ...]:
    room = room_of(module.name, MAY_IMPORT)
    if room == "engines":
        return (*MAY_IMPORT[room], ".".join(module.name.split(".")[:2]))
    return MAY_IMPORT[room]


def wrong_imports(module: Module) -> list[str]:
    """Return the imports of `module` that its room may not have."""
    wrong = []
    for line, name in imports(module):
        if name.partition(".")[0] in ROOMS:
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
        ("schemas.x", "import engines.kernel"),
        ("schemas.x", "import nats"),
        ("engines.kernel", "from engines.pricing import PricingEngine"),
        ("engines.pricing.x", "from engines import exchange"),
        ("engines.pricing.x", "from engines.exchange.engine import E"),
        ("engines.pricing.x", "from ..exchange import E"),
        ("engines.pricing.x", "def f():\n    import streams.log"),
        ("engines.pricing.x", "if TYPE_CHECKING:\n    import structlog"),
        ("streams.host.host", "from engines.exchange import ExchangeEngine"),
        ("streams.host.host", "from streams.gateway import app"),
        ("streams.log.x", "from engines.kernel import Engine"),
        ("streams.log.x", "from streams.host import host"),
        ("streams.gateway.x", "from projections import api"),
        ("streams.gateway.x", "from engines import kernel"),
        ("projections.x", "import engines"),
        ("projections.x", "from streams import gateway"),
        ("projections.x", "from replay import verify"),
        ("replay.x", "import deploy"),
        ("streams.broker.x", "import deploy.cli"),
    ],
)
def test_wrong_arrow_is_caught(name: str, text: str) -> None:
    assert len(wrong_imports(parse(name, text))) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("schemas.x", "import re, msgspec\nfrom schemas import codec"),
        ("engines.pricing.x", "from engines.pricing.y import z"),
        (
            "engines.pricing.x",
            "from .y import z\nfrom engines.kernel import fold",
        ),
        ("streams.host.host", "from engines.kernel import Engine"),
        (
            "projections.x",
            "from streams.log.ports import Log\nimport asyncpg",
        ),
        (
            "replay.x",
            "from engines.exchange import E\nimport projections",
        ),
        ("deploy.x", "from replay import verify"),
    ],
)
def test_right_arrow_is_not_caught(name: str, text: str) -> None:
    assert wrong_imports(parse(name, text)) == []


def test_relative_imports_of_a_package_are_resolved() -> None:
    module = parse("engines.pricing", "from .engine import P", package=True)
    assert list(imports(module)) == [(1, "engines.pricing.engine.P")]
