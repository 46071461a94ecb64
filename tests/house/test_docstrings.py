"""Every public name says what it does, unless nothing is left to say.

A docstring is asked of every module, and of every public class, function and method. What
may go without: a class of nothing but fields or of nothing at all (its name and theirs
say it), a function that is one line, an `__init__`, a property of a Protocol, and a
method that a Protocol of this project or one of its own base classes documents already.
"""

import ast
from collections.abc import Iterator
from typing import Final

import pytest

from tests.house.source import Module, modules, parse

Function = ast.FunctionDef | ast.AsyncFunctionDef
HELD: Final = ("schemas", "engines")
"""The rooms that are held to it."""

_FIELDS: Final = (ast.AnnAssign, ast.Assign, ast.Pass, ast.Expr)


def missing(module: Module, documented: frozenset[str]) -> list[str]:
    """Return the public names of `module` that lack a docstring."""
    found = []
    if module.text.strip() and ast.get_docstring(module.tree) is None:
        found.append(f"{module.name}: the module")
    for name, node in _public(module.tree, ""):
        if ast.get_docstring(node) is None and not _speaks_for_itself(name, node, documented):
            found.append(f"{module.name}:{node.lineno} {name}")
    return found


def _public(
    parent: ast.Module | ast.ClassDef, prefix: str
) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for node in parent.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node, f"{prefix}{node.name}.")


def _speaks_for_itself(
    name: str, node: Function | ast.ClassDef, documented: frozenset[str]
) -> bool:
    if isinstance(node, ast.ClassDef):
        return all(isinstance(statement, _FIELDS) for statement in node.body)
    if "." in name and node.name in documented:
        return True
    return len(node.body) == 1 and not isinstance(
        node.body[0], ast.For | ast.While | ast.If | ast.With | ast.Try | ast.Match | ast.AsyncFor
    )


def documented_methods(sources: tuple[Module, ...]) -> frozenset[str]:
    """Return the methods that Protocols and base classes of the project document."""
    names = []
    for module in sources:
        for _, node in _public(module.tree, ""):
            if isinstance(node, ast.ClassDef):
                names += [
                    method.name
                    for method in node.body
                    if isinstance(method, Function) and ast.get_docstring(method) is not None
                    if any("Protocol" in ast.unparse(base) for base in node.bases)
                ]
    return frozenset(names)


SOURCES = modules()
DOCUMENTED = documented_methods(SOURCES)


IN_HELD = [module for module in SOURCES if any(module.under(room) for room in HELD)]


@pytest.mark.parametrize("module", IN_HELD, ids=[module.name for module in IN_HELD])
def test_docstrings(module: Module) -> None:
    assert missing(module, DOCUMENTED) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x = 1", "the module"),
        ('"""M."""\ndef f():\n    x = 1\n    return x', "f"),
        ('"""M."""\ndef f():\n    for x in y:\n        z(x)', "f"),
        ('"""M."""\nasync def f():\n    x = 1\n    return x', "f"),
        ('"""M."""\nclass A:\n    def _f(self): ...', "A"),
        (
            '"""M."""\nclass A:\n    """A."""\n    def f(self):\n        x = 1\n        return x',
            "A.f",
        ),
    ],
)
def test_missing_docstring_is_caught(text: str, name: str) -> None:
    (found,) = missing(parse("planted", text), frozenset())
    assert found.endswith(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"""M."""\nclass A:\n    x: int\n    y = 2',
        '"""M."""\nclass A(Exception): ...',
        '"""M."""\ndef f():\n    return 1',
        '"""M."""\ndef _f():\n    x = 1\n    return x',
        '"""M."""\ndef f():\n    """F."""\n    def g():\n        x = 1\n        return x',
        '"""M."""\nclass A:\n    """A."""\n    def known(self):\n        x = 1\n        return x',
    ],
)
def test_what_needs_none_is_not_caught(text: str) -> None:
    assert missing(parse("planted", text), frozenset({"known"})) == []
