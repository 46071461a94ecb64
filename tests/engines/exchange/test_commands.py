"""Ids, times, openings and credit; and what hostile or unreadable messages get."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engines.exchange.evolve import EVENT_HANDLERS
from engines.exchange.limits import (
    FUTURE_AFTER_NS,
    MAX_MINTED_CENTS,
    REMEMBER_IDS_NS,
    STALE_AFTER_NS,
)
from engines.exchange.snapshot import dump
from schemas import subjects
from schemas.codec import encode
from schemas.commands import CancelAll, CancelOrder, Order, PlaceOrder, PlaceOrders
from schemas.errors import BrokenInvariant, Refusal, UnknownRecord
from schemas.events import Event, exchange
from schemas.events.exchange import (
    AccountOpened,
    Balance,
    BalancesChanged,
    CashCredited,
    CommandRefused,
    CreditRefused,
    IdsForgotten,
    LimitsSet,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
    Top,
    TopsChanged,
    Traded,
)
from schemas.events.governance import PolicySet
from schemas.events.notary import Sealed
from schemas.limits import (
    MAX_AMOUNT_CENTS,
    MAX_CLIENT_ID_CHARS,
    MAX_COMMAND_BYTES,
    MAX_DETAIL_CHARS,
)
from schemas.policy import SEED_PLAN, ExchangePolicy
from schemas.signatures import public_key, seed_from
from schemas.stored import Stored
from tests.engines.exchange.venue import KEY, START_NS, VENUE_ID, ExchangeVenue, opening
from tests.support.drawing import drawn

OTHER_KEY = public_key(seed_from(b"7" * 32))


@pytest.fixture
def venue() -> ExchangeVenue:
    venue = ExchangeVenue()
    venue.markets("X")
    venue.open("alice", 10**9)
    venue.open("bob", 10**9)
    return venue


def order(client_order_id: str = "o1", time_ns: int = START_NS, **changes: Any) -> PlaceOrder:
    terms: dict[str, Any] = {"symbol": "X", "side": "buy", "quantity_lots": 1, "price_ticks": 5_000}
    return PlaceOrder(client_order_id, time_ns, **{**terms, **changes})


def outcome(events: list[Event]) -> Any:
    """Return the one outcome among `events`."""
    stated = BalancesChanged | TopsChanged | IdsForgotten
    found = [event for event in events if not isinstance(event, stated)]
    assert len(found) == 1, found
    return found[0]


# -- ids and times ---------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["", "x" * 37, "tab\t", "nul\0", "ümlaut", "\x7f"])
def test_a_client_id_is_1_to_36_printable_ascii_characters(venue: ExchangeVenue, bad: str) -> None:
    rejected = outcome(venue.order("alice", order(bad)))
    assert (type(rejected), rejected.code) == (OrderRejected, "bad_client_id")
    refused = outcome(venue.order("alice", CancelAll(bad, START_NS)))
    assert (type(refused), refused.code) == (CommandRefused, "bad_client_id")


def test_the_longest_client_id_is_good(venue: ExchangeVenue) -> None:
    placed = outcome(venue.order("alice", order("~ " * (MAX_CLIENT_ID_CHARS // 2))))
    assert isinstance(placed, OrderPlaced)


@pytest.mark.parametrize(
    ("late_ns", "code"),
    [
        (STALE_AFTER_NS, None),
        (STALE_AFTER_NS + 1, "stale"),
        (-FUTURE_AFTER_NS, None),
        (-FUTURE_AFTER_NS - 1, "from_the_future"),
        (10**60, "stale"),
        (-(10**60), "from_the_future"),
    ],
)
def test_a_command_has_its_time(venue: ExchangeVenue, late_ns: int, code: str | None) -> None:
    single = outcome(venue.order("alice", order("one", START_NS - late_ns)))
    batch = Order(client_order_id="two", symbol="X", side="buy", quantity_lots=1, price_ticks=1)
    many = outcome(venue.order("alice", PlaceOrders(START_NS - late_ns, [batch])))
    cancel = outcome(venue.order("alice", CancelAll("three", START_NS - late_ns)))
    if code is None:
        assert isinstance(single, OrderPlaced)
        assert isinstance(many, OrderPlaced)
        assert isinstance(cancel, OrdersCancelled)
    else:
        assert (single.code, many.code, cancel.code) == (code, code, code)


def test_an_id_is_used_up_by_what_was_carried_out(venue: ExchangeVenue) -> None:
    refused = outcome(venue.order("alice", order("a", price_ticks=0)))
    assert refused.code == "price_out_of_range"
    placed = outcome(venue.order("alice", order("a")))
    assert isinstance(placed, OrderPlaced)
    twice = outcome(venue.order("alice", order("a", side="sell", price_ticks=9_000)))
    assert (twice.code, twice.duplicate_of) == ("duplicate", placed.order_id)
    cancel = outcome(venue.order("alice", CancelOrder("a", START_NS, placed.order_id)))
    assert cancel.code == "duplicate"
    assert str(placed.cause) in cancel.detail
    assert isinstance(outcome(venue.order("bob", order("a"))), OrderPlaced), "ids are per account"
    cancelled = outcome(venue.order("alice", CancelOrder("c", START_NS, placed.order_id)))
    assert cancelled.order_ids == [placed.order_id]
    again = outcome(venue.order("alice", CancelAll("c", START_NS)))
    assert again.code == "duplicate"
    assert str(cancelled.cause) in again.detail
    reused = outcome(venue.order("alice", order("c")))
    assert (reused.code, reused.duplicate_of) == ("duplicate", None)


def test_ids_are_remembered_until_their_command_is_stale_and_then_forgotten(
    venue: ExchangeVenue,
) -> None:
    engine, state = venue.engine, venue.state
    last_ns = START_NS + FUTURE_AFTER_NS
    message = venue.order_message("alice", order("late", last_ns))
    assert isinstance(outcome(venue.feed(message)), OrderPlaced)
    forgotten = 0
    while state.ids.any():
        due = engine.next_due_ns(state)
        assert due is not None
        assert due > venue.now_ns
        venue.at(due - 1)
        assert outcome(venue.feed(message)).code in ("duplicate", "stale")
        assert venue.take([]) == []
        venue.at(due)
        assert outcome(venue.feed(message)).code in ("duplicate", "stale")
        events = venue.take([]) or venue.take([])
        forgotten += 1
        assert all(isinstance(event, IdsForgotten) for event in events)
        assert forgotten < 5
    assert venue.now_ns >= last_ns + STALE_AFTER_NS
    assert outcome(venue.feed(message)).code == "stale"
    assert engine.next_due_ns(state) is None
    venue.check()


@drawn(50)
@given(st.lists(st.integers(0, REMEMBER_IDS_NS // 2), min_size=1, max_size=30))
def test_no_pause_makes_a_command_execute_twice(pauses: list[int]) -> None:
    """An order is sent again after every pause until it is stale, whatever is forgotten."""
    venue = ExchangeVenue()
    venue.markets("X")
    venue.open("alice", 10**9)
    message = venue.order_message("alice", order("a", START_NS + FUTURE_AFTER_NS))
    events = venue.feed(message)
    for number, pause in enumerate(pauses):
        venue.at(venue.now_ns + pause)
        events += venue.take([])
        events += venue.feed(message)
        events += venue.order("alice", order(f"b{number}", venue.now_ns))
    placed = [e for e in events if isinstance(e, OrderPlaced) and e.client_order_id == "a"]
    assert len(placed) == 1
    venue.check()


# -- accounts and credit ---------------------------------------------------------------


def account_command(venue: ExchangeVenue, account: str, command: Any) -> Any:
    return outcome(venue.feed((subjects.account_command("main", account), encode(command))))


def test_an_account_is_opened_once_by_the_holder_of_its_key(venue: ExchangeVenue) -> None:
    opened = account_command(venue, "carol", opening("carol", START_NS))
    assert opened == AccountOpened(venue.sequence, "carol", KEY)
    again = account_command(venue, "carol", opening("carol", START_NS))
    assert again.code == "account_exists"


@pytest.mark.parametrize(
    ("account", "command", "code"),
    [
        ("carol", opening("mallory", START_NS), "bad_signature"),
        ("carol", opening("carol", START_NS, venue_id="0" * 64), "bad_signature"),
        ("carol", replace(opening("carol", START_NS), public_key=OTHER_KEY), "bad_signature"),
        ("carol", replace(opening("carol", START_NS), public_key=""), "bad_signature"),
        ("carol", replace(opening("carol", START_NS), signature="x"), "bad_signature"),
        ("carol", opening("carol", START_NS - STALE_AFTER_NS - 1), "stale"),
        ("carol", opening("carol", START_NS + FUTURE_AFTER_NS + 1), "from_the_future"),
        ("Carol", opening("Carol", START_NS), "bad_account_name"),
        ("c" * 33, opening("c" * 33, START_NS), "bad_account_name"),
        ("alice", opening("alice", START_NS), "account_exists"),
    ],
)
def test_openings_that_are_refused(
    venue: ExchangeVenue, account: str, command: Any, code: str
) -> None:
    before = venue.hash()
    refused = account_command(venue, account, command)
    assert (type(refused), refused.code) == (CommandRefused, code)
    assert venue.hash() == before


def test_there_are_no_accounts_before_the_genesis() -> None:
    venue = ExchangeVenue()
    venue.state = venue.engine.initial()
    assert account_command(venue, "alice", opening("alice", START_NS)).code == "no_genesis"


def test_the_signup_grant_is_the_policys() -> None:
    venue = ExchangeVenue(ExchangePolicy(signup_grant_cents=700))
    events = venue.open("alice")
    assert CashCredited(venue.sequence, "alice", 700, "signup_grant") in events
    policy = replace(SEED_PLAN, exchange=ExchangePolicy(signup_grant_cents=0))
    limits = outcome(venue.govern(PolicySet(1, 2, policy, "enough")))
    assert limits == LimitsSet(venue.sequence, policy.exchange, VENUE_ID)
    venue.open("bob")
    assert venue.state.accounts["bob"].cash == 0
    assert venue.state.minted_cents == 700
    venue.check()


def test_credit_has_bounds(venue: ExchangeVenue) -> None:
    refused = outcome(venue.mint("nobody", 5))
    assert refused == CreditRefused(venue.sequence, "nobody", 5, "unknown_account")
    for amount in (0, -5, MAX_AMOUNT_CENTS + 1):
        assert outcome(venue.mint("alice", amount)).code == "amount_out_of_range"
    while venue.state.minted_cents + MAX_AMOUNT_CENTS <= MAX_MINTED_CENTS:
        venue.state.accounts["bob"].cash += MAX_AMOUNT_CENTS
        venue.state.minted_cents += MAX_AMOUNT_CENTS
    assert outcome(venue.mint("alice", MAX_AMOUNT_CENTS)).code == "amount_out_of_range"


# -- hostile messages ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["order", "account"])
@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "malformed"),
        (b"\xff\x00", "malformed"),
        (b"[]", "malformed"),
        (b'{"type":"place_order/1"}', None),
        (b'{"type":"place_order/9"}', "unknown_message"),
        (b'{"type":"record/1"}', "unknown_message"),
        (b'{"type":"' + b"y" * 9_000 + b'"}', "unknown_message"),
        (b"[" * 60_000, "malformed"),
        (b" " * (MAX_COMMAND_BYTES + 1), "too_large"),
    ],
)
def test_what_cannot_be_read_is_refused(
    venue: ExchangeVenue, kind: str, payload: bytes, code: str | None
) -> None:
    before = venue.hash()
    refused = outcome(venue.feed((f"main.cmd.{kind}.alice", payload)))
    assert isinstance(refused, CommandRefused)
    expected = code or ("malformed" if kind == "order" else "unknown_message")
    assert (refused.account, refused.code) == ("alice", expected)
    assert len(refused.detail) <= MAX_DETAIL_CHARS
    assert venue.hash() == before


@pytest.mark.parametrize("subject", ["main.cmd.order.ALICE", "main.cmd.order." + "a" * 500])
def test_no_event_carries_a_name_that_is_none(venue: ExchangeVenue, subject: str) -> None:
    for command in (order(), CancelAll("c", START_NS)):
        refused = outcome(venue.feed((subject, encode(command))))
        assert (refused.account, refused.code) == ("", "unknown_account")


def test_refusals_echo_only_so_much(venue: ExchangeVenue) -> None:
    rejected = outcome(venue.order("alice", order("i" * 9_000, symbol="S" * 9_000)))
    assert len(encode(rejected)) < 500


def test_a_batch_has_a_bound_of_its_own(venue: ExchangeVenue) -> None:
    one = Order(client_order_id="a", symbol="X", side="buy", quantity_lots=1, price_ticks=1)
    refused = outcome(venue.order("alice", PlaceOrders(START_NS, [one] * 101)))
    assert (type(refused), refused.code) == (CommandRefused, "too_many_orders")


@pytest.mark.parametrize("payload", [b"junk", encode(Sealed(1, 1, "", "")), b'{"type":"record/2"}'])
def test_an_unreadable_governance_record_is_a_halt(venue: ExchangeVenue, payload: bytes) -> None:
    with pytest.raises(UnknownRecord):
        venue.feed(("main.evt.governance", payload))


def test_other_subjects_are_none_of_its_business(venue: ExchangeVenue) -> None:
    assert list(venue.engine.decide(venue.state, Stored(99, "main.obs.llm", b""), 0)) == []


texts = st.one_of(st.text(max_size=40), st.sampled_from(("alice", "X", "o1", "")))
numbers = st.one_of(
    st.integers(), st.integers(-(10**30), 10**30), st.integers(START_NS - 10, START_NS + 10)
)
junk_orders = st.fixed_dictionaries(
    {
        "client_order_id": texts,
        "symbol": texts,
        "side": st.sampled_from(("buy", "sell")),
        "quantity_lots": numbers,
        "order_type": st.sampled_from(("limit", "market")),
        "price_ticks": st.one_of(st.none(), numbers),
        "time_in_force": st.sampled_from(("gtc", "ioc", "fok")),
        "post_only": st.booleans(),
    }
)
junk_commands = st.one_of(
    st.builds(lambda time, terms: PlaceOrder(client_time_ns=time, **terms), numbers, junk_orders),
    st.builds(
        lambda time, rows: PlaceOrders(time, [Order(**row) for row in rows]),
        numbers,
        st.lists(junk_orders, max_size=4),
    ),
    st.builds(CancelOrder, texts, numbers, numbers),
    st.builds(CancelAll, texts, numbers, st.one_of(st.none(), texts)),
)
payloads = st.one_of(
    st.binary(max_size=200),
    junk_commands.map(encode),
    st.builds(
        lambda data, at, byte: data[: at % len(data)] + byte + data[at % len(data) + 1 :],
        junk_commands.map(encode),
        st.integers(0, 10**6),
        st.binary(max_size=2),
    ),
)


@drawn(300)
@given(
    st.sampled_from(("main.cmd.order.alice", "main.cmd.account.alice", "main.cmd.order.x.y")),
    payloads,
)
def test_every_message_gets_an_outcome_and_none_an_exception(subject: str, payload: bytes) -> None:
    venue = ExchangeVenue()
    venue.markets("X")
    venue.open("alice", 10**9)
    before = dump(venue.state)
    events = venue.feed((subject, payload))
    assert events
    known = get_args(exchange.Event)
    assert all(type(event) in known and event.cause == venue.sequence for event in events)
    if all(isinstance(event, OrderRejected | CommandRefused) for event in events):
        assert dump(venue.state) == before
        codes = {
            event.code for event in events if isinstance(event, OrderRejected | CommandRefused)
        }
        assert codes <= set(Refusal)
    venue.check()


# -- events that cannot be true --------------------------------------------------------


def test_every_event_has_its_step() -> None:
    assert set(EVENT_HANDLERS) == set(get_args(exchange.Event))


@pytest.mark.parametrize(
    "event",
    [
        BalancesChanged(9, [Balance("alice", 1, 0)], []),
        TopsChanged(9, [Top("X", 1, 1, None, 0)]),
        OrdersCancelled(9, "alice", "c", [12_345]),
        CashCredited(9, "nobody", 1, "mint"),
        Traded(9, 1, "X", 5_000, 1, "buy", 900, "alice", 901, "bob", 0),
    ],
)
def test_an_event_that_does_not_fit_is_a_broken_invariant(
    venue: ExchangeVenue, event: Event
) -> None:
    with pytest.raises(BrokenInvariant):
        venue.engine.evolve(venue.state, event)


def test_money_from_nowhere_is_a_broken_invariant(venue: ExchangeVenue) -> None:
    venue.state.accounts["alice"].cash += 1
    with pytest.raises(BrokenInvariant):
        venue.hash()


def test_a_stated_balance_must_be_the_states(venue: ExchangeVenue) -> None:
    venue.state.touched_accounts["alice"] = venue.state.accounts["alice"]
    with pytest.raises(BrokenInvariant):
        venue.engine.evolve(venue.state, BalancesChanged(9, [Balance("alice", 1, 0)], []))


def test_anothers_event_is_an_unknown_record(venue: ExchangeVenue) -> None:
    with pytest.raises(UnknownRecord):
        venue.engine.evolve(venue.state, Sealed(1, 1, "", ""))
