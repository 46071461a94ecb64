"""The code digest changes with what an engine's state rests on, and with nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streams.host.code_digest import code_digest, digest_of, sources_of
from tests.house.source import ROOT

ENGINES = ("exchange", "governance", "notary", "pricing", "reality")


def names(root: Path, engine: str) -> list[str]:
    return [path.relative_to(root).as_posix() for path in sources_of(root, engine)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the rooms, to change."""
    root = tmp_path_factory.mktemp("rooms")
    for room in ("schemas", "engines", "projections", "streams"):
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def changes(root: Path, engine: str, name: str) -> bool:
    """Tell whether one more line in the file `name` changes the digest of `engine`."""
    path = root / name
    before, text = digest_of(root, engine), path.read_bytes()
    path.write_bytes(text + b"# changed\n")
    try:
        return digest_of(root, engine) != before
    finally:
        path.write_bytes(text)


@pytest.mark.parametrize(
    "name",
    [
        "engines/__init__.py",
        "engines/kernel.py",
        "engines/exchange/__init__.py",
        "engines/exchange/book.py",
        "engines/exchange/limits.py",
        "schemas/__init__.py",
        "schemas/chain.py",
        "schemas/commands.py",
        "schemas/events/exchange.py",
        "schemas/limits.py",
        "schemas/units.py",
    ],
)
def test_what_the_exchange_rests_on_changes_its_digest(copy: Path, name: str) -> None:
    assert changes(copy, "exchange", name)


@pytest.mark.parametrize(
    "name",
    [
        "engines/notary/engine.py",
        "engines/pricing/engine.py",
        "engines/reality/engine.py",
        "projections/limits.py",
        "projections/store/projection.py",
        "schemas/feed.py",
        "schemas/jobs.py",
        "schemas/sessions.py",
        "streams/host/limits.py",
        "streams/host/snapshots.py",
    ],
)
def test_what_it_does_not_rest_on_leaves_its_digest(copy: Path, name: str) -> None:
    assert not changes(copy, "exchange", name)


def test_a_file_more_or_under_another_name_changes_the_digest(copy: Path) -> None:
    before = digest_of(copy, "pricing")
    added = copy / "engines" / "pricing" / "added.py"
    added.write_text("")
    more = digest_of(copy, "pricing")
    renamed = added.rename(added.with_name("named.py"))
    other = digest_of(copy, "pricing")
    renamed.unlink()
    assert len({before, more, other}) == 3
    assert digest_of(copy, "pricing") == before


@pytest.mark.parametrize("engine", ENGINES)
def test_sources_hold_every_module_that_the_interpreter_loads(engine: str) -> None:
    script = (
        "import sys, pkgutil, importlib\n"
        f"import engines.kernel, engines.{engine} as engine\n"
        "for found in pkgutil.walk_packages(engine.__path__, engine.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "for name, module in sys.modules.items():\n"
        "    if name.partition('.')[0] in ('schemas', 'engines'): print(module.__file__)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {Path(line).relative_to(ROOT).as_posix() for line in told.stdout.splitlines()}
    assert loaded == set(names(ROOT, engine))


def test_every_way_to_import_is_followed(tmp_path: Path) -> None:
    texts = {
        "engines/__init__.py": "",
        "engines/kernel.py": "import os, schemas.a as a",
        "engines/toy/__init__.py": "from .x import X",
        "engines/toy/x.py": "def f():\n    from schemas.b import B\n    from ..other import y",
        "engines/other/__init__.py": "",
        "engines/other/y.py": "",
        "engines/third/z.py": "",
        "schemas/__init__.py": "",
        "schemas/a.py": "from schemas import c, d",
        "schemas/b.py": "from schemas.pack import name\nfrom streams.log import Log",
        "schemas/c.py": "from schemas import a",
        "schemas/d.py": "",
        "schemas/e.py": "import schemas.a",
        "schemas/pack/__init__.py": "from . import inner",
        "schemas/pack/inner.py": "",
        "schemas/pack/outer.py": "",
        "streams/log.py": "import schemas.e",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    left = set(texts) - set(names(tmp_path, "toy"))
    assert left == {
        "engines/third/z.py",
        "schemas/e.py",
        "schemas/pack/outer.py",
        "streams/log.py",
    }


def test_every_engine_has_its_own_digest_and_keeps_it() -> None:
    digests = [code_digest(name) for name in ENGINES]
    assert len(set(digests)) == len(ENGINES)
    assert digests == [digest_of(ROOT, name) for name in ENGINES]
    assert code_digest("from outside") == digest_of(ROOT, "another from outside")
