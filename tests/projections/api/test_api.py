"""The read API over tables that real engines' records led to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.security import HTTPAuthorizationCredentials

from projections.api import create_read_router
from projections.store.projector import Projector
from projections.store.rebuild import rebuild
from schemas.errors import Halt
from schemas.events.exchange import OrdersCancelled
from schemas.limits import MAX_PAGE_ROWS
from schemas.units import to_decimal
from streams.accounts.errors import Unauthorized
from streams.gateway.errors import install_handlers
from tests.projections.reading import (
    execute,
    last_projected,
    project_all,
    rows,
    running,
)
from tests.projections.real import GRANT_CENTS, RealVenue, busy_day
from tests.projections.story import told
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until


async def who(credentials: HTTPAuthorizationCredentials | None) -> str:
    """Stand in for the gateway's sessions: the token is the account."""
    if credentials is None:
        raise Unauthorized("no session")
    return credentials.credentials


def session_of(account: str | None) -> dict[str, str]:
    """Return the headers of a session of `account`."""
    return {"Authorization": f"Bearer {account}"} if account else {}


@asynccontextmanager
async def reading_from(dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    halts: list[Halt] = []
    app = FastAPI()
    install_handlers(app, halts.append)
    app.include_router(create_read_router(dsn, who), prefix="/api/v1")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client,
    ):
        yield client
    assert halts == [], "a read must never halt the process that serves it"


@pytest.fixture(scope="module")
def venue() -> RealVenue:
    return busy_day(seed=11, commands=900)


@pytest.fixture(scope="module")
def day_dsn(postgres: PostgresServer, venue: RealVenue) -> str:
    """A database that the day was projected into; these tests only read it."""
    dsn = postgres.new_database()
    asyncio.run(_project(venue, dsn))
    return dsn


async def _project(venue: RealVenue, dsn: str) -> None:
    await project_all(venue.server, dsn)


