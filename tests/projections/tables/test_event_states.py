"""The state of an event after every short history that it can have, in batches of every size."""

from collections.abc import Iterator
from itertools import product

import pytest

from projections.store import checkpoint
from schemas.events import Event, reality
from tests.projections.news import impact_of
from tests.projections.reading import project_all, rows
from tests.projections.story import Scribe
from tests.simulated.log import SimulatedServer

STEPS = 4
OVER = ("rejected", "expired")


def histories() -> Iterator[str]:
    """Yield words of steps: an event is assessed with nothing left (f), with something left
    (c) or waiting for the LLM (w); a review opens (o), is rejected (r), approved (a) or
    expires (e); the score moves (m).
    """
    for word in product("fcworaem", repeat=STEPS):
        is_open = False
        legal = word[0] in "fcw"
        for step in word:
            legal &= is_open if step in "rae" else not (is_open and step in "om")
            is_open = step == "o" or (is_open and step not in "rae")
        if legal:
            yield "".join(word)


def state_after(history: str) -> str:
    state = ""
    for step in history:
        match step:
            case "o":
                state = "pending_review"
            case "r" | "e":
                state = "rejected" if step == "r" else "expired"
            case "a" | "m":
                state = "final"
            case "f" if state not in ("pending_review", *OVER):
                state = "final"
            case "c" | "w" if state != "pending_review":
                state = "candidate"
    return state


def event_of(cluster: int, step: str) -> list[Event]:
    hash_ = f"proposal of {cluster}"
    match step:
        case "f" | "c" | "w":
            delta, llm = (300 if step == "c" else 0), ("waiting" if step == "w" else "used")
            return [impact_of(1, cluster, "TEST", cluster, delta, llm)]
        case "o":
            return [reality.ReviewOpened(1, hash_, proposal(cluster), ["spike"], "", "wire", 9)]
        case "m":
            return [moved(cluster, "")]
        case _:
            outcome: reality.ReviewOutcome = {"r": "rejected", "a": "approved", "e": "expired"}[
                step
            ]  # type: ignore[assignment]
            closed = reality.ReviewClosed(1, hash_, "TEST", cluster, outcome, [], "", 0, "")
            return [closed, moved(cluster, hash_)] if step == "a" else [closed]


def proposal(cluster: int) -> reality.Proposal:
    return reality.Proposal(
        symbol="TEST", cluster=cluster, articles=[cluster], sources=["wire"], cause=1,
        policy_version=1, quick_bp=1, weight_e4=1, points_e2=1, delta_e2=1, score_now_e2=1,
        score_if_approved_e2=2, confidence_bp=1, llm="used",
    )  # fmt: skip


def moved(cluster: int, review: str) -> reality.ScoreChanged:
    return reality.ScoreChanged(
        cause=1, symbol="TEST", cluster=cluster, article=cluster, source="wire", old_score_e2=1,
        new_score_e2=2, delta_e2=1, confidence_bp=1, review=review, at_ns=1,
    )  # fmt: skip


@pytest.mark.parametrize("records", [1, 2, STEPS])
async def test_the_state_is_the_last_word_on_the_event(
    dsn: str, records: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "PROJECT_BATCH_RECORDS", records)
    scribe = Scribe(SimulatedServer())
    # An event whose review has closed gets another hash for its next one: none opens twice.
    words = [word for word in histories() if word.count("o") <= 1]
    assert len(words) > 200
    for step in range(STEPS):
        events = [one for at, word in enumerate(words, 1) for one in event_of(at, word[step])]
        scribe.time_ns += 1
        scribe.write("reality", *events)
    await project_all(scribe.server, dsn)
    found = {row["cluster"]: row for row in rows(dsn, "TABLE events")}
    wanted = {at: (word, state_after(word)) for at, word in enumerate(words, 1)}
    assert {at: (wanted[at][0], row["state"]) for at, row in found.items()} == wanted
    for at, word in enumerate(words, 1):
        reviewed = f"proposal of {at}" if "o" in word else None
        assert found[at]["proposal_hash"] == reviewed, word
        assert found[at]["opened_ns"] == scribe.time_ns - STEPS + 1
        assert found[at]["changed_ns"] == scribe.time_ns
