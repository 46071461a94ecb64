"""The venue view: what governance decided, and what it was called when."""

from typing import Any

import pytest

from schemas.chain import GENESIS_HASH
from schemas.errors import UnknownRecord
from schemas.events.exchange import AccountOpened
from schemas.events.governance import (
    DecisionAccepted,
    DecisionCoSigned,
    DecisionLapsed,
    KeyEnrolled,
    KeyRevoked,
    KeyRotated,
    MarketClosed,
    MarketEdited,
    MarketHalted,
    MarketListed,
    MarketResolved,
    MarketResumed,
    PolicySet,
    RoleGranted,
    SourceAdded,
    SourceChanged,
    SourceQuarantineSet,
    VenueFounded,
)
from schemas.policy import CALIBRATED, SEED_PLAN
from schemas.records import Record, seal
from schemas.sources import Source
from schemas.stored import Stored
from streams.log.venue_view import KeyHolder, MarketNames, VenueIdentity, VenueView


def record(sequence: int, *events: Any, engine: str = "governance") -> Stored:
    made = Record(
        engine, f"{engine}/1", 1, 1, sequence, sequence, 1, False, [*events], None, GENESIS_HASH
    )
    return Stored(sequence, "main.evt.governance", seal(made)[0])


def listed(symbol: str, name: str, *aliases: str) -> MarketListed:
    return MarketListed(
        cause=1,
        symbol=symbol,
        name=name,
        description="",
        market_type="social",
        subtype="",
        region="",
        risk_level="low",
        aliases=[*aliases],
        market_weight_bp=5_000,
        reality_weight_bp=5_000,
        initial_score_e2=5_000,
        tick_ticks=100,
        min_price="0",
        max_price="100",
        created_by="R",
    )


def edited(symbol: str, name: str, *aliases: str) -> MarketEdited:
    return MarketEdited(1, symbol, name, "", [*aliases], "low", 5_000, 5_000)


def test_a_new_venue_knows_nothing() -> None:
    view = VenueView()
    assert (view.venue, view.policy, view.position) == (None, None, 0)
    assert (view.keys, view.markets, view.sources) == ({}, {}, {})
    assert view.name_at("RAIN", 9) == "RAIN"


def test_genesis_and_policy() -> None:
    view = VenueView()
    founded = VenueFounded(1, "id", "Venue", "R", "N", SEED_PLAN)
    assert view.fold(record(2, founded)) == []
    assert view.venue == VenueIdentity("id", "Venue", "R", "N")
    assert (view.policy, view.policy_version, view.position) == (SEED_PLAN, 0, 2)
    view.fold(record(4, PolicySet(3, 2, CALIBRATED, "better")))
    assert (view.policy, view.policy_version, view.position) == (CALIBRATED, 2, 4)


def test_keys_their_roles_and_counters() -> None:
    view = VenueView()
    view.fold(record(2, KeyEnrolled(1, "A", "Ann", "admin"), KeyEnrolled(1, "B", "Bert", "admin")))
    view.fold(record(4, RoleGranted(3, "B", "super-admin"), KeyRevoked(3, "B", "left")))
    view.fold(record(5, DecisionAccepted(3, "A", 7, "k", "h", ["A"])))
    view.fold(record(6, DecisionCoSigned(3, "A", 5, "h"), DecisionCoSigned(3, "unknown", 5, "h")))
    view.fold(record(7, KeyRotated(3, "A", "C", 99)))
    assert view.keys == {
        "A": KeyHolder("Ann", "admin", counter=7),
        "B": KeyHolder("Bert", "super-admin", revoked=True),
        "C": KeyHolder("Ann", "admin"),
    }


def test_markets_and_which_of_them_a_record_changed() -> None:
    view = VenueView()
    assert view.fold(record(2, listed("RAIN", "Rain"), listed("SUN", "Sun"))) == ["RAIN", "SUN"]
    assert view.markets == {"RAIN": "open", "SUN": "open"}
    assert view.fold(record(3, MarketHalted(1, "SUN", ""), MarketClosed(1, "RAIN", ""))) == [
        "SUN",
        "RAIN",
    ]
    assert view.markets == {"RAIN": "closed", "SUN": "halted"}
    view.fold(record(4, MarketResumed(1, "SUN"), MarketResolved(1, "RAIN", 10_000, "")))
    assert view.markets == {"RAIN": "resolved", "SUN": "open"}
    assert view.fold(record(5, DecisionLapsed(1, "h"))) == []


def test_a_market_is_called_what_it_was_called_then() -> None:
    view = VenueView()
    view.fold(record(2, listed("RAIN", "Rain", "wet")))
    view.fold(record(5, edited("RAIN", "Much rain")))
    assert view.names_of("RAIN") == MarketNames(5, "Much rain", ())
    assert [view.name_at("RAIN", sequence) for sequence in (2, 3, 5, 6)] == [
        "RAIN",
        "Rain",
        "Rain",
        "Much rain",
    ]


def test_sources_and_their_quarantines() -> None:
    view = VenueView()
    wire = Source(source="wire", url="https://wire.example/rss", kind="rss", name="Wire")
    view.fold(record(2, SourceAdded(1, wire), SourceQuarantineSet(1, "wire", 50, "wrong")))
    assert (view.sources, view.quarantined_until_ns) == ({"wire": wire}, {"wire": 50})
    view.fold(record(3, SourceChanged(1, wire)))
    assert view.sources == {"wire": wire}


def test_events_of_another_engine_are_nothing_and_its_records_halt() -> None:
    view = VenueView()
    assert view.fold_events(3, [AccountOpened(1, "ada", "K")]) == []
    assert view.position == 3
    with pytest.raises(UnknownRecord, match="sequence 4"):
        view.fold(record(4, engine="exchange"))
    with pytest.raises(UnknownRecord, match="sequence 5"):
        view.fold(Stored(5, "main.evt.governance", b"{}"))
