"""What each table says after a story, checked against the story itself."""

import pytest

from projections.store.checkpoint import Checkpoint, Follower
from projections.store.projection import Row, collect
from projections.tables import PROJECTIONS
from schemas.units import MINUTE_NS
from tests.projections.reading import project_all, projected, rows
from tests.projections.story import ROOT_KEY, VENUE_ID, Story, told


@pytest.fixture
async def story(dsn: str) -> Story:
    it = told(seed=7, records=30)
    await project_all(it.scribe.server, dsn)
    return it


async def test_orders_stand_as_the_market_left_them(dsn: str, story: Story) -> None:
    open_orders = rows(dsn, "SELECT order_id, resting_lots FROM orders WHERE status = 'open'")
    assert {row["order_id"]: row["resting_lots"] for row in open_orders} == {
        order_id: order.lots for order_id, order in story.resting.items()
    }
    for row in rows(dsn, "SELECT * FROM orders WHERE status <> 'rejected'"):
        parts = row["filled_lots"] + row["resting_lots"] + row["cancelled_lots"]
        assert parts == row["quantity_lots"]
        assert (row["status"] == "open") == (row["resting_lots"] > 0)
        assert (row["status"] == "cancelled") == (row["cancelled_lots"] > 0)
        assert (row["reason"] != "") == (row["cancelled_lots"] > 0)
    reasons = {row["reason"] for row in rows(dsn, "SELECT DISTINCT reason FROM orders")}
    assert reasons == {"", "ioc", "requested", "settled", "stale"}
    filled = "SELECT o.order_id FROM orders o WHERE o.filled_lots <> (SELECT coalesce(sum(t.quantity_lots), 0) FROM trade_history t WHERE o.order_id IN (t.taker_order_id, t.maker_order_id))"  # noqa: E501
    assert rows(dsn, filled) == []


async def test_positions_and_accounts(dsn: str, story: Story) -> None:
    found = {(row["account"], row["symbol"]): row["lots"] for row in rows(dsn, "TABLE positions")}
    assert found == story.positions
    assert {row["account"] for row in rows(dsn, "TABLE accounts")} == set(story.accounts)
    credits_ = rows(dsn, "SELECT account, amount_cents, refused FROM credits WHERE reason = 'mint'")
    assert sorted(tuple(row.values()) for row in credits_) == [
        ("acct0", 500, ""),
        ("acct0", 700, ""),
        ("nobody", 5, "unknown_account"),
    ]


async def test_bars_are_what_the_trades_add_up_to(dsn: str, story: Story) -> None:
    trades = rows(dsn, "SELECT * FROM trade_history ORDER BY trade_id")
    assert len(trades) == story.trades
    bars = rows(dsn, "SELECT * FROM bars WHERE span = '1m'")
    for bar in bars:
        inside = [
            trade
            for trade in trades
            if trade["symbol"] == bar["symbol"]
            and trade["time_ns"] // MINUTE_NS * MINUTE_NS == bar["start_ns"]
        ]
        prices = [trade["price_ticks"] for trade in inside]
        assert bar["open_ticks"] == prices[0]
        assert bar["close_ticks"] == prices[-1]
        assert bar["high_ticks"] == max(prices)
        assert bar["low_ticks"] == min(prices)
        assert bar["volume_lots"] == sum(trade["quantity_lots"] for trade in inside)
        assert bar["trades"] == len(inside)
        assert bar["sequence"] == inside[-1]["sequence"]
    assert sum(bar["trades"] for bar in bars) == len(trades)
    days = rows(dsn, "SELECT sum(trades) AS trades FROM bars WHERE span = '1d'")
    assert days[0]["trades"] == len(trades)


async def test_books_say_when_they_last_changed(dsn: str, story: Story) -> None:
    books = {row["symbol"]: row for row in rows(dsn, "TABLE books")}
    assert books["S0"]["status"] == "settled"
    assert books["S0"]["value_ticks"] == 10_000
    assert books["S1"]["status"] == "open"
    assert (books["S1"]["bid_ticks"], books["S1"]["bid_lots"]) == story.best("S1", "buy")
    touched = rows(dsn, "SELECT max(sequence) AS last FROM orders WHERE symbol = 'S1'")
    assert books["S1"]["sequence"] >= touched[0]["last"]


async def test_governance_tables(dsn: str, story: Story) -> None:
    stocks = {row["symbol"]: row for row in rows(dsn, "TABLE stocks")}
    assert stocks["S0"]["status"] == "resolved"
    assert stocks["S0"]["value_ticks"] == 10_000
    assert stocks["S1"]["status"] == "open"
    assert stocks["S1"]["aliases"] == ["s1", 'a "quoted", {braced} name']
    assert stocks["S1"]["description"] == "Will it\t\\happen?\n"
    keys = {row["key"]: row for row in rows(dsn, "TABLE keys")}
    assert keys[ROOT_KEY]["role"] == "super-admin"
    assert (keys["KEY1"]["status"], keys["KEY1"]["successor"]) == ("rotated", "KEY2")
    assert keys["KEY2"]["status"] == "revoked"
    assert (keys["KEY3"]["holder"], keys["KEY3"]["role"], keys["KEY3"]["status"]) == (
        "ann",
        "admin",
        "active",
    )
    refused = rows(dsn, "SELECT * FROM audit_events WHERE code IS NOT NULL")
    assert [row["code"] for row in refused] == ["key_revoked"]
    assert "no\\u0000" in refused[0]["body"]
    assert rows(dsn, "SELECT venue_id FROM venue") == [{"venue_id": VENUE_ID}]
    assert [row["version"] for row in rows(dsn, "TABLE policies")] == [1, 2]
    decisions = {row["decision_hash"][0]: row for row in rows(dsn, "TABLE decisions")}
    assert decisions["d"]["status"] == "lapsed"
    assert decisions["d"]["signers"] == ["KEY3", ROOT_KEY]
    assert decisions["e"]["status"] == "accepted"
    assert decisions["e"]["signers"] == ["KEY3", ROOT_KEY, "KEY1"]
    assert decisions["e"]["signers_needed"] == 3
    assert rows(dsn, "SELECT * FROM scores WHERE symbol = 'S1'")[0]["buy_lots_1h"] == 30


async def test_every_row_names_a_message_that_is_on_the_log(dsn: str, story: Story) -> None:
    sequences = {message.sequence for message in projected(story.scribe.server)}
    for projection in PROJECTIONS:
        for table in projection.tables:
            found = rows(dsn, f"SELECT sequence FROM {table.name}")
            assert found, table.name
            assert {row["sequence"] for row in found} <= sequences, table.name


def test_folding_is_pure_and_has_no_memory() -> None:
    server = told(seed=3).scribe.server
    follower = Follower(Checkpoint())
    batch = [follower.follow(message) for message in projected(server)]

    def collected() -> list[tuple[str, list[Row]]]:
        return [(one.statement.name, list(one.rows)) for one in collect(PROJECTIONS, batch)]

    assert collected() == collected()


def test_tables_statements_and_stages_have_names_of_their_own() -> None:
    tables = [table.name for one in PROJECTIONS for table in one.tables]
    statements = [statement.name for one in PROJECTIONS for statement in one.statements]
    assert len(set(tables)) == len(tables)
    assert len(set(statements)) == len(statements)
    for projection in PROJECTIONS:
        for table in projection.tables:
            assert table.columns["sequence"] == "bigint NOT NULL"
