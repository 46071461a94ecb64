"""POST /admin/action: the genesis, decisions, and what the door refuses."""

import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest

from engines.governance.limits import MAX_DECISION_LIFE_NS
from schemas import decisions
from schemas.limits import MAX_DECISION_BYTES
from schemas.policy import Policy, PricingPolicy
from tests.streams.gateway.house import SYMBOL, House, Key, open_house


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def kinds(answer: httpx.Response) -> list[str]:
    return [event["type"].partition("/")[0] for event in answer.json()["events"]]


async def test_the_genesis_founds_the_venue(house: House) -> None:
    answer = await house.found()
    assert answer.status_code == 200
    assert answer.json()["status"] == "accepted"
    assert answer.json()["decision_hash"] == house.venue_id
    assert "venue_founded" in kinds(answer)
    first = house.server.get(1)
    assert first is not None
    assert first.subject == f"main.cmd.admin.{house.root.public}"
    venue = (await house.get("/venue")).json()
    assert venue["founded"] is True
    assert venue["venue_id"] == house.venue_id
    assert venue["name"] == "Test"
    assert venue["policy"]["exchange"]["signup_grant_cents"] == 1_000_000
    assert [(key["key"], key["role"]) for key in venue["keys"]] == [
        (house.root.public, "super-admin")
    ]


async def test_there_is_one_genesis(house: House) -> None:
    await house.found()
    assert refusal(await house.found()) == (409, "genesis_exists")
    assert len(house.on_log("cmd.admin")) == 1


async def test_of_two_that_found_at_once_one_is_first(house: House) -> None:
    answers = await asyncio.gather(house.found(), house.found())
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(house.on_log("cmd.admin")) == 1


async def test_a_bad_genesis_never_becomes_the_first_message(house: House) -> None:
    good = house.genesis()
    bad_policy = Policy(name="bad", pricing=PricingPolicy(ewma_alpha_bp=10_001))
    cases: list[tuple[Any, Key, tuple[int, str]]] = [
        (good, Key(), (422, "bad_key")),
        (
            msgspec.structs.replace(good, notary_key="N" * 56),
            house.root,
            (403, "foreign_notary_key"),
        ),
        (msgspec.structs.replace(good, venue=""), house.root, (422, "bad_text")),
        (msgspec.structs.replace(good, venue="a\x00b"), house.root, (422, "bad_text")),
        (msgspec.structs.replace(good, policy=bad_policy), house.root, (422, "bad_policy")),
    ]
    for genesis, key, expected in cases:
        assert refusal(await house.act(genesis, key)) == expected
    assert house.server.last_sequence == 0


async def test_nothing_else_comes_before_the_genesis(house: House) -> None:
    assert refusal(await house.act(house.listing())) == (409, "no_genesis")
    assert house.server.last_sequence == 0


async def test_a_listing_opens_a_market_for_orders(market: House) -> None:
    assert market.context.directory.markets == {SYMBOL: "open"}
    stored = market.on_log("cmd.admin")[1]
    body = json.loads(stored["body"])
    assert (body["type"], body["symbol"]) == ("list_market/1", SYMBOL)


async def test_the_signed_text_stands_on_the_log_to_the_letter(market: House) -> None:
    action = market.root.action(market.listing("SNÖ-1".replace("Ö", "O"), description="naïve ☂"))
    answer = await market.post("/admin/action", action)
    assert answer.status_code == 200
    stored = market.server.get(answer.json()["sequence"])
    assert stored is not None
    signed = decisions.SIGNED_DECISIONS.decode(stored.payload)
    assert (signed.key, signed.body, signed.signature) == tuple(action.values())


async def test_a_markets_life_is_followed(market: House) -> None:
    markets = market.context.directory.markets
    steps: list[tuple[Any, str]] = [
        (decisions.HaltMarket(**market.terms(), symbol=SYMBOL, reason="r"), "halted"),
        (decisions.ResumeMarket(**market.terms(), symbol=SYMBOL), "open"),
        (decisions.CloseMarket(**market.terms(), symbol=SYMBOL, reason="r"), "closed"),
        (
            decisions.ResolveMarket(
                **market.terms(), symbol=SYMBOL, value_ticks=10_000, reason="r"
            ),
            "resolved",
        ),
    ]
    for decision, status in steps:
        answer = await market.act(decision)
        assert answer.status_code == 200, answer.text
        assert markets[SYMBOL] == status


async def test_a_mint_is_answered_when_the_exchange_has_credited_it(market: House) -> None:
    await market.open_account("alice")
    mint = decisions.Mint(**market.terms(), account="alice", amount_cents=5_000)
    answer = await market.act(mint)
    assert answer.status_code == 200
    assert kinds(answer)[-2:] == ["credits_minted", "cash_credited"]
    assert answer.json()["events"][-1]["amount_cents"] == 5_000


async def test_a_mint_for_nobody_is_refused_by_the_exchange(market: House) -> None:
    mint = decisions.Mint(**market.terms(), account="nobody", amount_cents=5_000)
    assert refusal(await market.act(mint)) == (404, "unknown_account")


