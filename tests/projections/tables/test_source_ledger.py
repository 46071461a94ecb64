"""The ledger of what each source moved is what the events say, added up by hand."""

from collections import Counter
from typing import Any

import pytest

from projections.store.rebuild import rebuild
from projections.tables.source_ledger import PROJECTION
from schemas import subjects
from schemas.events import Event
from schemas.events.reality import (
    MoveCut,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
    ScoreTakenBack,
)
from schemas.records import EVENT_MESSAGES
from schemas.units import DAY_NS
from tests.projections.reading import project_all, rows
from tests.projections.real_news import newsy_day
from tests.simulated.log import SimulatedServer

SUMS = ["unsigned_moves", "unsigned_e2", "unsigned_size_e2", "approved_e2", "refused_e2",
        "taken_back_e2", "cuts"]  # fmt: skip


def told(server: SimulatedServer) -> list[tuple[int, Event]]:
    """Return the day and each event of reality."""
    records = (
        EVENT_MESSAGES.decode(message.payload)
        for message in server.messages()
        if message.subject == subjects.events("main", subjects.REALITY)
    )
    return [(one.time_ns // DAY_NS, event) for one in records for event in one.events]


def by_hand(server: SimulatedServer) -> dict[tuple[str, str, int], Counter[str]]:
    """Return what the events come to, by source, symbol and day."""
    found: dict[tuple[str, str, int], Counter[str]] = {}
    proposed: dict[str, ReviewOpened] = {}

    def add(source: str, symbol: str, day: int, **sums: int) -> None:
        counter = found.setdefault((source, symbol, day), Counter())
        counter.update(sums)

    for day, event in told(server):
        if isinstance(event, ScoreTakenBack):
            add(event.source, event.symbol, day, taken_back_e2=event.delta_e2)
        elif isinstance(event, ScoreChanged) and event.review:
            add(event.source, event.symbol, day, approved_e2=event.delta_e2)
        elif isinstance(event, ScoreChanged):
            size_e2 = abs(event.delta_e2)
            add(event.source, event.symbol, day, unsigned_moves=1, unsigned_e2=event.delta_e2,
                unsigned_size_e2=size_e2)  # fmt: skip
        elif isinstance(event, MoveCut):
            add(event.source, event.symbol, day, cuts=1)
        elif isinstance(event, ReviewOpened):
            proposed[event.proposal_hash] = event
        elif isinstance(event, ReviewClosed) and event.outcome != "withdrawn":
            opened = proposed[event.proposal_hash]
            refused_e2 = opened.proposal.delta_e2
            if event.outcome == "approved":
                refused_e2 -= refused_e2 if event.approved_e2 is None else event.approved_e2
            if refused_e2 or event.outcome != "approved":
                add(opened.charged, event.symbol, day, refused_e2=refused_e2)
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_ledger_is_what_the_events_come_to(dsn: str, seed: int) -> None:
    server = newsy_day(seed=seed).venue.server
    await project_all(server, dsn)
    wanted: dict[Any, Any] = {
        key: [counter[name] for name in SUMS] for key, counter in by_hand(server).items()
    }
    found = {
        (row["source"], row["symbol"], row["day"]): [row[name] for name in SUMS]
        for row in rows(dsn, "TABLE source_ledger")
    }
    assert {key: sums for key, sums in found.items() if any(sums)} == {
        key: sums for key, sums in wanted.items() if any(sums)
    }
    assert any(sums[SUMS.index("approved_e2")] for sums in found.values())
    assert any(sums[SUMS.index("refused_e2")] for sums in found.values())
    assert (await rebuild(server.connect("x"), dsn, switch=False)).equal


async def test_scores_are_what_all_sources_together_moved(dsn: str) -> None:
    server = newsy_day(seed=1).venue.server
    await project_all(server, dsn)
    moved = {
        row["symbol"]: row["it"]
        for row in rows(
            dsn,
            "SELECT symbol, sum(unsigned_e2 + approved_e2 + taken_back_e2)::bigint AS it "
            "FROM source_ledger GROUP BY symbol",
        )
    }
    began = {row["symbol"]: row["initial_score_e2"] for row in rows(dsn, "TABLE stocks")}
    ended = {row["symbol"]: row["reality_score_e2"] for row in rows(dsn, "TABLE scores")}
    assert moved
    assert {symbol: began[symbol] + by for symbol, by in moved.items()} == {
        symbol: ended[symbol] for symbol in moved
    }


def test_it_reads_each_event_that_moves_a_score() -> None:
    assert {MoveCut, ReviewClosed, ScoreChanged, ScoreTakenBack} == PROJECTION.kinds
