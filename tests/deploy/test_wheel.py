"""The wheel holds the rooms and their data, nothing else, and works where it is installed."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source import ROOT, files

pytestmark = pytest.mark.slow

ROOMS = {"schemas", "engines", "streams", "projections", "replay", "deploy"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it from a copy, since setuptools writes beside what it builds."""
    copy, made = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("made")
    for path in files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(made), str(copy))
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the `bin` of an environment with the wheel, and our dependencies, but not our tree."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    (site,) = folder.glob("lib/python*/site-packages")
    # its packages alone: what its .pth files add, such as this checkout, is not read
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    yield folder / "bin"


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    # a checkout on that path would pass for an installation
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, env=environment, check=True)


def test_it_holds_the_rooms_and_their_data_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.startswith("everything_market-")} == ROOMS
    tree = {path.relative_to(ROOT).as_posix() for path in files()}
    wanted = {
        name
        for name in tree
        if name.partition("/")[0] in ROOMS and name.endswith((".py", ".tsv", "py.typed"))
    }
    assert wanted - names == set()
    assert {f"{room}/py.typed" for room in ROOMS} <= names
    assert any(name.endswith("/nats.conf") for name in names)


def test_its_command_and_its_data_are_found_where_it_is_installed(
    installed: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    environment = {"EVERYTHING_HOME": str(home), "PATH": "/usr/bin:/bin"}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    everything, python = str(installed / "everything"), str(installed / "python")
    assert "Place an order" in run(everything, "--help")
    assert "jetstream" in run(everything, "nats-conf", "--store", str(tmp_path / "store"))
    where = run(python, "-P", "-c", "import deploy; print(deploy.__file__)")
    assert Path(where.strip()).is_relative_to(installed.parent)
    code = "from streams.ingest.measuring import keywords; print(keywords.Keywords().name)"
    assert run(python, "-P", "-c", code).startswith("keywords/")
