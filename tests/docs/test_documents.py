"""What documents name exists: files, make targets, limits, halts, dependencies, settings."""

import re
import subprocess
import tomllib
from typing import Final

import pytest

from deploy.processes import names
from deploy.processes.service import EXIT_BUG
from deploy.venue import models
from deploy.venue.settings import Settings, variable_of
from projections.feeds import channels
from schemas.errors import Halt
from tests.house.source import ROOT, files
from tests.support.limits import bounds

DOCUMENTS: Final = tuple(path for path in files() if path.suffix == ".md")
NAMES: Final = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
PATHS: Final = frozenset(path.relative_to(ROOT).as_posix() for path in files())
ROOMS: Final = (
    "schemas",
    "engines",
    "streams",
    "streams/log",
    "streams/host",
    "streams/gateway",
    "streams/broker",
    "streams/ingest",
    "projections",
    "replay",
    "deploy",
    "tests",
)
MAX_ROOM_LINES: Final = 32

_LINK = re.compile(r"\]\((?!\w+:)([^)#]+)\)")
_WORD = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(
    r"[\w./*-]+\.(?:py|md|toml|txt)"
    r"|(?:docs|schemas|engines|streams|projections|replay|deploy|tests|examples)/[\w./*-]*"
)
_LIMIT = re.compile(r"(?:MAX|MIN)_[A-Z0-9_]+|[A-Z0-9]+(?:_[A-Z0-9]+)+")
_VALUED = re.compile(r"`([A-Z0-9_]+)`,?\s+\(?(\d[\d,]*)\b")
_TARGET = re.compile(r"`?make ([a-z][a-z-]+)`")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose_of(name: str) -> str:
    """Return a document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(name), flags=re.DOTALL | re.MULTILINE)


def table(name: str, heading: str) -> list[list[str]]:
    """Return the cells of the table whose head begins with the column `heading`."""
    rows = text_of(name).splitlines()
    start = next(i for i, row in enumerate(rows) if row.startswith(f"| {heading} |"))
    found = []
    for row in rows[start + 2 :]:
        if not row.startswith("|"):
            break
        found.append([cell.strip() for cell in row.strip("|").split("|")])
    return found


def settings() -> set[str]:
    """Return the names of all environment variables that are read."""
    return {variable_of(name) for name in Settings.model_fields}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    broken = [link for link in _LINK.findall(text_of(name)) if not (folder / link).exists()]
    assert broken == []


@pytest.mark.parametrize("name", NAMES)
def test_files_named_exist(name: str) -> None:
    named = {word for word in _WORD.findall(prose_of(name)) if _FILE.fullmatch(word)}
    assert {word for word in named if not _exists(word)} == set()


def _exists(word: str) -> bool:
    if any(ROOT.glob(word.rstrip("/"))):
        return True
    return any(path.endswith(f"/{word}") for path in PATHS)


def test_a_file_that_is_not_there_is_noticed() -> None:
    assert _exists("schemas/limits.py")
    assert _exists("gateway/app.py")
    assert not _exists("schemas/limit.py")
    assert not _exists("limit.py")


@pytest.mark.parametrize("name", NAMES)
def test_limits_named_exist_and_have_that_value(name: str) -> None:
    prose = prose_of(name)
    words = {word for word in _WORD.findall(prose) if _LIMIT.fullmatch(word)}
    origin = {f"LLM_MODEL_{name.upper()}" for name in models.Origin._fields}
    plan = {"EWMA_ALPHA"} | settings() | origin
    assert {word for word in words if word not in bounds()} - plan == set()
    for word, figure in _VALUED.findall(prose):
        if word in bounds():
            assert bounds()[word] == int(figure.replace(",", "")), word


def test_make_targets_exist_and_are_listed() -> None:
    listed = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = set(re.findall(r"make ([a-z-]+)", listed))
    named = {target for name in NAMES for target in _TARGET.findall(text_of(name))}
    named |= set(re.findall(r"^make ([a-z-]+)$", text_of("README.md"), re.MULTILINE))
    assert named >= {"run", "test"}
    assert named - targets == set()


def test_decisions_are_numbered_from_one_without_a_gap() -> None:
    folder = ROOT / "docs" / "decisions"
    numbered = sorted(path for path in folder.glob("*.md") if path.name[0].isdigit())
    numbers = [path.name.partition("-")[0] for path in numbered]
    assert numbers == [f"{number:04d}" for number in range(1, len(numbered) + 1)]
    for path, number in zip(numbered, numbers, strict=True):
        assert path.read_text().startswith(f"# {number} "), path.name


def test_decisions_referred_to_exist() -> None:
    numbers = {path.name[:4] for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    named = {
        number for name in NAMES for number in re.findall(r"[Dd]ecision (\d{4})", text_of(name))
    }
    assert named - numbers == set()


def test_every_halt_is_documented_with_its_exit_code() -> None:
    documented = {
        (int(code), word.strip("`")) for code, word, *_ in table("docs/how-to/halts.md", "exit")
    }
    halts = {(kind.exit_code, kind.code) for kind in Halt.__subclasses__()}
    assert documented == halts | {(EXIT_BUG, "failed")}


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    declared = {*project["dependencies"], *(name for extra in extras.values() for name in extra)}
    assert set(extras) == {"dev", "llm", "news", "peers"}
    rows = re.findall(r"^\| `([^`]+)` \|", text_of("docs/decisions/dependencies.md"), re.MULTILINE)
    assert sorted(rows) == sorted(declared)


def test_every_setting_and_process_is_documented() -> None:
    variables = {row[0].strip("`") for row in table("docs/how-to/operations.md", "variable")}
    assert variables == settings()
    processes = {
        word for row in table("docs/how-to/operations.md", "process") for word in _cells(row[0])
    }
    assert processes == {*names.NAMES, "nats-server", "postgres"}


def _cells(text: str) -> list[str]:
    return _WORD.findall(text)


def test_channels_are_documented() -> None:
    told = {(row[0], row[1]) for row in table("docs/reference/api.md", "channel")}
    assert channels.__doc__ is not None
    lines = [line for line in channels.__doc__.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert told == {(row[0], row[1]) for row in cells}


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_short_readme(room: str) -> None:
    text = text_of(f"{room}/README.md")
    assert text.startswith("# ")
    assert room == "tests" or text.count("\n") <= MAX_ROOM_LINES
    assert "To add" in text


def test_the_version_is_in_the_changelog() -> None:
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    assert f"## [{version}]" in text_of("CHANGELOG.md")


def test_the_rule_about_markets_is_stated() -> None:
    assert "No market ships with the software" in text_of("README.md")
