"""The project's own files, as the house tests look at them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("schemas", "engines", "streams", "projections", "replay", "deploy")
"""The rooms: packages at the root, from what imports nothing to what imports all."""
_NOT_OURS: Final = {".git", ".venv", "node_modules", "build", "dist", "data", "__pycache__"}


class Module(NamedTuple):
    """A Python file: its dotted name, its text and its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    def __repr__(self) -> str:
        return f"Module({self.name})"  # a failing test need not show the whole text

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    def under(self, room: str) -> bool:
        """Tell whether the module is `room` or in it."""
        return under(self.name, room)


def under(name: str, room: str) -> bool:
    """Tell whether the dotted `name` is `room` or in it."""
    return name == room or name.startswith(room + ".")


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Return all Python modules below some folders of the repository, or in all rooms."""
    chosen = folders or ROOMS
    return tuple(_read(path) for name in chosen for path in sorted((ROOT / name).rglob("*.py")))


def _read(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    text = path.read_text(encoding="utf-8")
    return Module(".".join(parts), path, text, ast.parse(text, str(path)))


def parse(name: str, text: str, *, package: bool = False) -> Module:
    """Return a module that is not there, for tests of the tests."""
    file = "__init__.py" if package else name.rpartition(".")[2] + ".py"
    return Module(name, Path(file), text, ast.parse(text))


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of everything that `module` imports, wherever it does.

    `from a import b` gives `a.b`: it may be a module, and a name is under `a` anyway.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    up = node.level - 1 if module.is_package else node.level
    base = module.name.split(".")[: -up or None]
    return ".".join([*base, node.module] if node.module else base)


def files() -> list[Path]:
    """Return every file that is, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:  # a source archive
        found = [path for path in ROOT.rglob("*") if not _NOT_OURS & {*path.parts}]
    return [path for path in found if path.is_file()]
