"""Every constant of a module has a use: what nothing reads says what is not so.

A constant is a name in capitals that a module of a room binds at its top. It is used if
product code reads it: in its own module, by an import of the name, or through the module.
Tests do not count. What an `__init__` only passes on is no use.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.house.source import Module, imports, modules, parse

_CONSTANT: Final = re.compile(r"_?[A-Z][A-Z0-9_]+")
BY_CONVENTION: Final = frozenset({"KIND", "REGISTRY"})
"""KIND is asked of every module of a kind of source; the golden tests go through REGISTRY."""


def constants(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of every constant that `module` binds."""
    for node in module.tree.body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            for name in ast.walk(target):
                if isinstance(name, ast.Name) and _CONSTANT.fullmatch(name.id):
                    yield node.lineno, name.id


def uses(module: Module) -> Iterator[str]:
    """Yield the dotted names of all that `module` may read, its own included."""
    names = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            lines = ast.Module([node], [])
            found = [name for _, name in imports(module._replace(tree=lines))]
            for alias, name in zip(node.names, found, strict=True):
                names[alias.asname or alias.name] = name
    if not module.is_package:
        yield from names.values()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield names.get(node.id, f"{module.name}.{node.id}")
        elif isinstance(node, ast.Attribute):
            base, _, name = ast.unparse(node).rpartition(".")
            head, dot, rest = base.partition(".")
            yield f"{names.get(head, head)}{dot}{rest}.{name}"


def unused(rooms: tuple[Module, ...]) -> list[str]:
    """Return the constants of `rooms` that nothing in `rooms` uses."""
    used = frozenset(name for module in rooms for name in uses(module))
    return [
        f"{module.name}:{line} {name}"
        for module in rooms
        for line, name in constants(module)
        if name not in BY_CONVENTION and f"{module.name}.{name}" not in used
    ]


def test_every_constant_is_used() -> None:
    assert unused(modules()) == []


def test_constants_are_looked_at() -> None:
    found = [name for module in modules() for _, name in constants(module)]
    assert len(found) > 500
    assert "MAX_PAYLOAD_BYTES" in found


def planted(text: str, other: str = "", *, package: bool = False) -> list[str]:
    one, two = parse("schemas.one", text), parse("schemas.two", other, package=package)
    return [words.rpartition(" ")[2] for words in unused((one, two))]


def test_planted_sample_is_caught() -> None:
    assert planted("MAX_A: Final = 1") == ["MAX_A"]
    assert planted("MAX_A = 1\n_MAX_B = MAX_A") == ["_MAX_B"]
    assert planted("MAX_A = MAX_B = 1\nx = MAX_A") == ["MAX_B"]
    assert planted("A, B_C = 1, 2", "") == ["B_C"]
    assert planted("MAX_A = 1", "MAX_A = 2\nx = MAX_A") == ["MAX_A"]
    assert planted("MAX_A = 1", "from schemas.one import MAX_A", package=True) == ["MAX_A"]
    assert planted("MAX_A = 1", "from schemas import one\nx = one.MAX_B") == ["MAX_A"]


def test_used_sample_is_not_caught() -> None:
    assert planted("MAX_A = 1\nx = MAX_A") == []
    assert planted("MAX_A = 1", "from schemas.one import MAX_A") == []
    assert planted("MAX_A = 1", "def f():\n    from schemas.one import MAX_A as A") == []
    assert planted("MAX_A = 1", "from schemas import one\nx = one.MAX_A") == []
    assert planted("MAX_A = 1", "import schemas.one as o\nx = o.MAX_A") == []
    assert planted("MAX_A = 1", "import schemas.one\nx = schemas.one.MAX_A") == []
    assert planted("MAX_A = 1", "from .one import MAX_A") == []