@pytest.fixture
async def api(day_dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    async with reading_from(day_dsn) as client:
        yield client


async def ok(api: httpx.AsyncClient, path: str, account: str | None = None, **query: Any) -> Any:
    headers = session_of(account)
    response = await api.get(path, params=query, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


async def refused(api: httpx.AsyncClient, path: str, account: str = "", **query: Any) -> Any:
    """Return (status, code) of an answer that must be an error in the envelope."""
    headers = session_of(account)
    response = await api.get(path, params=query, headers=headers)
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message", "detail"}
    return response.status_code, response.json()["error"]["code"]


async def test_markets_and_one_market(api: httpx.AsyncClient, venue: RealVenue) -> None:
    answer = await ok(api, "/markets")
    assert answer["sequence"] == last_projected(venue.server)
    assert [market["symbol"] for market in answer["markets"]] == ["M0", "M1", "M2"]
    market = (await ok(api, "/market/M1"))["market"]
    assert market == answer["markets"][1]
    assert market["status"] == "resolved"
    assert market["resolved_at_price"] == "100.00"
    assert market["final_price"] == "100.00"
    assert market["market_weight"] == "0.5000"
    assert market["confidence"] is None
    assert market["tick"] == "0.01"


async def test_markets_come_in_pages(api: httpx.AsyncClient) -> None:
    first = await ok(api, "/markets", limit=2)
    assert first["next"] == "M1"
    second = await ok(api, "/markets", limit=2, after=first["next"])
    assert [market["symbol"] for market in second["markets"]] == ["M2"]
    assert second["next"] is None


async def test_search(api: httpx.AsyncClient) -> None:
    async def found(**query: str) -> list[str]:
        return [market["symbol"] for market in (await ok(api, "/search", **query))["markets"]]

    assert await found() == ["M0", "M1", "M2"]
    assert await found(q="market m2") == ["M2"]
    assert await found(q="market\u00a0m2") == ["M2"]
    assert await found(q="%") == []
    assert await found(type="social", region="eu", risk="medium", status="open") == ["M0", "M2"]
    assert await found(type="political") == []
    assert await found(region="'; drop schema control cascade; --") == []


async def test_snapshot_is_the_book(api: httpx.AsyncClient, venue: RealVenue) -> None:
    answer = await ok(api, "/market/M0/snapshot", depth=500)
    levels: dict[tuple[int, bool], list[int]] = {}
    book = venue.exchange.state.books["M0"]
    for half in (book.bids, book.asks):
        for level in half.levels.values():
            lots = [order.lots for order in level]
            price = level.cost if half is book.bids else 10_000 - level.cost
            levels[price, half is book.bids] = [sum(lots), len(lots)]
    given = {
        (round(float(level["price"]) * 100), side == "bids"): [level["quantity"], level["orders"]]
        for side in ("bids", "asks")
        for level in answer[side]
    }
    assert len(given) > 5
    assert given == levels
    bids = [float(level["price"]) for level in answer["bids"]]
    asks = [float(level["price"]) for level in answer["asks"]]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert len((await ok(api, "/market/M0/snapshot", depth=2))["asks"]) == 2


async def test_snapshot_since(dsn: str) -> None:
    story = told(seed=1)
    while not story.resting:
        story.trade(1)
    await project_all(story.scribe.server, dsn)
    async with reading_from(dsn) as api:
        seen = (await ok(api, "/market/S1/snapshot"))["last_sequence"]
        assert seen == last_projected(story.scribe.server)
        again = await ok(api, "/market/S1/snapshot", since=seen)
        assert (again["changed"], again["bids"], again["last_sequence"]) == (False, [], seen)
        assert (await ok(api, "/market/S1/snapshot", since=1))["changed"]
        story.scribe.write("governance")
        await project_all(story.scribe.server, dsn)
        again = await ok(api, "/market/S1/snapshot", since=seen)
        assert not again["changed"]
        assert again["last_sequence"] > seen
        order_id = next(iter(story.resting))
        account = story.resting.pop(order_id).account
        story.scribe.write("exchange", OrdersCancelled(1, account, "x", [order_id]))
        await project_all(story.scribe.server, dsn)
        assert (await ok(api, "/market/S1/snapshot", since=seen))["changed"]


async def test_trades_bars_and_pressure(api: httpx.AsyncClient, day_dsn: str) -> None:
    trades: list[dict[str, Any]] = []
    before = None
    while True:
        query: dict[str, Any] = {} if before is None else {"before": before}
        answer = await ok(api, "/market/M0/trades", limit=7, **query)
        trades += answer["trades"]
        before = answer["next"]
        if before is None:
            break
    stored = rows(day_dsn, "SELECT * FROM trade_history WHERE symbol = 'M0' ORDER BY trade_id DESC")
    assert len(stored) > 20
    assert [trade["trade_id"] for trade in trades] == [row["trade_id"] for row in stored]
    assert trades[0]["price"] == to_decimal(stored[0]["price_ticks"])
    assert "account" not in "".join(trades[0])
    for interval in ("1m", "1h", "1d"):
        bars = (await ok(api, "/market/M0/bars", interval=interval, limit=1000))["bars"]
        assert sum(bar["trades"] for bar in bars) == len(trades)
        assert sum(bar["volume"] for bar in bars) == sum(trade["quantity"] for trade in trades)
        assert float(bars[0]["low"]) <= float(bars[0]["close"]) <= float(bars[0]["high"])
    newest = (await ok(api, "/market/M0/bars", limit=1))["bars"][0]
    older = (await ok(api, "/market/M0/bars", limit=1, before=newest["start_s"]))["bars"]
    assert older == []
    pressure = await ok(api, "/market/M0/pressure")
    hour = pressure["last_hour"]
    assert hour["buy"] - hour["sell"] == hour["net"]
    assert hour["buy"] > 0
    assert 1 <= hour["buyers"] <= 100


async def test_ones_own_orders_and_nobody_elses(
    api: httpx.AsyncClient, venue: RealVenue, day_dsn: str
) -> None:
    mine, other = "trader1", "trader2"
    answer = await ok(api, "/orders", mine, limit=MAX_PAGE_ROWS)
    stored = rows(day_dsn, f"SELECT order_id FROM orders WHERE account = '{mine}'")
    assert len(stored) > 50
    assert {order["order_id"] for order in answer["orders"]} == {row["order_id"] for row in stored}
    ids = [order["order_id"] for order in answer["orders"]]
    assert ids == sorted(ids, reverse=True)
    open_ones = (await ok(api, "/orders", mine, status="open", symbol="M0"))["orders"]
    assert all(order["status"] == "open" and order["symbol"] == "M0" for order in open_ones)
    assert {order["order_id"] for order in open_ones} == {
        order.id
        for order in venue.exchange.state.orders.values()
        if order.owner.account.name == mine and order.owner.symbol == "M0"
    }
    page = await ok(api, "/orders", mine, limit=3)
    after = await ok(api, "/orders", mine, limit=3, before=page["next"])
    assert [one["order_id"] for one in page["orders"] + after["orders"]] == ids[:6]
    one = next(order for order in answer["orders"] if order["filled"])
    detail = await ok(api, f"/orders/{one['order_id']}", mine)
    assert detail["order"] == one
    assert sum(fill["quantity"] for fill in detail["fills"]) == one["filled"]
    assert await refused(api, f"/orders/{one['order_id']}", other) == (404, "not_found")
    assert await refused(api, f"/orders/{one['order_id']}") == (401, "unauthorized")
    rejected = (await ok(api, "/orders", mine, status="rejected"))["orders"]
    assert all(order["reason"] for order in rejected)


async def test_ones_own_money_and_positions(api: httpx.AsyncClient, venue: RealVenue) -> None:
    account = venue.exchange.state.accounts["trader0"]
    answer = await ok(api, "/account", "trader0")
    assert (answer["cash"], answer["reserved"]) == (
        to_decimal(account.cash),
        to_decimal(account.reserved),
    )
    assert answer["open_orders"] == len(account.orders)
    assert account.cash != GRANT_CENTS
    held = (await ok(api, "/positions", "trader0"))["positions"]
    assert all(position["quantity"] for position in held)
    assert "M1" not in {position["symbol"] for position in held}, "it was settled"
    for path in ("/account", "/positions", "/orders"):
        assert await refused(api, path) == (401, "unauthorized")
    assert await refused(api, "/account", "stranger") == (404, "unknown_account")
    assert (await ok(api, "/orders", "stranger"))["orders"] == []


async def test_audit_keys_and_decisions(api: httpx.AsyncClient, venue: RealVenue) -> None:
    events: list[dict[str, Any]] = []
    before = None
    while True:
        query: dict[str, Any] = {} if before is None else {"before": before}
        answer = await ok(api, "/audit", limit=4, **query)
        events += answer["events"]
        before = answer["next"]
        if before is None:
            break
    assert events[-1]["kind"] == "decision_accepted"
    ids = [tuple(map(int, event["event_id"].split("-"))) for event in events]
    assert ids == sorted(set(ids), reverse=True)
    refusal = next(event for event in events if event["kind"] == "decision_refused")
    assert refusal["code"] == "wrong_market_state"
    assert "wrong_market_state" in refusal["detail"]
    halted = (await ok(api, "/audit", symbol="M0"))["events"]
    assert [event["kind"] for event in halted] == [
        "market_resumed",
        "market_halted",
        "market_listed",
    ]
    keys = (await ok(api, "/keys"))["keys"]
    assert {key["holder"]: key["role"] for key in keys} == {"root": "super-admin", "anna": "editor"}
    decisions: list[dict[str, Any]] = []
    before = None
    while True:
        query = {"status": "accepted"} if before is None else {"before": before}
        answer = await ok(api, "/decisions", limit=2, **query)
        decisions += answer["decisions"]
        before = answer["next"]
        if before is None:
            break
    hashes = [decision["decision_hash"] for decision in decisions]
    assert len(hashes) == len(set(hashes)) == sum(e["kind"] == "decision_accepted" for e in events)
    assert (await ok(api, "/decisions", status="pending"))["decisions"] == []


async def test_projection(api: httpx.AsyncClient, venue: RealVenue) -> None:
    answer = await ok(api, "/projection")
    assert answer["sequence"] == last_projected(venue.server)
    assert set(answer["engines"]) == {"governance", "exchange", "reality", "pricing", "notary"}
    assert answer["engines"]["exchange"]["record"] == venue.exchange.head.number
    assert answer["engines"]["exchange"]["hash"] == venue.exchange.head.hash


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/market/NOPE", {}, 404, "unknown_symbol"),
        ("/market/nope/snapshot", {}, 404, "unknown_symbol"),
        ("/market/%00/trades", {}, 404, "unknown_symbol"),
        ("/market/M0'--/bars", {}, 404, "unknown_symbol"),
        ("/market/NOPE/pressure", {}, 404, "unknown_symbol"),
        ("/market/M0/bars", {"interval": "5m"}, 422, "bad_input"),
        ("/market/M0/snapshot", {"depth": 0}, 422, "bad_input"),
        ("/market/M0/snapshot", {"depth": 10**9}, 422, "bad_input"),
        ("/market/M0/snapshot", {"since": -1}, 422, "bad_input"),
        ("/market/M0/trades", {"limit": MAX_PAGE_ROWS + 1}, 422, "bad_input"),
        ("/market/M0/trades", {"before": "x"}, 422, "bad_input"),
        ("/market/M0/trades", {"before": 2**63}, 422, "bad_input"),
        ("/search", {"q": "a\0b"}, 422, "bad_input"),
        ("/search", {"region": "x" * 121}, 422, "bad_input"),
        ("/markets", {"after": "\0"}, 422, "bad_input"),
        ("/audit", {"before": "x-1"}, 400, "malformed"),
        ("/audit", {"before": "9" * 39}, 400, "malformed"),
        ("/audit", {"symbol": "\0"}, 404, "unknown_symbol"),
        ("/decisions", {"status": "maybe"}, 422, "bad_input"),
        ("/keys", {"limit": 0}, 422, "bad_input"),
    ],
)
async def test_bad_input(
    api: httpx.AsyncClient, path: str, query: dict[str, Any], status: int, code: str
) -> None:
    assert await refused(api, path, **query) == (status, code)


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/orders/-1", {}, 422, "bad_input"),
        (f"/orders/{2**63}", {}, 422, "bad_input"),
        (f"/orders/{2**63 - 1}", {}, 404, "not_found"),
        ("/orders", {"status": "weird"}, 422, "bad_input"),
        ("/orders", {"symbol": "a\0"}, 404, "unknown_symbol"),
    ],
)
async def test_bad_input_of_ones_own(
    api: httpx.AsyncClient, path: str, query: dict[str, Any], status: int, code: str
) -> None:
    assert await refused(api, path, "trader1", **query) == (status, code)


