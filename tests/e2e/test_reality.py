"""From an article in the world to a score, over real processes and a loopback web server.

The numbers are computed again here, by hand and in floats, from what was measured, and must
be what the engine decided in integers.
"""

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from schemas.codec import encode
from schemas.events import reality
from schemas.observations import (
    OBSERVATIONS,
    ArticleObserved,
    LlmCalled,
    SignalsMeasured,
)
from schemas.policy import CALIBRATED
from schemas.records import EVENT_MESSAGES
from schemas.units import SECOND_NS
from streams.broker import roles
from tests.support.log import stored_messages
from tests.support.news import Document, Item, News, news
from tests.support.tiny_gguf import write_tiny_llama
from tests.support.venue import Venue, venue
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SYMBOL = "RAIN-2027"
TRUST = {"herald": 0.9, "courier": 0.8, "gazette": 0.7}
INGEST = ("scheduler", "fetcher", "measurer", "llm")
FETCHED_WITHIN_S = 120
"""The measurer loads its models meanwhile."""

MILD = Item(
    "Oslo rain festival opens on Friday",
    "The Oslo rain festival opened on Friday in the harbour. Visitors were happy with the "
    "music. The organisers expect ten thousand people by Sunday.",
)
COPIED = MILD._replace(title=MILD.title + ".")
RETOLD = Item(
    "Festival of Oslo rain begins at the harbour",
    "Music on three stages drew families to the harbour of the capital when the Oslo rain "
    "festival began this Friday evening, with umbrellas for all.",
)
GRIM = Item(
    "Oslo rain disaster: fatal flood and scandal",
    "A terrible disaster hit Oslo rain fans. The catastrophe killed hopes, the scandal is "
    "horrible, and the awful losses are a tragedy and a crisis for everyone.",
)
OTHER = Item("Cup final draws record crowd", "The cup final was played in front of many people.")


class World:
    """A venue, and what stands on its log."""

    def __init__(self, at: Venue, web: News) -> None:
        self.venue, self.web = at, web

    def add(self, source: str, url: str, *options: str) -> None:
        self.venue.run(
            "admin", "add-source", source, "--name", source.title(), "--url", url, "--kind", "rss",
            "--trust", f"{TRUST.get(source, 0.5)}", "--allow-loopback", "--crawl-delay", "0",
            "--poll-interval", "2", *options,
        )  # fmt: skip

    def observed(self, kind: type[Any]) -> list[tuple[int, Any]]:
        """Return all observations of a kind with their sequences."""
        found = []
        for message in stored_messages(self.venue):
            if ".obs" in message.subject:
                one = OBSERVATIONS.decode(message.payload)
                if isinstance(one, kind):
                    found.append((message.sequence, one))
        return found

    def decided(self, kind: type[Any]) -> list[tuple[int, int, Any]]:
        """Return the reality engine's events of a kind with sequence and time of their record."""
        found = []
        for message in stored_messages(self.venue):
            if message.subject == "main.evt.reality":
                record = EVENT_MESSAGES.decode(message.payload)
                found += [
                    (message.sequence, record.time_ns, event)
                    for event in record.events
                    if isinstance(event, kind)
                ]
        return found

    def market(self) -> dict[str, Any]:
        found: dict[str, Any] = next(
            one for one in self.venue.json("markets") if one["symbol"] == SYMBOL
        )
        return found

    def dropped(self, reason: str) -> list[reality.ArticleDropped]:
        found = [event for _, _, event in self.decided(reality.ArticleDropped)]
        return [event for event in found if event.reason == reason]


def found(at: Venue, folder: Path) -> None:
    """Found a venue of the calibrated policy, whose new sources may move all that they say."""
    policy = folder / "policy.json"
    policy.write_bytes(encode(replace(CALIBRATED, name="uncapped", unsigned=UNSET)))
    at.run("init", "Newsroom", "--policy", "calibrated")
    at.run("admin", "set-policy", "--reason", "no caps on new sources", "--file", str(policy))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give a venue of the calibrated policy with one market."""
    folder = tmp_path_factory.mktemp("reality")
    with news() as web, venue(folder / "data") as at:
        found(at, folder)
        at.run(
            "admin", "list-market", SYMBOL, "--name", "Rain in Oslo", "--type", "social",
            "--alias", "Oslo rain", "--market-weight", "0.40",
        )  # fmt: skip
        yield World(at, web)


def points(documents: list[SignalsMeasured], now_ns: int) -> float:
    """Return the plan's formula for the documents of one cluster, newest last (docs/plan.md)."""
    quick = []
    for one in documents:
        base = 0.4 * one.sentiment_bp / 1e4 + 0.3 * one.keywords_bp / 1e4
        (mention,) = [its for its in one.mentions if its.symbol == SYMBOL]
        relevance = min(1.0, 0.6 * (mention.title_count > 0) + 0.2 * min(2, mention.body_count))
        sign = (base > 0) - (base < 0)
        quick.append(max(-1.0, min(1.0, base + 0.3 * relevance * sign)))
    trusts = [TRUST[one.source] for one in documents]
    mean_quick = sum(q * t for q, t in zip(quick, trusts, strict=True)) / sum(trusts)
    sources = {one.source: TRUST[one.source] for one in documents}
    trust = sum(sources.values()) / len(sources)
    published = max(min(one.published_ns or one.observed_ns, one.observed_ns) for one in documents)
    age_s = (now_ns - published) / SECOND_NS
    weight = trust * (1 + math.log(1 + len(documents))) * math.exp(-age_s / (48 * 3600))
    return max(-20.0, min(20.0, weight * mean_quick * CALIBRATED.reality.points_scale_e2 / 100))


