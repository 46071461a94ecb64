"""`everything why` and `everything whatif` as a person types them, over a log in memory."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from typer.testing import CliRunner, Result

from deploy.cli.app import app
from deploy.venue.paths import VenuePaths
from schemas.codec import encode
from schemas.errors import EverythingError, InputError, NotFound
from schemas.policy import CALIBRATED
from tests.simulated.log import SimulatedLog, SimulatedServer
from tests.support.newsroom import TITLE, server_of


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimulatedServer:
    """Return the store that the commands read; its home is nobody's."""
    store = server_of(3, 100)
    monkeypatch.setenv("EVERYTHING_HOME", str(tmp_path))

    async def log(self: VenuePaths, role: str, *, dense: bool = True) -> SimulatedLog:
        assert (role, dense) == ("replay", True)
        return store.connect()

    monkeypatch.setattr(VenuePaths, "log", log)
    return store


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


def document(*words: str, exit_code: int = 0) -> Any:
    result = typed(*words, "--json")
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


def fails(kind: type[EverythingError], *words: str) -> str:
    result = typed(*words)
    assert isinstance(result.exception, kind), result.output
    return str(result.exception)


def test_why_tells_a_tree_and_adds_up(server: SimulatedServer, tmp_path: Path) -> None:
    picture = tmp_path / "why.svg"
    result = typed("why", "RAIN", "--svg", str(picture))
    assert result.exit_code == 0
    assert result.stdout.startswith("why RAIN is ")
    assert TITLE in result.stdout
    assert "computed again:" in result.stdout
    assert "WRONG" not in result.stdout
    assert str(picture) in result.stdout
    assert ElementTree.fromstring(picture.read_text()) is not None
    told = document("why", "RAIN")
    assert (told["adds_up"], told["flaws"]) == (True, [])
    assert told["nodes"][0]["facts"]["symbol"] == "RAIN"
    early = document("why", "RAIN", "--at", str(told["nodes"][0]["sequence"] - 1))
    assert early["nodes"][0]["sequence"] < told["nodes"][0]["sequence"]


def test_what_an_article_moved(server: SimulatedServer) -> None:
    told = document("why", "RAIN")
    article = next(node for node in told["nodes"] if node["kind"] == "article")
    moved = document("why", "--from", str(article["sequence"]))
    assert any(node["kind"] == "score_change" for node in moved["nodes"])
    result = typed("why", "--from", str(article["sequence"]))
    assert result.stdout.startswith(f"what message {article['sequence']} moved")


def test_a_missing_link_is_an_exit_code(server: SimulatedServer) -> None:
    told = document("why", "RAIN")
    article = next(node for node in told["nodes"] if node["kind"] == "article")
    server.lose(article["sequence"])
    assert document("why", "RAIN", exit_code=1)["flaws"]
    assert "MISSING " in typed("why", "RAIN").stdout


def test_what_cannot_be_asked(server: SimulatedServer) -> None:
    fails(InputError, "why")
    fails(InputError, "why", "RAIN", "--from", "3")
    fails(InputError, "why", "--from", "3", "--at", "5")
    fails(InputError, "why", "rain")
    fails(NotFound, "why", "NOWHERE")
    fails(InputError, "whatif", "--policy", "no-such-file")
    fails(InputError, "whatif", "--decide", "abc=approve")
    fails(InputError, "whatif", "--decide", "ab" * 32 + "=maybe")
    fails(InputError, "whatif", "--without-source", "No Source")


def test_whatif_compares(server: SimulatedServer, tmp_path: Path) -> None:
    picture = tmp_path / "whatif.svg"
    result = typed("whatif", "--policy", "calibrated", "--svg", str(picture))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("what if: policy “calibrated”")
    assert ElementTree.fromstring(picture.read_text()) is not None
    assert document("whatif")["differs_at"] == 0
    without = document("whatif", "--without-source", "daily", "--without-article", "40")
    assert without["changes"] == ["without source daily", "without article 40"]
    assert without["differs_at"] > 0
    assert without["flaws"] == []


def test_a_policy_of_ones_own(server: SimulatedServer, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_bytes(encode(msgspec.structs.replace(CALIBRATED, name="mine")))
    told = document("whatif", "--policy", str(mine), "--from", "100", "--carry-answers")
    assert told["changes"] == [
        "policy “mine” behind sequence 100", "answers carried to other proposals"
    ]  # fmt: skip


def test_an_answer_turned_round(server: SimulatedServer) -> None:
    told = document("why", "RAIN")
    review = next(node for node in told["nodes"] if node["key"].startswith("review:"))
    hash_ = review["key"].partition(":")[2]
    other = document("whatif", "--decide", f"{hash_[:16]}=reject")
    [row] = [one for one in other["reviews"] if one["proposal_hash"] == hash_]
    assert (row["then"], row["now"]) == ("approved", "rejected")
