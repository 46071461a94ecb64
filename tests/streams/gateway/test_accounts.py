"""POST /accounts."""

import asyncio

import pytest

from engines.exchange.limits import STALE_AFTER_NS
from schemas.policy import SEED_PLAN
from tests.streams.gateway.house import House, Key


async def test_an_account_is_opened_with_the_signup_grant(market: House) -> None:
    key = Key()
    answer = await market.post("/accounts", market.opening("alice", key))
    assert answer.status_code == 201
    body = answer.json()
    assert body == {
        "sequence": body["sequence"],
        "account": "alice",
        "public_key": key.public,
        "status": "open",
        "granted": "10000.00",
    }
    assert market.context.directory.key_of("alice") == key.public
    assert market.context.directory.account_of(key.public) == "alice"


async def test_without_a_grant_in_the_policy_there_is_none(house: House) -> None:
    await house.found(SEED_PLAN)
    answer = await house.post("/accounts", house.opening("alice", Key()))
    assert answer.json()["granted"] == "0.00"


async def test_an_account_is_opened_once(market: House) -> None:
    key = await market.open_account("alice")
    for other in (key, Key()):
        answer = await market.post("/accounts", market.opening("alice", other))
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "account_exists"


async def test_of_two_who_ask_at_once_one_is_refused_by_the_log(market: House) -> None:
    answers = await asyncio.gather(
        *(market.post("/accounts", market.opening("alice", Key())) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["error"]["code"] == "account_exists"
    assert refused.json()["error"]["detail"]["sequence"] > 0


async def test_nobody_opens_an_account_in_anothers_name(market: House) -> None:
    body = market.opening("alice", Key()) | {"public_key": Key().public}
    before = market.server.last_sequence
    answer = await market.post("/accounts", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_signature")
    assert market.server.last_sequence == before


@pytest.mark.parametrize("name", ["a", "Alice", "al ice", "al.ice", "*", ">", "é" * 3, "1ab"])
async def test_bad_names(market: House, name: str) -> None:
    before = market.server.last_sequence
    answer = await market.post("/accounts", market.opening(name, Key()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_account_name")
    assert market.server.last_sequence == before


async def test_a_bad_key(market: House) -> None:
    body = market.opening("alice", Key()) | {"public_key": "U" * 56}
    answer = await market.post("/accounts", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_key")


async def test_a_stale_opening_is_refused_by_the_log(market: House) -> None:
    body = market.opening("alice", Key())
    market.clock.ns += STALE_AFTER_NS + 1
    answer = await market.post("/accounts", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale")
    assert market.on_log("cmd.account")


async def test_before_the_genesis_there_are_no_accounts(house: House) -> None:
    answer = await house.post("/accounts", house.opening("alice", Key()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_genesis")
    assert house.server.last_sequence == 0


async def test_reserved_names_are_refused_and_reach_no_log(market: House) -> None:
    last = market.server.last_sequence
    for name in ("admin", "system", "house", "notary", "everything", "fee_", "engine-pricing"):
        answer = await market.post("/accounts", market.opening(name, Key()))
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "reserved_name"), name
    assert market.server.last_sequence == last
