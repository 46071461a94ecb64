"""POST /orders and /cancel over the real engines."""

import asyncio
from typing import Any

import pytest

from engines.exchange.limits import STALE_AFTER_NS
from schemas.errors import LogUnavailable
from schemas.limits import MAX_BATCH_ORDERS
from streams.gateway import outcomes
from tests.streams.gateway.house import SYMBOL, House, open_house

WAIT = {"wait": "outcome"}


def order(client_order_id: str = "a-1", **fields: Any) -> dict[str, Any]:
    base = {
        "client_order_id": client_order_id,
        "symbol": SYMBOL,
        "side": "buy",
        "quantity": 10,
        "price": "62.50",
    }
    return base | fields


async def test_an_order_is_durable_when_it_is_acknowledged(market: House) -> None:
    alice = await market.trader("alice")
    answer = await market.post("/orders", order(), headers=alice)
    assert answer.status_code == 202
    body = answer.json()
    stored = market.server.get(body["sequence"])
    assert stored is not None
    assert stored.subject == "main.cmd.order.alice"
    assert body == {
        "sequence": stored.sequence,
        "order_id": stored.sequence * 100,
        "client_order_id": "a-1",
    }
    assert market.on_log("cmd.order")[0] == {
        "type": "place_order/1",
        "client_order_id": "a-1",
        "client_time_ns": market.clock.ns,
        "symbol": SYMBOL,
        "side": "buy",
        "quantity_lots": 10,
        "order_type": "limit",
        "price_ticks": 6250,
        "time_in_force": "gtc",
        "post_only": False,
    }


async def test_outcomes_of_a_maker_and_a_taker(market: House) -> None:
    alice, bob = await market.trader("alice"), await market.trader("bob")
    made = await market.post("/orders", order(), headers=alice, params=WAIT)
    assert made.status_code == 200
    assert made.json() == {
        "sequence": made.json()["sequence"],
        "order_id": made.json()["sequence"] * 100,
        "client_order_id": "a-1",
        "symbol": SYMBOL,
        "status": "placed",
        "filled": 0,
        "resting": 10,
        "cancelled": 0,
        "cancel_reason": None,
        "code": None,
        "fills": [],
    }
    crossing = order("b-1", side="sell", price="60.00", quantity=4)
    taken = (await market.post("/order", crossing, headers=bob, params=WAIT)).json()
    assert taken["status"] == "filled"
    assert taken["filled"] == 4
    assert taken["fills"] == [
        {
            "trade_id": 1,
            "price": "62.50",
            "quantity": 4,
            "maker_order_id": made.json()["order_id"],
        }
    ]


async def test_a_remainder_that_may_not_rest_is_cancelled(market: House) -> None:
    alice = await market.trader("alice")
    body = order(type="market", price=None)
    outcome = (await market.post("/orders", body, headers=alice, params=WAIT)).json()
    assert (outcome["status"], outcome["cancel_reason"]) == ("cancelled", "no_liquidity")
    assert outcome["cancelled"] == 10


async def test_a_rejection_is_an_outcome_with_its_code(market: House) -> None:
    alice = await market.trader("alice")
    body = order(quantity=1_000_000)
    answer = await market.post("/orders", body, headers=alice, params=WAIT)
    assert answer.status_code == 200
    assert answer.json()["status"] == "rejected"
    assert answer.json()["code"] == "insufficient_funds"


async def test_a_retry_gives_the_original_order(market: House) -> None:
    alice = await market.trader("alice")
    first = (await market.post("/orders", order(), headers=alice)).json()
    again = await market.post("/orders", order(), headers=alice, params=WAIT)
    assert again.status_code == 200
    assert again.json()["status"] == "duplicate"
    assert again.json()["order_id"] == first["order_id"]
    assert again.json()["sequence"] > first["sequence"]
    placed = [e for r in market.on_log("evt.exchange") for e in r.get("events", [])]
    assert sum(event["type"] == "order_placed/1" for event in placed) == 1


async def test_ids_of_two_accounts_do_not_meet(market: House) -> None:
    alice, bob = await market.trader("alice"), await market.trader("bob")
    for who in (alice, bob):
        answer = await market.post("/orders", order(), headers=who, params=WAIT)
        assert answer.json()["status"] == "placed"


async def test_a_stale_command_is_rejected_by_the_log(market: House) -> None:
    alice = await market.trader("alice")
    body = order(client_time_ns=str(market.clock.ns - STALE_AFTER_NS - 1))
    outcome = (await market.post("/orders", body, headers=alice, params=WAIT)).json()
    assert (outcome["status"], outcome["code"]) == ("rejected", "stale")


