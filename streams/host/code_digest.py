"""The digest of an engine's code, which says whose snapshots the engine may start from.

It covers the sources that decide what the engine's state is: the kernel, the engine's own
folder, and every module of ours that these import, directly or through others. A change
anywhere else (another engine, a read model, a message that the engine does not know) leaves
its snapshots valid.
"""

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import schemas

ROOMS: Final = ("schemas", "engines")
"""What an engine may import of ours; the digest goes no further."""


@cache
def code_digest(engine: str) -> str:
    """Return the SHA-256 over the sources of `engine`, an engine of this installation.

    An engine from outside (in tests) has no folder here: it has the kernel's digest.
    """
    return digest_of(Path(schemas.__file__).parents[1], engine)


def digest_of(root: Path, engine: str) -> str:
    """Return the SHA-256 over paths and bytes of the sources of `engine` below `root`."""
    total = sha256()
    for path in sources_of(root, engine):
        content = path.read_bytes()
        total.update(b"%b %d\n" % (path.relative_to(root).as_posix().encode(), len(content)))
        total.update(content)
    return total.hexdigest()


def sources_of(root: Path, engine: str) -> list[Path]:
    """Return the files that decide what the state of `engine` is, in the order of their paths."""
    waiting = [root / "engines" / "kernel.py", *(root / "engines" / engine).rglob("*.py")]
    found = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(root, path)
    return sorted(found, key=lambda path: path.relative_to(root).parts)


def _imported(root: Path, path: Path) -> Iterator[Path]:
    """Yield our files that are run when the module in `path` imports what it does."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_bytes(), path.name)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            for alias in node.names:  # a module in the package, or a name in the module
                yield from _files(root, [*base, alias.name])


def _files(root: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the file of the module that `parts` name, and of every package around it."""
    if parts[0] in ROOMS:
        for length in range(1, len(parts) + 1):
            place = root.joinpath(*parts[:length])
            for path in (place / "__init__.py", place.with_suffix(".py")):
                if path.is_file():
                    yield path
