"""What is large: long matches, big batches, settlements of many, records that must fit."""

import pytest

from engines.exchange.decide import group_end, orders
from engines.exchange.limits import IDS_LIKE_AN_EVENT, MAX_TRADES_PER_COMMAND, MAX_TRADES_PER_ORDER
from engines.kernel import decide_group
from schemas.codec import encode
from schemas.commands import CancelAll, Order, PlaceOrder, PlaceOrders
from schemas.events import Event
from schemas.events.exchange import (
    Balance,
    BalancesChanged,
    OrderPlaced,
    OrdersCancelled,
    Position,
    Top,
    TopsChanged,
    Traded,
)
from schemas.events.governance import MarketResolved
from schemas.limits import MAX_BALANCE_ROWS, MAX_BATCH_ORDERS, MAX_GROUP_EVENTS
from streams.host.limits import MAX_RECORD_BYTES
from tests.engines.exchange.deep_audit import deep_audit
from tests.engines.exchange.venue import START_NS, ExchangeVenue


def resting(venue: ExchangeVenue, account: str, count: int, side: str, price: int) -> None:
    """Let `account` rest `count` orders of one lot."""
    for first in range(0, count, MAX_BATCH_ORDERS):
        batch = [
            Order(
                client_order_id=f"{side}{first + i}",
                symbol="X",
                side="buy" if side == "buy" else "sell",
                quantity_lots=1,
                price_ticks=price,
            )
            for i in range(min(MAX_BATCH_ORDERS, count - first))
        ]
        venue.order(account, PlaceOrders(START_NS, batch))


def venue_of(*accounts: str) -> ExchangeVenue:
    venue = ExchangeVenue()
    venue.markets("X")
    for account in accounts:
        venue.open(account, 10**12)
    return venue


def placed(events: list[Event]) -> list[OrderPlaced]:
    return [event for event in events if isinstance(event, OrderPlaced)]


def test_an_order_meets_only_so_many_others() -> None:
    venue = venue_of("alice", "bob")
    resting(venue, "alice", MAX_TRADES_PER_ORDER + 5, "sell", 6_000)
    big = PlaceOrder("big", START_NS, "X", "buy", MAX_TRADES_PER_ORDER + 9, price_ticks=6_000)
    fok = PlaceOrder(
        "fok",
        START_NS,
        "X",
        "buy",
        MAX_TRADES_PER_ORDER + 1,
        price_ticks=6_000,
        time_in_force="fok",
    )
    assert not placed(venue.order("bob", fok))
    (order,) = placed(venue.order("bob", big))
    assert order.filled_lots == MAX_TRADES_PER_ORDER
    assert (order.cancelled_lots, order.cancel_reason) == (9, "match_limit")
    assert len(venue.state.orders) == 5
    deep_audit(venue.state)
    venue.check()


def test_exactly_as_many_as_allowed_is_no_match_limit() -> None:
    venue = venue_of("alice", "bob")
    resting(venue, "alice", MAX_TRADES_PER_ORDER + 1, "sell", 6_000)
    exact = PlaceOrder("e", START_NS, "X", "buy", MAX_TRADES_PER_ORDER, price_ticks=6_000)
    (order,) = placed(venue.order("bob", exact))
    assert (order.filled_lots, order.cancel_reason) == (MAX_TRADES_PER_ORDER, "")


def test_the_orders_of_a_batch_share_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "MAX_TRADES_PER_COMMAND", 7)
    venue = venue_of("alice", "bob")
    resting(venue, "alice", 20, "sell", 6_000)
    batch = [
        Order(client_order_id=f"b{i}", symbol="X", side="buy", quantity_lots=5, price_ticks=6_000)
        for i in range(3)
    ]
    outcomes = placed(venue.order("bob", PlaceOrders(START_NS, batch)))
    assert [order.filled_lots for order in outcomes] == [5, 2, 0]
    assert [order.cancel_reason for order in outcomes] == ["", "match_limit", "match_limit"]