async def test_a_batch_is_one_message_with_an_outcome_for_each_order(market: House) -> None:
    alice = await market.trader("alice")
    orders = [order("a-1"), order("a-2", quantity=1_000_000), order("a-1", price="1")]
    answer = await market.post("/orders", {"orders": orders}, headers=alice, params=WAIT)
    assert answer.status_code == 200
    body = answer.json()
    assert [o["status"] for o in body["orders"]] == ["placed", "rejected", "duplicate"]
    first = body["sequence"] * 100
    assert [o["order_id"] for o in body["orders"]] == [first, first + 1, first]
    assert len(market.on_log("cmd.order")) == 1
    ack = await market.post("/orders", {"orders": [order("a-9")]}, headers=alice)
    assert ack.status_code == 202
    assert ack.json()["orders"] == [
        {"order_id": ack.json()["sequence"] * 100, "client_order_id": "a-9"}
    ]


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"symbol": "SNOW"}, 404, "unknown_symbol", "symbol"),
        ({"price": "62.505"}, 422, "price_off_grid", "price"),
        ({"price": "0.00"}, 422, "price_out_of_range", "price"),
        ({"price": "100.00"}, 422, "price_out_of_range", "price"),
        ({"price": "-1"}, 422, "price_out_of_range", "price"),
        ({"price": "999999999999"}, 422, "price_out_of_range", "price"),
        ({"quantity": 0}, 422, "quantity_out_of_range", "quantity"),
        ({"quantity": -1}, 422, "quantity_out_of_range", "quantity"),
        ({"quantity": 10**9 + 1}, 422, "quantity_out_of_range", "quantity"),
        ({"quantity": 10**400}, 422, "quantity_out_of_range", "quantity"),
    ],
)
async def test_what_cannot_be_meant_is_refused_at_the_door(
    market: House, fields: dict[str, Any], status: int, code: str, field: str
) -> None:
    alice = await market.trader("alice")
    before = market.server.last_sequence
    one = await market.post("/orders", order(**fields), headers=alice)
    many = await market.post("/orders", {"orders": [order(), order(**fields)]}, headers=alice)
    assert (one.status_code, many.status_code) == (status, status)
    assert one.json()["error"]["code"] == code
    assert one.json()["error"]["detail"] == {"field": field}
    assert many.json()["error"]["detail"] == {"field": f"orders[1].{field}"}
    assert market.server.last_sequence == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (order(price=62.5), "price"),
        (order(price="1e3"), "price"),
        (order(price="NaN"), "price"),
        (order(price=" 1"), "price"),
        (order(price="1\n"), "price"),
        (order(quantity="10"), "quantity"),
        (order(quantity=10.0), "quantity"),
        (order(quantity=True), "quantity"),
        (order(side="hold"), "side"),
        (order(type="stop"), "type"),
        (order(time_in_force="day"), "time_in_force"),
        (order(post_only="yes"), "post_only"),
        (order(client_order_id=""), "client_order_id"),
        (order(client_order_id="x" * 37), "client_order_id"),
        (order(client_order_id="café"), "client_order_id"),
        (order(client_order_id="a\x00b"), "client_order_id"),
        (order(client_time_ns=-1), "client_time_ns"),
        (order(client_time_ns=2**63), "client_time_ns"),
        (order(account="mallory"), "account"),
        ({"orders": []}, "orders"),
        ({"orders": [order()] * (MAX_BATCH_ORDERS + 1)}, "orders"),
        ({"orders": [order(side=None)]}, "orders[0].side"),
        ({"orders": {}}, "orders"),
        ([], "body"),
        (None, "body"),
        ("text", "body"),
        (7, "body"),
    ],
)
async def test_what_has_no_meaning_is_refused_with_its_field(
    market: House, body: Any, field: str
) -> None:
    alice = await market.trader("alice")
    before = market.server.last_sequence
    answer = await market.post("/orders", body, headers=alice)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == "bad_input"
    fields = [problem["field"] for problem in error["detail"]["fields"]]
    if field == "body":
        assert fields
    else:
        assert field in fields
    assert market.server.last_sequence == before


async def test_the_wait_parameter_has_one_value(market: House) -> None:
    alice = await market.trader("alice")
    answer = await market.post("/orders", order(), headers=alice, params={"wait": "forever"})
    assert answer.status_code == 422
    assert answer.json()["error"]["detail"]["fields"][0]["field"] == "wait"


async def test_an_order_without_a_session_reaches_nothing(market: House) -> None:
    before = market.server.last_sequence
    answer = await market.post("/orders", order())
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"
    assert market.server.last_sequence == before


