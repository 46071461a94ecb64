"""Listing, editing, and the life of a market: open ⇄ halted → closed → resolved."""

from typing import Any

import pytest

from engines.governance.limits import MAX_ALIASES
from schemas.decisions import (
    AnyDecision,
    CloseMarket,
    EditMarket,
    HaltMarket,
    Mint,
    OpsOverride,
    ResolveMarket,
    ResumeMarket,
    SetPolicy,
)
from schemas.events.governance import MarketEdited, MarketListed, PolicySet
from schemas.limits import MAX_AMOUNT_CENTS
from schemas.policy import Policy, PricingPolicy
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.governance.people import ROOT, GovernedVenue, names, refusal


def test_listing_carries_everything_on() -> None:
    venue = GovernedVenue()
    events = venue.list(
        description="two\nlines", aliases=["regen", "雨"], min_price="-1.5", tick_ticks=5
    )
    assert names(events) == ["DecisionAccepted", "MarketListed"]
    listed = events[1]
    assert isinstance(listed, MarketListed)
    assert (listed.description, listed.aliases) == ("two\nlines", ["regen", "雨"])
    assert (listed.min_price, listed.tick_ticks, listed.created_by) == ("-1.5", 5, ROOT.key)
    check_folds(venue.driver)
    check_decides_again(venue.driver)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"symbol": "rain"}, "bad_symbol"),
        ({"symbol": "X" * 25}, "bad_symbol"),
        ({"symbol": "A.B"}, "bad_symbol"),
        ({"symbol": "A\n"}, "bad_symbol"),
        ({"name": ""}, "bad_market"),
        ({"name": " x"}, "bad_market"),
        ({"name": "x\n"}, "bad_market"),
        ({"name": "x" * 121}, "bad_market"),
        ({"description": "\x00"}, "bad_market"),
        ({"description": "x" * 2_001}, "bad_market"),
        ({"subtype": "a\x7fb"}, "bad_market"),
        ({"region": "\u202e"}, "bad_market"),
        ({"aliases": [""]}, "bad_market"),
        ({"aliases": ["a", "a"]}, "bad_market"),
        ({"aliases": [str(i) for i in range(MAX_ALIASES + 1)]}, "bad_market"),
        ({"market_weight_bp": 5_001}, "bad_market"),
        ({"market_weight_bp": -1, "reality_weight_bp": 10_001}, "bad_market"),
        ({"initial_score_e2": -1}, "bad_market"),
        ({"initial_score_e2": 10_001}, "bad_market"),
        ({"tick_ticks": 0}, "bad_market"),
        ({"tick_ticks": -1}, "bad_market"),
        ({"tick_ticks": 3}, "bad_market"),
        ({"tick_ticks": 2_000}, "bad_market"),
        ({"min_price": "nan"}, "bad_market"),
        ({"min_price": "1e9"}, "bad_market"),
        ({"max_price": "١"}, "bad_market"),
        ({"min_price": "100", "max_price": "100.0"}, "bad_market"),
        ({"symbol": "RAIN"}, "symbol_exists"),
    ],
)
def test_bad_listings(fields: dict[str, Any], code: str) -> None:
    venue = GovernedVenue()
    venue.list()
    before = venue.driver.hash()
    assert refusal(venue.list(**({"symbol": "SNOW"} | fields))) == code
    assert venue.driver.hash() == before


LIFE: list[tuple[str, type[AnyDecision], str]] = [
    # phase before, decision, phase after ("" refused)
    ("open", HaltMarket, "halted"),
    ("open", ResumeMarket, ""),
    ("open", CloseMarket, "closed"),
    ("open", ResolveMarket, "resolved"),
    ("halted", HaltMarket, ""),
    ("halted", ResumeMarket, "open"),
    ("halted", CloseMarket, "closed"),
    ("halted", ResolveMarket, "resolved"),
    ("closed", HaltMarket, ""),
    ("closed", ResumeMarket, ""),
    ("closed", CloseMarket, ""),
    ("closed", ResolveMarket, "resolved"),
    ("resolved", HaltMarket, ""),
    ("resolved", ResumeMarket, ""),
    ("resolved", CloseMarket, ""),
    ("resolved", ResolveMarket, ""),
    ("resolved", EditMarket, ""),
]
FIELDS: dict[type[AnyDecision], dict[str, Any]] = {
    HaltMarket: {"reason": "news"},
    ResumeMarket: {},
    CloseMarket: {"reason": "over"},
    ResolveMarket: {"reason": "it rained", "value_ticks": 10_000},
    EditMarket: {"name": "other"},
}