async def test_what_the_engine_refuses_comes_back_with_its_code(market: House) -> None:
    answer = await market.act(market.listing())
    assert refusal(answer) == (409, "symbol_exists")
    sequence = answer.json()["error"]["detail"]["sequence"]
    stored = market.server.get(sequence)
    assert stored is not None
    assert stored.subject.startswith("main.cmd.admin.")


async def test_a_captured_decision_works_once(market: House) -> None:
    action = market.root.action(market.listing("SNOW"))
    assert (await market.post("/admin/action", action)).status_code == 200
    assert refusal(await market.post("/admin/action", action)) == (409, "counter_reused")


async def test_expiry(market: House) -> None:
    gone = market.terms() | {"expires_ns": market.clock.ns}
    late = market.terms() | {"expires_ns": market.clock.ns + MAX_DECISION_LIFE_NS + 1}
    assert refusal(await market.act(decisions.ResumeMarket(**gone, symbol=SYMBOL))) == (
        409,
        "expired",
    )
    assert refusal(await market.act(decisions.ResumeMarket(**late, symbol=SYMBOL))) == (
        422,
        "expires_too_late",
    )


async def test_the_door_refuses_what_never_could_be_a_decision(market: House) -> None:
    before = market.server.last_sequence
    good = market.root.action(market.listing("SNOW"))
    text = good["body"]
    other_venue = market.terms() | {"venue_id": "0" * 64}
    cases: list[tuple[dict[str, str], tuple[int, str]]] = [
        (good | {"signature": "A" * 86}, (401, "bad_signature")),
        (good | {"body": text.replace("social", "sports")}, (401, "bad_signature")),
        (good | {"key": Key().public}, (401, "bad_signature")),
        (good | {"body": "{}"}, (400, "malformed")),
        (good | {"body": "no json"}, (400, "malformed")),
        (good | {"body": '{"type":"list_market/9"}'}, (422, "unknown_message")),
        (good | {"body": text.replace(",", ", ", 1)}, (422, "not_canonical")),
        (good | {"body": " " * (MAX_DECISION_BYTES + 1)}, (413, "too_large")),
        (Key().action(market.listing("SNOW")), (403, "unknown_key")),
        (
            market.root.action(decisions.ResumeMarket(**other_venue, symbol=SYMBOL)),
            (409, "wrong_venue"),
        ),
    ]
    for action, expected in cases:
        assert refusal(await market.post("/admin/action", action)) == expected, action
    assert market.server.last_sequence == before


@pytest.mark.parametrize(
    "changed", [{"key": "x"}, {"signature": "x"}, {"body": ""}, {"body": 7}, {"more": 1}]
)
async def test_an_envelope_of_the_wrong_shape(market: House, changed: dict[str, Any]) -> None:
    action: dict[str, Any] = market.root.action(market.listing("SNOW"))
    assert refusal(await market.post("/admin/action", action | changed)) == (422, "bad_input")


async def test_keys_come_and_go(market: House) -> None:
    viewer = Key()
    enrol = decisions.EnrolKey(**market.terms(), key=viewer.public, holder="Vera", role="viewer")
    assert (await market.act(enrol)).status_code == 200
    assert refusal(await market.act(market.listing("SNOW"), viewer)) == (403, "role_too_low")
    revoke = decisions.RevokeKey(**market.terms(), key=viewer.public, reason="left")
    assert (await market.act(revoke)).status_code == 200
    before = market.server.last_sequence
    assert refusal(await market.act(market.listing("SNOW"), viewer)) == (403, "key_revoked")
    assert market.server.last_sequence == before
    keys = {key["holder"]: key for key in (await market.get("/venue")).json()["keys"]}
    assert keys["Vera"]["revoked"] is True


async def test_the_venue_says_which_counter_comes_next(market: House) -> None:
    keys = (await market.get("/venue")).json()["keys"]
    next_counter = market.terms()["counter"]
    assert next_counter == keys[0]["counter"] + 1


async def test_a_political_market_waits_for_a_second_person(market: House) -> None:
    second = Key()
    enrol = decisions.EnrolKey(**market.terms(), key=second.public, holder="Ada", role="admin")
    assert (await market.act(enrol)).status_code == 200
    proposed = await market.act(market.listing("VOTE", market_type="political"))
    assert proposed.status_code == 202
    assert proposed.json()["status"] == "pending"
    assert kinds(proposed) == ["decision_pending"]
    assert "VOTE" not in market.context.directory.markets
    co_sign = decisions.CoSign(
        **(market.terms() | {"counter": 1}), decision_hash=proposed.json()["decision_hash"]
    )
    agreed = await market.act(co_sign, second)
    assert agreed.status_code == 200
    assert "market_listed" in kinds(agreed)
    assert market.context.directory.markets["VOTE"] == "open"


async def test_a_founded_log_that_is_not_folded_yet_is_not_founded_again() -> None:
    async with open_house(engines=False) as house:
        house.server.store([("main.cmd.admin.x", b"{}")])
        assert refusal(await house.found()) == (409, "genesis_exists")