async def test_large_cursors_are_fine(api: httpx.AsyncClient) -> None:
    assert (await ok(api, "/market/M0/bars", before=2**63 - 1))["bars"]


async def test_before_there_is_anything_to_read(dsn: str) -> None:
    async with reading_from(dsn) as api:
        assert await refused(api, "/markets") == (503, "store_unavailable")
        await project_all(told(seed=1).scribe.server, dsn)
        assert (await ok(api, "/markets"))["markets"]


async def test_a_name_is_found_by_what_a_keyboard_types(dsn: str) -> None:
    await project_all(told(seed=1).scribe.server, dsn)
    typeset = "ARRAY['McDonald\u2019s \u201cstate\u2011run\u201d\u00a0caf\u00e9']"
    execute(dsn, f"UPDATE rm_1.stocks SET aliases = {typeset} WHERE symbol = 'S1'")
    async with reading_from(dsn) as api:
        for q in ("mcdonald's", "McDonald’s", '"state-run" café'):
            found = (await ok(api, "/search", q=q))["markets"]
            assert [one["symbol"] for one in found] == ["S1"], q


async def test_tables_of_another_release_are_read_as_far_as_they_can_say_it(dsn: str) -> None:
    await project_all(told(seed=1).scribe.server, dsn)
    async with reading_from(dsn) as api:
        before = await ok(api, "/markets")
        execute(dsn, "UPDATE control.models SET digest = 'another'")
        assert await ok(api, "/markets") == before
        execute(dsn, "ALTER TABLE rm_1.stocks DROP COLUMN region")
        assert await refused(api, "/markets") == (503, "store_unavailable")
        told_why = (await api.get("/markets")).json()["error"]["message"]
        assert "`everything upgrade`" in told_why
        assert (await ok(api, "/projection"))["version"] == "another"


