"""What must not stand in a pure room, found in a module's syntax tree.

An engine that decides the same inputs again must come to the same bytes, on another
machine, another day and another interpreter. So: no floating point, no time but what it
is told, no chance, no environment, and no order that hashing decides.
"""

import ast
from typing import Final

from tests.house.source import Module, imports

BANNED_MODULES: Final = frozenset(
    [
        "time",
        "datetime",
        "zoneinfo",
        "calendar",
        "random",
        "secrets",
        "uuid",
        "os",
        "sys",
        "platform",
        "locale",
        "getpass",
        "math",
        "cmath",
        "statistics",
        "socket",
        "ssl",
        "asyncio",
        "threading",
        "multiprocessing",
        "concurrent",
        "subprocess",
        "signal",
        "select",
        "io",
        "pathlib",
        "tempfile",
        "shutil",
        "glob",
        "logging",
        "urllib",
        "http",
        "importlib",
        "pickle",
        "contextvars",
        "weakref",
        "gc",
        "ctypes",
        "unicodedata",
    ]
)
BANNED_NAMES: Final = frozenset(
    [
        "float",
        "complex",
        "hash",
        "id",
        "open",
        "input",
        "print",
        "eval",
        "exec",
        "compile",
        "globals",
        "locals",
        "vars",
        "dir",
        "__import__",
        "breakpoint",
    ]
)
_SETS: Final = frozenset({"set", "frozenset", "AbstractSet", "MutableSet"})
_ORDERED_BY_HASH: Final = frozenset(
    [
        "list",
        "tuple",
        "iter",
        "next",
        "enumerate",
        "zip",
        "map",
        "filter",
        "reversed",
        "fromkeys",
        "join",
        "extend",
    ]
)
"""Calls whose result has the order in which they go through their argument."""


def findings(module: Module) -> list[str]:
    """Return what is wrong in `module`, with lines."""
    finder = _Finder(_set_names(module.tree))
    finder.visit(module.tree)
    for line, name in imports(module):
        if name.partition(".")[0] in BANNED_MODULES:
            finder.found.append((line, f"import of {name}"))
    return [f"{module.name}:{line}: {what}" for line, what in sorted(finder.found)]


def _set_names(tree: ast.Module) -> frozenset[str]:
    """Return names and attributes that are anywhere assigned, or declared to be, a set."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg) and _is_set_type(node.annotation):
            names += [node.arg] if isinstance(node, ast.arg) else _names_in(node.target)
        elif isinstance(node, ast.Assign) and _makes_set(node.value, frozenset()):
            names += [name for target in node.targets for name in _names_in(target)]
        elif isinstance(node, ast.AnnAssign) and node.value and _makes_set(node.value, frozenset()):
            names += _names_in(node.target)
    return frozenset(names)


def _names_in(target: ast.expr) -> list[str]:
    if isinstance(target, ast.Name):
        return [target.id]
    return [target.attr] if isinstance(target, ast.Attribute) else []


def _is_set_type(annotation: ast.expr | None) -> bool:
    if isinstance(annotation, ast.Subscript):
        return _is_set_type(annotation.value)
    return isinstance(annotation, ast.Name) and annotation.id in _SETS


def _makes_set(node: ast.expr, names: frozenset[str]) -> bool:
    """Tell whether an expression is a set, as far as the text shows."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=called)):
            return called in _SETS
        case ast.Call(func=ast.Attribute(attr="union" | "intersection" | "difference")):
            return True
        case ast.BinOp(
            left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right
        ):
            return _makes_set(left, names) or _makes_set(right, names)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in names
    return False


class _Finder(ast.NodeVisitor):
    def __init__(self, set_names: frozenset[str]) -> None:
        self.set_names = set_names
        self.found: list[tuple[int, str]] = []

    def _report(self, node: ast.AST, what: str) -> None:
        self.found.append((getattr(node, "lineno", 0), what))

    def _check_order(self, node: ast.expr) -> None:
        if _makes_set(node, self.set_names):
            self._report(node, "iteration over a set")

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float | complex):
            self._report(node, f"float literal {node.value!r}")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            self._report(node, "true division")
        if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.UnaryOp):
            self._report(node, "negative power")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.Div):
            self._report(node, "true division")
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and node.id in BANNED_NAMES:
            self._report(node, f"use of {node.id}")

    def visit_For(self, node: ast.For) -> None:
        self._check_order(node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._check_order(node.iter)
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        self._check_order(node.value)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if isinstance(node.func, ast.Attribute):
            called = node.func.attr
            if called == "pop" and not node.args:
                self._check_order(node.func.value)
        if called in _ORDERED_BY_HASH:
            for argument in node.args:
                self._check_order(argument)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self._report(node, "global state")

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._report(node, "a coroutine")

    def visit_With(self, node: ast.With) -> None:
        self._report(node, "a context manager: what would it hold?")