def test_many_balances_are_stated_over_several_records(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = venue_of("maker", *(f"acct{i}" for i in range(10)))
    for i in range(10):
        venue.order(f"acct{i}", PlaceOrder("b", START_NS, "X", "buy", 2, price_ticks=4_000))
    venue.order("maker", PlaceOrder("s", START_NS, "X", "sell", 20, price_ticks=4_000))
    monkeypatch.setattr(group_end, "MAX_BALANCE_ROWS", 4)
    events = venue.govern(MarketResolved(1, "X", 7_000, ""))
    assert venue.engine.next_due_ns(venue.state) == 0
    venue.engine.load(venue.engine.dump(venue.state))
    again = venue.engine.load(venue.engine.dump(venue.state))
    assert venue.engine.dump(again) == venue.engine.dump(venue.state)
    ticks = 0
    while venue.engine.next_due_ns(venue.state) == 0:
        events += venue.take([])
        ticks += 1
        assert ticks < 9
    stated = [event for event in events if isinstance(event, BalancesChanged)]
    assert [len(event.balances) for event in stated] == [4, 4, 3]
    assert [len(event.positions) for event in stated] == [4, 4, 3]
    assert all(row.lots == 0 for event in stated for row in event.positions)
    assert venue.state.books["X"].holdings == {}
    venue.check()


def test_a_mass_cancel_takes_all() -> None:
    venue = venue_of("alice")
    resting(venue, "alice", 3_000, "buy", 4_000)
    (event, *_) = venue.order("alice", CancelAll("c", START_NS))
    assert len(getattr(event, "order_ids", [])) == 3_000
    assert not venue.state.orders
    deep_audit(venue.state)


def test_a_snapshot_keeps_the_order_in_which_covers_are_lost() -> None:
    venue = venue_of("alice", "bob")
    resting(venue, "bob", 10, "sell", 5_000)
    venue.order("alice", PlaceOrder("a", START_NS, "X", "buy", 10, price_ticks=5_000))
    for price in (9_000, 6_000, 7_000):  # neither by price nor against it
        venue.order("alice", PlaceOrder(f"s{price}", START_NS, "X", "sell", 3, price_ticks=price))
    venue.order("bob", PlaceOrder("b", START_NS, "X", "buy", 8, price_ticks=3_000))
    restored = venue.engine.load(venue.engine.dump(venue.state))
    for state in (restored, venue.state):
        holding = state.books["X"].holdings["alice"]
        assert list(holding.covering) == sorted(holding.covering)
        assert len(holding.covering) == 3
    venue.state = restored
    venue.order("alice", PlaceOrder("t", START_NS, "X", "sell", 8, price_ticks=3_000))
    venue.check()
    deep_audit(venue.state)


def test_the_largest_record_fits() -> None:
    """A group that is just short of its events and then gets the largest command."""
    name, symbol, big = "a" * 32, "S" * 24, 10**12
    trade = Traded(big, big, symbol, 9_999, 10**9, "sell", big * 100, name, big * 100, name, 10**9)
    order = OrderPlaced(
        big, big * 100, name, "c" * 36, symbol, "sell", "market", "gtc", 9_999, 10**9, 10**9,
        10**9, 10**9, "no_liquidity", big * 100,
    )  # fmt: skip
    worst = max(len(encode(trade)), len(encode(order)))
    rows = range(MAX_BALANCE_ROWS)
    balances = BalancesChanged(
        big,
        [Balance(name, 10**18, 10**18) for _ in rows],
        [Position(name, symbol, -(10**12)) for _ in rows],
    )
    tops = TopsChanged(big, [Top(symbol, 9_998, 10**13, 9_999, 10**13) for _ in rows])
    ids = OrdersCancelled(big, name, "c" * 36, [big * 100] * IDS_LIKE_AN_EVENT)
    assert len(encode(ids)) < worst
    longest = OrdersCancelled(big, name, "c" * 36, [big * 100] * 20_000)
    events = MAX_GROUP_EVENTS + MAX_TRADES_PER_COMMAND + MAX_BATCH_ORDERS
    total = events * (worst + 1)
    total += sum(len(encode(event)) for event in (longest, balances, tops))
    assert total < MAX_RECORD_BYTES


def test_long_cancels_close_the_group() -> None:
    accounts = [f"acct{i}" for i in range(8)]
    venue = venue_of(*accounts)
    for account in accounts:
        resting(venue, account, 20_000, "buy", 4_000)
    messages = [venue.order_message(a, CancelAll("c", START_NS)) for a in accounts]
    inputs = [venue.stored(*message) for message in messages]
    group = decide_group(venue.engine, venue.state, inputs, venue.now_ns)
    assert group.taken * 20_000 // IDS_LIKE_AN_EVENT >= MAX_GROUP_EVENTS
    assert group.taken == 5