def test_a_story_told_by_three_sources_moves_the_score_by_the_formula(world: World) -> None:
    web = world.web
    world.add("herald", web.feed("/herald.xml", [MILD, OTHER]))
    first = wait_for("a score moved", lambda: world.decided(reality.ScoreChanged), FETCHED_WITHIN_S)
    signals = {one.article: one for _, one in world.observed(SignalsMeasured)}
    (_, now_ns, moved) = first[0]
    assert moved.old_score_e2 == 5_000
    story = [signals[moved.cluster]]
    assert abs(moved.delta_e2 / 100 - points(story, now_ns)) <= 0.02
    assert moved.delta_e2 > 0
    assert [one.reason for one in world.dropped("no_mention")] == ["no_mention"]

    world.add("courier", web.feed("/courier.xml", [COPIED, RETOLD]))
    wait_for("the copy is dropped", lambda: world.dropped("duplicate"), FETCHED_WITHIN_S)
    grouped = wait_for("it is grouped", lambda: world.decided(reality.ArticleGrouped), 30)
    signals = {one.article: one for _, one in world.observed(SignalsMeasured)}
    (_, now_ns, joined) = grouped[0]
    assert joined.cluster == moved.cluster
    story.append(signals[joined.article])
    impacts = [event for _, _, event in world.decided(reality.ImpactAssessed)]
    latest = [event for event in impacts if event.article == joined.article][-1]
    assert abs(latest.points_e2 / 100 - points(story, now_ns)) <= 0.02
    assert latest.independent_sources == 2

    score = sum(event.delta_e2 for _, _, event in world.decided(reality.ScoreChanged)) + 5_000
    shown = wait_for("the market shows it", lambda: _shows(world, score))
    assert float(shown["final_price"]) == pytest.approx(0.4 * 50 + 0.6 * score / 100, abs=0.011)


def _shows(world: World, score_e2: int) -> dict[str, Any] | None:
    market = world.market()
    return market if float(market["reality_score"]) * 100 == pytest.approx(score_e2) else None


def test_a_suspicious_move_waits_for_a_signature(world: World) -> None:
    before = world.market()["reality_score"]
    world.add("gazette", world.web.feed("/gazette.xml", [GRIM]))
    reviews = wait_for("a review", lambda: world.venue.json("admin", "reviews"), FETCHED_WITHIN_S)
    (review,) = reviews
    assert review["reasons"]
    assert world.market()["reality_score"] == before
    told = world.venue.run("admin", "reviews").stdout
    assert GRIM.title in told
    assert review["proposal_hash"][:12] in told
    answer = world.venue.run(
        "admin", "approve", review["proposal_hash"], "--reason", "seen by a person", "--yes"
    ).stdout
    assert "approved" in answer
    expected = review["score_if_approved"]
    wait_for("the score moved", lambda: world.market()["reality_score"] == expected)
    assert float(expected) < float(before)
    assert world.venue.json("admin", "reviews") == []


def test_hostile_documents_get_a_recorded_reason(world: World) -> None:
    web = world.web
    bomb = (
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
        b"<rss><channel><item><title>&b;</title></item></channel></rss>"
    )
    world.add("bomb", web.serve("/bomb.xml", Document(bomb, "application/rss+xml")))
    world.add(
        "loop",
        web.serve("/loop.xml", Document(b"", status=302, headers=(("Location", "/loop.xml"),))),
    )
    inner = (("Location", "http://169.254.169.254/latest/meta-data/"),)
    world.add("inner", web.serve("/inner.xml", Document(b"", status=302, headers=inner)))
    web.documents["/huge.xml"] = Document(b"<rss>" + b" " * 6_000_000, "application/rss+xml")
    world.add("huge", web.url + "/huge.xml")
    wanted = {
        "bomb": "dtd",
        "loop": "too_many_redirects",
        "inner": "forbidden_address",
        "huge": "too_large",
    }

    def told() -> bool:
        sources = {one["source"]: one["last_fetch"] for one in world.venue.json("sources")}
        return all(
            sources[name] and sources[name]["problem"] == why for name, why in wanted.items()
        )

    wait_for("each has its reason", told, 60)
    assert world.market()["reality_score"]  # and the market goes on