async def test_reads_go_on_across_a_switch_and_never_go_back(dsn: str) -> None:
    story = told(seed=2)
    server = story.scribe.server
    projector = Projector(server.connect("live"), dsn)
    async with running(projector) as task, reading_from(dsn) as api:
        await wait_until(lambda: projector.status()["sequence"] == last_projected(server), task)
        rebuilding = asyncio.create_task(rebuild(server.connect("rebuild"), dsn, switch=True))
        seen: list[tuple[int, str]] = []
        while not rebuilding.done() or len(seen) < 20:
            story.trade(1)
            answer = await ok(api, "/projection")
            seen.append((answer["sequence"], answer["schema_name"]))
        assert rebuilding.result().switched
        await wait_until(lambda: projector.status()["model"] == 2, task)
        assert (await ok(api, "/projection"))["schema_name"] == "rm_2"
    assert [sequence for sequence, _ in seen] == sorted(sequence for sequence, _ in seen)


async def test_reads_survive_a_restart_of_postgres(
    day_dsn: str, postgres: PostgresServer, venue: RealVenue
) -> None:
    async with reading_from(day_dsn) as api:
        await ok(api, "/markets")
        await asyncio.to_thread(postgres.kill9_and_restart)
        for _ in range(100):
            if (await api.get("/markets")).status_code == 200:
                return
            await asyncio.sleep(0.1)
        pytest.fail("no read succeeds after the restart")


async def test_every_read_is_in_the_schema_with_its_errors(api: httpx.AsyncClient) -> None:
    app = FastAPI()
    app.include_router(create_read_router("postgresql://nobody@127.0.0.1:1/x", who))
    paths = app.openapi()["paths"]
    assert len(paths) == 30
    for path, operations in paths.items():
        responses = operations["get"]["responses"]
        assert {"200", "422", "503"} <= set(responses), path
        assert responses["200"]["content"]["application/json"]["schema"], path
