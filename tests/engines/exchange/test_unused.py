"""Unused accounts lapse: which ones, when, and what is left of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.exchange.decide import group_end, openings
from engines.exchange.limits import MAX_ACCOUNTS, REMEMBER_IDS_NS, UNUSED_ACCOUNT_NS
from engines.exchange.snapshot import dump
from schemas import subjects
from schemas.codec import encode
from schemas.commands import CancelAll, PlaceOrder
from schemas.errors import BrokenInvariant
from schemas.events import Event
from schemas.events.exchange import (
    AccountLapsed,
    AccountOpened,
    Balance,
    BalancesChanged,
    CashReturned,
    LapseScheduled,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
)
from schemas.events.governance import MarketResolved
from schemas.policy import ExchangePolicy
from schemas.signatures import public_key, seed_from
from schemas.units import DAY_NS
from streams.gateway.limits import ACCOUNT_OPENINGS_PER_DAY
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.exchange.deep_audit import deep_audit
from tests.engines.exchange.venue import START_NS, VENUE_ID, ExchangeVenue, opening
from tests.support.drawing import drawn

OTHER_SEED = seed_from(b"7" * 32)
GRANT = 10_000
GRANTING = ExchangePolicy(signup_grant_cents=GRANT)


def venue_of(policy: ExchangePolicy | None = None) -> ExchangeVenue:
    venue = ExchangeVenue(policy)
    venue.markets("X")
    return venue


def later(venue: ExchangeVenue, ns: int) -> list[Event]:
    """Let time pass, with every tick that becomes due on the way; return what they said."""
    until, events = venue.now_ns + ns, list[Event]()
    while (due := venue.engine.next_due_ns(venue.state)) is not None and due <= until:
        venue.at(max(due, venue.now_ns))
        told = venue.take([])
        assert told, "a tick was due, and said nothing"
        events += told
    venue.at(until)
    return events


def lapsed(events: list[Event]) -> list[str]:
    return [event.account for event in events if isinstance(event, AccountLapsed)]


def order(venue: ExchangeVenue, **terms: Any) -> PlaceOrder:
    """Return an order of one lot with an id of its own."""
    chosen = {"symbol": "X", "side": "buy", "quantity_lots": 1, "price_ticks": 10, **terms}
    return PlaceOrder(f"id-{venue.sequence}", venue.now_ns, **chosen)


def check(venue: ExchangeVenue) -> None:
    deep_audit(venue.state)
    check_folds(venue)
    check_decides_again(venue)


def test_an_account_lapses_thirty_days_after_its_opening() -> None:
    venue = venue_of()
    events = venue.open("alice")
    assert events[-1] == LapseScheduled(venue.sequence, START_NS + UNUSED_ACCOUNT_NS)
    assert later(venue, UNUSED_ACCOUNT_NS - 1) == []
    assert later(venue, 1) == [AccountLapsed(venue.sequence, "alice")]
    assert venue.state.accounts == {}
    assert venue.engine.next_due_ns(venue.state) is None
    check(venue)


def test_one_that_is_opened_between_lapses_before_sixty_days() -> None:
    venue = venue_of()
    venue.open("alice")
    later(venue, 1)
    venue.open("bob")
    events = later(venue, UNUSED_ACCOUNT_NS)
    assert lapsed(events) == ["alice"]
    again = LapseScheduled(venue.sequence, START_NS + 2 * UNUSED_ACCOUNT_NS)
    assert events[-1] == again
    assert lapsed(later(venue, UNUSED_ACCOUNT_NS - 2)) == []
    assert lapsed(later(venue, 1)) == ["bob"]
    check(venue)


# Each is done by an account with a grant, in a market with an offer at 60.
USES = {
    "a resting order": {"price_ticks": 10},
    "a trade": {"price_ticks": 6_000, "time_in_force": "ioc"},
    "a sale that rests": {"side": "sell", "price_ticks": 9_000},
}
NO_USES = {
    "an order that meets nobody": {"price_ticks": 10, "time_in_force": "ioc"},
    "an order beyond its means": {"quantity_lots": 1_000, "price_ticks": 5_000},
    "an order for no market": {"symbol": "Y"},
}


def with_an_offer() -> ExchangeVenue:
    venue = venue_of(GRANTING)
    venue.open("maker", 10**6)
    venue.order("maker", order(venue, side="sell", price_ticks=6_000))
    venue.open("alice")
    return venue


@pytest.mark.parametrize("terms", USES.values(), ids=USES)
def test_an_account_that_was_used_once_stays_for_good(terms: dict[str, Any]) -> None:
    venue = with_an_offer()
    assert any(isinstance(e, OrderPlaced) for e in venue.order("alice", order(venue, **terms)))
    venue.order("alice", CancelAll("all", venue.now_ns))
    assert lapsed(later(venue, 5 * UNUSED_ACCOUNT_NS)) == []
    check(venue)


@pytest.mark.parametrize("terms", NO_USES.values(), ids=NO_USES)
def test_what_costs_nothing_keeps_no_account(terms: dict[str, Any]) -> None:
    venue = with_an_offer()
    venue.order("alice", order(venue, **terms))
    outcome = venue.order("alice", CancelAll("all", venue.now_ns))[0]
    assert isinstance(outcome, OrdersCancelled), "and nor does a cancel"
    assert lapsed(later(venue, 2 * UNUSED_ACCOUNT_NS)) == ["alice"]
    check(venue)


def test_a_minted_credit_keeps_an_account() -> None:
    venue = venue_of()
    venue.open("alice", 1)
    later(venue, DAY_NS)
    venue.open("bob")
    later(venue, 40 * DAY_NS)
    venue.mint("bob", 1)
    assert lapsed(later(venue, 5 * UNUSED_ACCOUNT_NS)) == []
    assert list(venue.state.accounts) == ["alice", "bob"]
    assert not venue.state.unused.any()
    check(venue)


def test_a_holding_that_is_settled_was_a_use() -> None:
    venue = with_an_offer()
    venue.order("alice", order(venue, price_ticks=6_000))
    venue.govern(MarketResolved(1, "X", 0, ""))
    assert venue.state.books["X"].holdings == {}
    assert lapsed(later(venue, 5 * UNUSED_ACCOUNT_NS)) == []


def test_a_grant_that_was_never_used_goes_back() -> None:
    venue = venue_of(GRANTING)
    venue.open("alice")
    venue.open("maker", 500)
    assert venue.state.minted_cents == 2 * GRANT + 500
    events = later(venue, UNUSED_ACCOUNT_NS)
    cause = venue.sequence
    assert events == [CashReturned(cause, "alice", GRANT, "lapsed"), AccountLapsed(cause, "alice")]
    assert venue.state.minted_cents == GRANT + 500
    check(venue)


def test_a_lapsed_name_is_opened_by_another_and_has_nothing_of_the_old() -> None:
    venue = venue_of(GRANTING)
    venue.open("alice")
    later(venue, UNUSED_ACCOUNT_NS - 1)
    late = PlaceOrder("late", venue.now_ns, "X", "buy", 1, price_ticks=10, time_in_force="ioc")
    venue.order("alice", late)
    assert lapsed(later(venue, 1)) == ["alice"]
    refused = venue.order("alice", order(venue))[0]
    assert isinstance(refused, OrderRejected)
    assert refused.code == "unknown_account"
    command = opening("alice", venue.now_ns, VENUE_ID, OTHER_SEED)
    events = venue.feed((subjects.account_command("main", "alice"), encode(command)))
    assert events[0] == AccountOpened(venue.sequence, "alice", public_key(OTHER_SEED))
    account = venue.state.accounts["alice"]
    assert (account.cash, account.orders, account.ids_now) == (GRANT, {}, {})
    again = PlaceOrder("late", venue.now_ns, "X", "buy", 1, price_ticks=10)
    assert isinstance(venue.order("alice", again)[0], OrderPlaced), "no id is used up"
    later(venue, 2 * REMEMBER_IDS_NS)
    check(venue)


def test_a_record_ends_a_bounded_number_of_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_end, "MAX_LAPSES", 3)
    venue = venue_of(GRANTING)
    for one in range(8):
        venue.open(f"acct{one}")
    venue.at(START_NS + 2 * UNUSED_ACCOUNT_NS)
    counts = []
    while (venue.engine.next_due_ns(venue.state) or venue.now_ns + 1) <= venue.now_ns:
        counts.append(len(lapsed(venue.take([]))))
        check_folds(venue)
        if len(counts) == 2:  # commands are judged as ever between two such records
            counts.append(len(lapsed(venue.open("late"))))
    # the first was scheduled alone, with the record that opened it
    assert counts[0] == 1
    assert max(counts) <= 3
    assert lapsed(later(venue, UNUSED_ACCOUNT_NS)) == [f"acct{one}" for one in range(1, 8)]
    check(venue)


def test_places_in_the_dump_follow_the_accounts_that_are_left() -> None:
    venue = with_an_offer()
    venue.open("zoe", 10**6)
    venue.order("zoe", order(venue))
    later(venue, 2 * UNUSED_ACCOUNT_NS)
    venue.open("bob")
    assert list(venue.state.accounts) == ["maker", "zoe", "bob"]
    loaded = venue.engine.load(dump(venue.state))
    assert [one.account.name for one in loaded.books["X"].holdings.values()] == ["maker", "zoe"]
    assert list(loaded.unused.scheduled or loaded.unused.opened) == ["bob"]
    check(venue)


def test_a_venue_full_of_unused_accounts_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "MAX_ACCOUNTS", 3)
    venue = venue_of()
    for name in ("eve1", "eve2", "eve3"):
        venue.open(name)
    assert getattr(venue.open("alice")[0], "code", "") == "too_many_accounts"
    later(venue, 2 * UNUSED_ACCOUNT_NS)
    assert isinstance(venue.open("alice")[0], AccountOpened)


def test_unused_accounts_at_the_rate_of_a_door_never_fill_a_venue() -> None:
    days = 2 * UNUSED_ACCOUNT_NS // DAY_NS + 1
    assert days * ACCOUNT_OPENINGS_PER_DAY < MAX_ACCOUNTS


@pytest.mark.parametrize(
    "event",
    [
        AccountLapsed(1, "nobody"),
        AccountLapsed(1, "alice"),
        CashReturned(1, "nobody", 1, "lapsed"),
        LapseScheduled(1, START_NS),
        AccountOpened(1, "alice", "K"),
    ],
)
def test_what_cannot_be_true_of_the_state_is_no_event_of_it(event: Event) -> None:
    venue = venue_of(GRANTING)
    venue.open("alice")
    with pytest.raises(BrokenInvariant):
        venue.engine.evolve(venue.state, event)


def test_balances_are_stated_after_a_lapse_as_before() -> None:
    venue = venue_of(GRANTING)
    venue.open("alice")
    later(venue, UNUSED_ACCOUNT_NS)
    stated = venue.open("bob")
    assert BalancesChanged(venue.sequence, [Balance("bob", GRANT, 0)], []) in stated


steps = st.lists(
    st.tuples(
        st.sampled_from(("open", "rest", "ioc", "mint", "cancel", "wait", "wait")),
        st.sampled_from(("ann", "bob", "cyd", "dan", "eve")),
        st.integers(1, 40),
    ),
    max_size=60,
)


@drawn(100)
@given(steps, st.sampled_from((0, GRANT)))
def test_whatever_people_do_the_used_stay_and_the_unused_go(
    plan: list[tuple[str, str, int]], grant: int
) -> None:
    """An oracle in plain words beside the engine: who was opened when, and who was used."""
    venue = venue_of(ExchangePolicy(signup_grant_cents=grant))
    opened_ns: dict[str, int] = {}
    used: set[str] = set()
    for kind, who, number in plan:
        events: list[Event] = []
        if kind == "open":
            events = venue.open(who)
            opened_ns.setdefault(who, venue.now_ns)
        elif kind == "wait":
            events = later(venue, number * DAY_NS)
        elif kind == "mint":
            events = venue.mint(who, number)
            used |= {who} & opened_ns.keys()
        elif kind == "cancel":
            events = venue.order(who, CancelAll(f"c{venue.sequence}", venue.now_ns))
        else:
            force = "gtc" if kind == "rest" else "ioc"
            events = venue.order(who, order(venue, time_in_force=force))
            if any(isinstance(e, OrderPlaced) and e.resting_lots for e in events):
                used.add(who)
        for name in lapsed(events):
            assert name not in used
            assert venue.now_ns - opened_ns.pop(name) >= UNUSED_ACCOUNT_NS
        deep_audit(venue.state)
        assert venue.state.accounts.keys() == opened_ns.keys()
        for name, since_ns in opened_ns.items():
            assert name in used or venue.now_ns - since_ns < 2 * UNUSED_ACCOUNT_NS
    check(venue)