@pytest.mark.timeout(600)
def test_kills_lose_no_article_and_score_none_twice(world: World) -> None:
    items = [
        Item(
            f"Oslo rain note {number}: {word} morning in district {number}",
            f"A short {word} note about Oslo rain in district {number}, number {number * 7}. "
            f"Local people call the {word} day ordinary and go on with their {word} work.",
        )
        for number, word in enumerate(
            ["quiet", "plain", "grey", "slow", "long", "early", "late", "mild", "pale", "blue"] * 4
        )
    ]
    for part in range(4):
        world.add(
            f"wire{part}", world.web.feed(f"/wire{part}.xml", items[part * 10 : part * 10 + 10])
        )
        for name in INGEST:
            old = world.venue.kill(name)
            world.venue.restarted(name, old)
            time.sleep(0.5)
    titles = {item.title for item in items}

    def all_judged() -> bool:
        seen = {
            one.snapshot_id for _, one in world.observed(ArticleObserved) if one.title in titles
        }
        judged = {one.snapshot_id for _, one in world.observed(SignalsMeasured)}
        return len(seen) == len(titles) and seen <= judged

    # what a killed fetcher had taken comes again when its time is over, up to four times here
    wait_for("all are measured", all_judged, 400)
    wait_for(
        "all are decided", lambda: _outcomes(world) >= len(world.observed(SignalsMeasured)), 60
    )
    snapshots = {sequence: one.snapshot_id for sequence, one in world.observed(ArticleObserved)}
    assessed = [
        (snapshots[event.article], event.symbol)
        for _, _, event in world.decided(reality.ArticleAssessed)
    ]
    assert len(assessed) == len(set(assessed))


def _outcomes(world: World) -> int:
    kinds = (reality.ArticleDropped, reality.ClusterOpened, reality.ArticleGrouped)
    return sum(len(world.decided(kind)) for kind in kinds)


def test_verify_needs_no_model(world: World) -> None:
    """With the models' packages out of reach, the log is still proved."""
    packages = "torch sentence_transformers transformers spacy llama_cpp vaderSentiment"
    code = (
        "import sys\n"
        f"for name in {packages.split()!r}: sys.modules[name] = None\n"
        "from deploy.cli import main\n"
        "sys.argv = ['everything', 'verify']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=world.venue.environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reality:" in done.stdout
    assert "clean" in done.stdout


def test_status_says_that_no_llm_is_asked(world: World) -> None:
    assert "llm_mode: skipped" in world.venue.run("status").stdout


@pytest.mark.long
def test_an_llm_is_asked_when_there_is_one(tmp_path: Path) -> None:
    model = write_tiny_llama(tmp_path / "tiny.gguf", '"')
    told = {"LLM_MODEL": str(model), "LLM_MODEL_SHA256": sha256(model.read_bytes()).hexdigest()}
    with news() as web:
        at = Venue(tmp_path / "data")
        at.environment.update(told)
        at.start()
        try:
            found(at, tmp_path)
            at.run(
                "admin", "list-market", SYMBOL, "--name", "Rain in Oslo", "--type", "social",
                "--alias", "Oslo rain",
            )  # fmt: skip
            world = World(at, web)
            wait_for("the LLM is there", lambda: "llm_mode: enabled" in at.run("status").stdout, 60)
            world.add("herald", web.feed("/herald.xml", [MILD]))
            world.add("courier", web.feed("/courier.xml", [RETOLD]))
            answers = wait_for(
                "an answer", lambda: world.decided(reality.LlmAnswered), FETCHED_WITHIN_S
            )
            (call,) = [one for _, one in world.observed(LlmCalled)]
            (_, _, answer) = answers[0]
            assert answer.status == ("used" if call.answer else "invalid")
            assert call.raw_output
            impact = [one for _, _, one in world.decided(reality.ImpactAssessed)][-1]
            assert impact.llm == answer.status
            assert at.run("verify").returncode == 0
        finally:
            at.stop()


def test_roles_of_ingest_cannot_decide(world: World) -> None:
    for role in roles.services("main"):
        if role.name in INGEST:
            assert not any(
                one == "main.>" or one.startswith(("main.evt", "main.cmd")) for one in role.publish
            )
