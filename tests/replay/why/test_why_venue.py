"""Why and what-if over the log of a venue that runs: real processes, models and signatures."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.e2e.test_reality import GRIM, MILD, SYMBOL, World
from tests.support.news import news
from tests.support.venue import venue
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def kinds(told: dict[str, Any]) -> set[str]:
    return {node["kind"] for node in told["nodes"]}


def test_a_running_venues_price_is_explained(tmp_path: Path) -> None:
    with news() as web, venue(tmp_path / "data") as at:
        at.run("init", "Newsroom", "--policy", "calibrated")
        at.run(
            "admin", "list-market", SYMBOL, "--name", "Rain in Oslo", "--type", "social",
            "--alias", "Oslo rain", "--market-weight", "0.40",
        )  # fmt: skip
        at.run("account", "new", "alice")
        at.run("account", "new", "bob")
        for account in ("alice", "bob"):
            at.run("admin", "mint", account, "10000", "--memo", "to trade with")
        at.run("order", "alice", "sell", SYMBOL, "10", "--price", "60")
        at.run("order", "bob", "buy", SYMBOL, "4", "--price", "60")
        world = World(at, web)
        world.add("herald", web.feed("/herald.xml", [MILD]))
        wait_for("the score moved", lambda: world.market()["reality_score"] != "50.00", 120)
        world.add("gazette", web.feed("/gazette.xml", [GRIM]))
        [review] = wait_for("a review", lambda: at.json("admin", "reviews"), 120)
        hash_ = review["proposal_hash"]
        at.run("admin", "approve", hash_, "--reason", "it did flood", "--yes")
        wait_for("it is applied", lambda: at.json("admin", "reviews") == [])

        def explained() -> Any:
            told = at.json("why", SYMBOL)
            return told if "review" in kinds(told) else None

        told = wait_for("the price knows it", explained)
        assert (told["adds_up"], told["flaws"]) == (True, [])
        assert {"trade", "order", "article", "signals", "story", "decision"} <= kinds(told)
        titles = " ".join(node["title"] for node in told["nodes"])
        for words in (MILD.title, GRIM.title, "it did flood", "approve_review signed by"):
            assert words in titles
        market = world.market()
        assert market["final_price"] in told["nodes"][0]["title"]
        picture = tmp_path / "why.svg"
        at.run("why", SYMBOL, "--svg", str(picture))
        assert ElementTree.fromstring(picture.read_text()) is not None

        article = next(node for node in told["nodes"] if GRIM.title in node["title"])
        moved = at.json("why", "--from", str(article["sequence"]))
        assert {"review", "score_change", "price"} <= kinds(moved)

        assert at.json("whatif")["differs_at"] == 0
        other = at.json("whatif", "--decide", f"{hash_}=reject")
        [symbol] = other["symbols"]
        assert symbol["score_now_e2"] > symbol["score_then_e2"]
        assert f"{symbol['score_then_e2'] / 100:.2f}" == market["reality_score"]
        [row] = other["reviews"]
        assert (row["then"], row["now"]) == ("approved", "rejected")
        without = at.json("whatif", "--without-source", "gazette", "--without-source", "herald")
        assert without["symbols"][0]["score_now_e2"] == 5_000
