"""The table of commands says what the functions say, and help imports next to nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.cli.commands import EVERYTHING
from deploy.cli.lazy_group import Command, Table, load
from schemas.errors import InputError

HEAVY = (
    "asyncio",
    "deploy.venue",
    "fastapi",
    "faststream",
    "httpx",
    "msgspec",
    "nats",
    "numpy",
    "pydantic",
    "rich",
    "torch",
    "uvicorn",
)
"""What `everything --help` has no use for. A command may import some of it when it runs."""
FOR_SERVERS = ("fastapi", "faststream", "httpx", "nats", "numpy", "streams", "torch", "uvicorn")
"""What a command that asks the gateway has no use for."""


def commands(table: Table, *words: str) -> Iterator[tuple[tuple[str, ...], Command]]:
    for name, entry in table.items():
        if isinstance(entry, Command):
            yield (*words, name), entry
        else:
            yield from commands(entry.commands, *words, name)


ALL = dict(commands(EVERYTHING))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_each_command_is_what_the_table_says(words: tuple[str, ...]) -> None:
    loaded = load(words[-1], ALL[words])
    assert loaded.help is not None
    assert loaded.help.partition("\n")[0] == ALL[words].help


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_each_command_has_help_and_json(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output
    assert ("--json" in done.output) == (words not in (("up",), ("runner",)))


@pytest.mark.parametrize("alias", ['"Fed', "“Fed” bank", "!!!"])
@pytest.mark.parametrize("command", ["list-market", "edit-market"])
def test_an_alias_that_means_nothing_is_refused_before_it_is_signed(
    command: str, alias: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERYTHING_HOME", str(tmp_path))
    terms = ["--name", "Federal Reserve"]
    terms += ["--type", "finance"] if command == "list-market" else []
    asked = ["admin", command, "FED", *terms, "--alias", "Fed", "--alias", alias]
    done = CliRunner().invoke(app, asked)
    assert isinstance(done.exception, InputError)
    assert "alias" in str(done.exception)


def test_help_lists_every_command_with_its_line() -> None:
    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    for name, entry in EVERYTHING.items():
        assert f"{name} {entry.help}" in text


def test_what_is_nearly_a_command_is_told() -> None:
    done = CliRunner().invoke(app, ["statsu"])
    assert done.exit_code == 2
    assert "Did you mean 'status'" in done.output


def test_completion_knows_commands_and_their_options() -> None:
    assert completed("everything admin rel") == ["release-source"]
    assert "--depth" in completed("everything book RAIN --")


def completed(line: str) -> list[str]:
    settings = {
        "_EVERYTHING_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    done = CliRunner().invoke(app, [], prog_name="everything", env=settings)
    return done.output.split()


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["--help"], HEAVY),
        (["order", "--help"], FOR_SERVERS),
        (["admin", "halt", "--help"], FOR_SERVERS),
        (["verify", "--help"], FOR_SERVERS),
        (["markets"], FOR_SERVERS),
        (["status"], FOR_SERVERS),
        (["account", "token", "nobody"], FOR_SERVERS),
        (["service-key", "list"], FOR_SERVERS),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_command_imports_only_what_it_needs(words: list[str], unwanted: tuple[str, ...]) -> None:
    code = (
        "import sys\n"
        "from deploy.cli import main\n"
        f"sys.argv = ['everything', *{words!r}]\n"
        "try:\n    main()\n"
        "finally:\n    print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "EVERYTHING_URL": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    imported = set(done.stderr.splitlines())
    assert "deploy.cli.commands" in imported
    assert imported.isdisjoint(unwanted)
