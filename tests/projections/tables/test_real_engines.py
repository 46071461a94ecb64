"""What the real engines decided, in tables: compared with the exchange's own state."""

from engines.exchange.state import State
from projections.store.rebuild import rebuild
from schemas.units import PAR_TICKS
from tests.projections.reading import hashes, project_all, rows
from tests.projections.real import GRANT_CENTS, busy_day
from tests.projections.real_news import newsy_day
from tests.support.postgres import PostgresServer


async def test_tables_agree_with_the_exchanges_books(dsn: str, postgres: PostgresServer) -> None:
    venue = busy_day(seed=1)
    await project_all(venue.server, dsn)
    state: State = venue.exchange.state
    found = rows(dsn, "SELECT * FROM orders WHERE status = 'open'")
    assert len(found) > 20
    assert {
        row["order_id"]: (row["account"], row["symbol"], row["resting_lots"]) for row in found
    } == {
        order.id: (order.owner.account.name, order.owner.symbol, order.lots)
        for order in state.orders.values()
    }
    accounts = {
        row["account"]: (row["cash_cents"], row["reserved_cents"])
        for row in rows(dsn, "TABLE accounts")
    }
    assert accounts == {
        name: (account.cash, account.reserved) for name, account in state.accounts.items()
    }
    assert len((await rebuild(venue.server.connect("x"), dsn, switch=False)).tables) > 10
    other = postgres.new_database()
    await project_all(busy_day(seed=1).server, other)
    assert await hashes(dsn) == await hashes(other)


async def test_money_is_conserved_in_the_tables(dsn: str) -> None:
    venue = busy_day(seed=2)
    await project_all(venue.server, dsn)
    minted = rows(dsn, "SELECT sum(amount_cents) AS it FROM credits WHERE refused = ''")[0]["it"]
    assert minted == GRANT_CENTS * len(venue.accounts) + 12_345
    held = rows(dsn, "SELECT sum(cash_cents + reserved_cents) AS it FROM accounts")[0]["it"]
    longs = rows(dsn, "SELECT sum(lots) AS it FROM positions WHERE lots > 0")[0]["it"]
    assert longs > 0
    assert minted == held + PAR_TICKS * longs
    assert rows(dsn, "SELECT symbol FROM positions GROUP BY symbol HAVING sum(lots) <> 0") == []


async def test_stated_tops_are_the_best_levels_of_the_open_orders(dsn: str) -> None:
    venue = busy_day(seed=3)
    await project_all(venue.server, dsn)
    books = rows(dsn, "SELECT * FROM books WHERE status = 'open'")
    assert len(books) == 2
    for book in books:
        for side, best in (("buy", "max"), ("sell", "min")):
            level = rows(
                dsn,
                f"SELECT price_ticks, sum(resting_lots) AS lots FROM orders "
                f"WHERE symbol = '{book['symbol']}' AND side = '{side}' AND status = 'open' "
                f"AND price_ticks = (SELECT {best}(price_ticks) FROM orders WHERE status = 'open' "
                f"AND symbol = '{book['symbol']}' AND side = '{side}') GROUP BY price_ticks",
            )[0]
            name = "bid" if side == "buy" else "ask"
            assert (book[f"{name}_ticks"], book[f"{name}_lots"]) == (
                level["price_ticks"],
                level["lots"],
            )


async def test_prices_and_seals_arrive(dsn: str) -> None:
    venue = busy_day(seed=4)
    await project_all(venue.server, dsn)
    scores = {row["symbol"]: row for row in rows(dsn, "TABLE scores")}
    assert set(scores) == set(venue.symbols)
    assert scores["M0"]["basis"] == "trades"
    assert scores["M1"]["basis"] == "resolution"
    assert scores["M1"]["final_price_e2"] == 10_000
    assert len(rows(dsn, "TABLE seals")) == 1
    resumed = rows(dsn, "SELECT code FROM audit_events WHERE code IS NOT NULL")
    assert resumed == [{"code": "wrong_market_state"}]


async def test_tables_agree_with_what_reality_remembers(dsn: str, postgres: PostgresServer) -> None:
    room = newsy_day(seed=1)
    server, kept = room.venue.server, room.state.persisted
    await project_all(server, dsn)
    scores = {row["symbol"]: row for row in rows(dsn, "TABLE scores")}
    assert {key: row["reality_score_e2"] for key, row in scores.items()} == {
        symbol: score.score_e2 for symbol, score in kept.scores.items()
    }
    reviews = {row["proposal_hash"]: row for row in rows(dsn, "TABLE reviews")}
    assert {key for key, row in reviews.items() if row["status"] == "open"} == set(kept.reviews)
    assert {"approved", "rejected", "open"} <= {row["status"] for row in reviews.values()}
    assert all(row["final_price_e2"] is not None for row in reviews.values())
    stories = {
        f"{cluster_id}-{symbol}": story
        for cluster_id, cluster in kept.clusters.items()
        for symbol, story in cluster.stories.items()
    }
    events = {row["event_id"]: row for row in rows(dsn, "TABLE events")}
    assert set(events) == set(stories)
    assert len(events) > 20
    for key, story in stories.items():
        assert (events[key]["state"] == "pending_review") == (story.review != "")
        asked = events[key]["llm"]
        assert (asked if asked not in ("not_needed", "skipped") else "") == story.asked
        if story.asked == "used":
            assert events[key]["summary"] == f"About {key}"
    having = "SELECT event_id, article FROM event_articles WHERE withdrawn = '' ORDER BY article"
    articles = rows(dsn, having)
    assert {key: [] for key in stories} | {
        key: [row["article"] for row in articles if row["event_id"] == key] for key in stories
    } == {key: story.articles for key, story in stories.items()}
    moved = rows(dsn, "SELECT event_id, sum(delta_e2) AS it FROM score_changes GROUP BY event_id")
    assert moved
    assert all(abs(row["it"]) <= abs(stories[row["event_id"]].applied_e2) for row in moved)
    sources = {row["source"]: row["articles"] for row in rows(dsn, "TABLE sources")}
    assert sum(sources.values()) == len(room.articles)
    assert (await rebuild(server.connect("x"), dsn, switch=False)).equal
    other = postgres.new_database()
    await project_all(newsy_day(seed=1).venue.server, other)
    assert await hashes(dsn) == await hashes(other)
