"""The limits of all rooms together, by name, for tests that compare them."""

import ast
from functools import cache
from importlib import import_module

from tests.house.source import Module, modules


def limits_modules() -> tuple[Module, ...]:
    """Return every room's `limits.py`."""
    return tuple(module for module in modules() if module.name.endswith(".limits"))


def names(module: Module) -> list[str]:
    """Return what a limits module defines; what it imports is another's."""
    return [
        node.target.id
        for node in module.tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]


@cache
def bounds() -> dict[str, int]:
    """Return the limits of all rooms by name."""
    return {
        name: getattr(import_module(module.name), name)
        for module in limits_modules()
        for name in names(module)
    }
