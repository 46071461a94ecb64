"""What an account that lapsed meets at the door, and who opens its name again."""

from engines.exchange.limits import UNUSED_ACCOUNT_NS
from schemas.units import SECOND_NS
from streams.accounts.limits import LAPSED_NAME_KEPT_S, SESSION_LIFE_S
from tests.streams.gateway.house import House, Key
from tests.support.waiting import wait_until

ORDER = {"symbol": "RAIN-OSLO", "side": "buy", "quantity": 1, "price": "10"}


async def test_a_lapsed_account_ends_with_its_sessions_and_its_name_is_free_a_day_later(
    market: House,
) -> None:
    old_key, used = await market.open_account("alice"), await market.trader("used")
    placed = await market.post("/orders", {**ORDER, "client_order_id": "o"}, headers=used)
    assert placed.status_code == 202, placed.text
    market.clock.ns += UNUSED_ACCOUNT_NS - SESSION_LIFE_S * SECOND_NS // 2
    session = await market.session("alice")
    assert (await market.get("/session", headers=session)).status_code == 200
    market.clock.ns += SESSION_LIFE_S * SECOND_NS // 2
    await wait_until(lambda: market.context.directory.key_of("alice") is None)

    answers = [
        await market.get("/session", headers=session),
        await market.post("/orders", {**ORDER, "client_order_id": "a"}, headers=session),
    ]
    assert [one.status_code for one in answers] == [401, 401]
    assert {one.json()["error"]["code"] for one in answers} == {"session_expired"}
    gone = await market.post("/session/challenge", {"account": "alice"})
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "unknown_account")
    await market.session("used")

    new_key = Key()
    early = await market.post("/accounts", market.opening("alice", new_key))
    assert (early.status_code, early.json()["error"]["code"]) == (409, "account_exists")
    market.clock.ns += LAPSED_NAME_KEPT_S * SECOND_NS
    assert (await market.get("/session", headers=session)).status_code == 401
    opened = await market.post("/accounts", market.opening("alice", new_key))
    assert opened.status_code == 201, opened.text
    assert opened.json()["public_key"] == new_key.public != old_key.public
    market.accounts["alice"] = new_key
    assert (await market.get("/session", headers=session)).status_code == 401
    await market.session("alice")