@pytest.mark.parametrize(("before", "kind", "after"), LIFE)
def test_life_of_a_market(before: str, kind: type[AnyDecision], after: str) -> None:
    venue = GovernedVenue()
    venue.list()
    road: dict[str, list[type[AnyDecision]]] = {
        "open": [],
        "halted": [HaltMarket],
        "closed": [CloseMarket],
        "resolved": [ResolveMarket],
    }
    for step in road[before]:
        assert venue.code(ROOT, step, symbol="RAIN", **FIELDS[step]) == ""
    assert venue.state.markets["RAIN"].phase == before
    code = venue.code(ROOT, kind, symbol="RAIN", **FIELDS[kind])
    assert code == ("" if after else "wrong_market_state")
    assert venue.state.markets["RAIN"].phase == (after or before)
    check_folds(venue.driver)
    check_decides_again(venue.driver)


@pytest.mark.parametrize("kind", FIELDS)
def test_unknown_symbol(kind: type[AnyDecision]) -> None:
    assert GovernedVenue().code(ROOT, kind, symbol="NONE", **FIELDS[kind]) == "unknown_symbol"


@pytest.mark.parametrize("value", [-1, 10_001, 10**30])
def test_resolution_value_out_of_range(value: int) -> None:
    venue = GovernedVenue()
    venue.list()
    fields = {"symbol": "RAIN", "reason": "", "value_ticks": value}
    assert venue.code(ROOT, ResolveMarket, **fields) == "value_out_of_range"


def test_edit_changes_only_what_it_names() -> None:
    venue = GovernedVenue()
    venue.list(description="old", aliases=["a"])
    events = venue.decide(
        ROOT,
        EditMarket,
        symbol="RAIN",
        name="Rainfall",
        market_weight_bp=0,
        reality_weight_bp=10_000,
    )
    edited = events[1]
    assert isinstance(edited, MarketEdited)
    assert (edited.name, edited.description, edited.aliases) == ("Rainfall", "old", ["a"])
    assert (edited.market_weight_bp, edited.reality_weight_bp) == (0, 10_000)
    check_folds(venue.driver)
    check_decides_again(venue.driver)


@pytest.mark.parametrize(
    "fields", [{}, {"market_weight_bp": 4_000}, {"name": "\x1b[31m"}, {"aliases": ["x\ny"]}]
)
def test_bad_edits(fields: dict[str, Any]) -> None:
    venue = GovernedVenue()
    venue.list()
    assert venue.code(ROOT, EditMarket, symbol="RAIN", **fields) == "bad_market"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"account": "Bob"}, "bad_account_name"),
        ({"account": "b"}, "bad_account_name"),
        ({"account": "bob\n"}, "bad_account_name"),
        ({"amount_cents": 0}, "amount_out_of_range"),
        ({"amount_cents": -5}, "amount_out_of_range"),
        ({"amount_cents": MAX_AMOUNT_CENTS + 1}, "amount_out_of_range"),
        ({"memo": "\x00"}, "bad_text"),
    ],
)
def test_bad_mints(fields: dict[str, Any], code: str) -> None:
    assert (
        GovernedVenue().code(ROOT, Mint, **({"account": "bob", "amount_cents": 1} | fields)) == code
    )


def test_policies_are_counted() -> None:
    venue = GovernedVenue()
    policy = Policy(name="mine", pricing=PricingPolicy(ewma_alpha_bp=100))
    events = venue.decide(ROOT, SetPolicy, policy=policy, reason="smoother")
    assert isinstance(events[1], PolicySet)
    assert (events[1].version, events[1].policy) == (2, policy)
    bad = Policy(name="mine", pricing=PricingPolicy(ewma_alpha_bp=10_001))
    assert venue.code(ROOT, SetPolicy, policy=bad, reason="") == "bad_policy"
    assert venue.state.policy == policy


@pytest.mark.parametrize("fields", [{"action": ""}, {"reason": ""}, {"reason": "\n"}])
def test_override_must_say_what_and_why(fields: dict[str, str]) -> None:
    fields = {"action": "restart", "reason": "power cut"} | fields
    assert GovernedVenue().code(ROOT, OpsOverride, **fields) == "bad_text"
