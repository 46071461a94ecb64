"""Whatever is sent to the door, it answers in its own words and never fails."""

import asyncio
import json
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from tests.streams.gateway.house import SYMBOL, House, Key, open_house
from tests.support.drawing import drawn

PATHS = (
    "/orders",
    "/cancel",
    "/accounts",
    "/session/challenge",
    "/session",
    "/admin/action",
    "/reality/ingest",
    "/ingest",
)
FIELDS = (
    "account",
    "all",
    "body",
    "client_id",
    "client_order_id",
    "client_time_ns",
    "key",
    "nonce",
    "order_id",
    "orders",
    "post_only",
    "price",
    "public_key",
    "quantity",
    "side",
    "signature",
    "symbol",
    "time_in_force",
    "type",
)
KNOWN = st.sampled_from(
    ("alice", SYMBOL, "buy", "limit", "market", "ioc", "62.50", "A" * 86, Key().public, "{}")
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | KNOWN
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=8)
    ),
    max_leaves=20,
)
ORDERS = st.fixed_dictionaries(
    {"client_order_id": KNOWN, "symbol": st.just(SYMBOL), "side": st.just("buy")},
    optional=dict.fromkeys(("quantity", "price", "type", "post_only", "orders"), VALUES),
)
BODIES = st.binary(max_size=200) | (VALUES | ORDERS).map(lambda value: json.dumps(value).encode())


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"code", "message", "detail"}


def test_junk_gets_a_typed_answer() -> None:
    async def open_market() -> tuple[House, dict[str, str], Any]:
        manager = open_house()
        house = await manager.__aenter__()
        await house.open_for_trade()
        return house, await house.trader("alice"), manager

    with asyncio.Runner() as runner:
        house, session, manager = runner.run(open_market())

        @drawn(300)
        @given(path=st.sampled_from(PATHS), content=BODIES)
        def send(path: str, content: bytes) -> None:
            headers = {"content-type": "application/json", **session}
            url = f"/api/v1{path}"
            check(runner.run(house.client.post(url, content=content, headers=headers)))

        send()

        async def still_open() -> None:
            order = {
                "client_order_id": "after",
                "symbol": SYMBOL,
                "side": "buy",
                "quantity": 1,
                "price": "1",
            }
            wait = {"wait": "outcome"}
            answer = await house.post("/orders", order, headers=session, params=wait)
            assert answer.json()["status"] == "placed"
            assert house.halts == []
            await manager.__aexit__(None, None, None)

        runner.run(still_open())