async def test_cancel_by_id_is_idempotent(market: House) -> None:
    alice = await market.trader("alice")
    placed = (await market.post("/orders", order(), headers=alice)).json()
    body = {"order_id": placed["order_id"]}
    first = await market.post("/cancel", body, headers=alice, params=WAIT)
    assert first.status_code == 200
    assert first.json()["status"] == "cancelled"
    assert first.json()["order_ids"] == [placed["order_id"]]
    again = await market.post("/cancel", body, headers=alice, params=WAIT)
    assert again.status_code == 200
    assert again.json()["status"] == "not_open"
    without = await market.post("/cancel", body | {"client_id": "c-1"}, headers=alice)
    assert without.status_code == 202
    assert without.json()["client_id"] == "c-1"


async def test_cancel_of_someone_elses_order(market: House) -> None:
    alice, bob = await market.trader("alice"), await market.trader("bob")
    placed = (await market.post("/orders", order(), headers=alice)).json()
    body = {"order_id": placed["order_id"]}
    answer = (await market.post("/cancel", body, headers=bob, params=WAIT)).json()
    assert answer["status"] != "cancelled"
    mine = (await market.post("/cancel", body, headers=alice, params=WAIT)).json()
    assert mine["status"] == "cancelled"


@pytest.mark.parametrize("body", [{"symbol": SYMBOL}, {"all": True}])
async def test_mass_cancel(market: House, body: dict[str, Any]) -> None:
    alice = await market.trader("alice")
    orders = {"orders": [order(f"a-{n}") for n in range(3)]}
    placed = (await market.post("/orders", orders, headers=alice)).json()
    answer = (await market.post("/cancel", body, headers=alice, params=WAIT)).json()
    assert answer["status"] == "cancelled"
    assert sorted(answer["order_ids"]) == [o["order_id"] for o in placed["orders"]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"order_id": 1, "all": True}, 422),
        ({"symbol": "SNOW"}, 404),
        ({"all": False}, 422),
        ({"order_id": "1"}, 422),
        ({"order_id": -1}, 422),
        ({"order_id": 2**63}, 422),
    ],
)
async def test_cancel_of_nothing_in_particular(
    market: House, body: dict[str, Any], status: int
) -> None:
    alice = await market.trader("alice")
    before = market.server.last_sequence
    answer = await market.post("/cancel", body, headers=alice)
    assert answer.status_code == status
    assert market.server.last_sequence == before


async def test_concurrent_orders_share_batches_and_each_gets_its_own_answer(
    market: House,
) -> None:
    alice = await market.trader("alice")
    log = market.context.log
    batches: list[int] = []
    append_batch = log.append_batch

    async def counting(messages: Any, fence: Any = None) -> int:
        batches.append(len(messages))
        return await append_batch(messages, fence)

    log.append_batch = counting  # type: ignore[method-assign]  # to see what is shared
    answers = await asyncio.gather(
        *(
            market.post(
                "/orders", order(f"a-{n}", quantity=1, price="1"), headers=alice, params=WAIT
            )
            for n in range(500)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    bodies = [answer.json() for answer in answers]
    assert [body["client_order_id"] for body in bodies] == [f"a-{n}" for n in range(500)]
    assert {body["status"] for body in bodies} == {"placed"}
    assert len({body["order_id"] for body in bodies}) == 500
    assert max(batches) > 10
    for body in bodies:
        stored = market.server.get(body["sequence"])
        assert stored is not None
        assert f'"{body["client_order_id"]}"'.encode() in stored.payload


async def test_an_outcome_that_does_not_come_in_time_is_a_durable_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_house(engines=False) as house:
        house.context.directory.markets[SYMBOL] = "open"
        token = await house.context.sessions.open("alice", "used")
        monkeypatch.setattr(outcomes, "WAIT_OUTCOME_S", 0.01)
        headers = {"Authorization": f"Bearer {token}"}
        answer = await house.post("/orders", order(), headers=headers, params=WAIT)
        assert answer.status_code == 202
        assert answer.json()["order_id"] == 100
        assert house.server.last_sequence == 1


class Unavailable:
    async def append(self, subject: str, payload: bytes) -> int:
        raise LogUnavailable("busy")


async def test_a_log_that_takes_nothing_now_is_503_and_come_again() -> None:
    async with open_house(engines=False, appender=Unavailable()) as house:
        house.context.directory.markets[SYMBOL] = "open"
        token = await house.context.sessions.open("alice", "used")
        headers = {"Authorization": f"Bearer {token}"}
        answer = await house.post("/orders", order(), headers=headers)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"]["code"] == "log_unavailable"


async def test_the_bound_on_waiters_is_checked_before_anything_is_appended(
    market: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await market.trader("alice")
    monkeypatch.setattr(outcomes, "MAX_OUTCOME_WAITERS", 0)
    before = market.server.last_sequence
    answer = await market.post("/orders", order(), headers=alice, params=WAIT)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "busy"
    assert market.server.last_sequence == before
