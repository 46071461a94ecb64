"""Sessions: who gets a token, and what a token is worth."""

import secrets
from typing import Any

import jwt
import pytest

from schemas.sessions import opening_text
from schemas.units import SECOND_NS
from streams.accounts import sessions
from streams.accounts.errors import ChallengeUsed
from streams.accounts.limits import CHALLENGE_LIFE_S, SESSION_LIFE_S
from streams.accounts.nonces import NoNonces
from streams.accounts.sessions import Sessions
from tests.simulated.nonces import SimulatedNonces
from tests.streams.gateway.house import House, Key, SetClock, open_house


async def refusal(house: House, path: str, body: Any, **options: Any) -> tuple[int, str]:
    answer = await house.post(path, body, **options)
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_session_knows_whose_it_is(market: House) -> None:
    headers = await market.trader("alice")
    answer = await market.get("/session", headers=headers)
    assert answer.status_code == 200
    assert answer.json() == {"account": "alice", "public_key": market.accounts["alice"].public}


async def test_tokens_are_not_to_be_cached(market: House) -> None:
    await market.open_account("alice")
    answer = await market.post("/session", await market.proof("alice"))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_in_s"] == SESSION_LIFE_S


async def test_an_unknown_account_gets_no_challenge(market: House) -> None:
    assert await refusal(market, "/session/challenge", {"account": "nobody"}) == (
        404,
        "unknown_account",
    )


async def test_before_the_genesis_there_is_no_one_to_let_in(house: House) -> None:
    assert await refusal(house, "/session/challenge", {"account": "alice"}) == (409, "no_genesis")


async def test_a_proof_by_another_key_is_worth_nothing(market: House) -> None:
    await market.open_account("alice")
    proof = await market.proof("alice", Key())
    assert await refusal(market, "/session", proof) == (401, "bad_signature")


async def test_a_failed_proof_does_not_use_the_challenge_up(market: House) -> None:
    await market.open_account("alice")
    proof = await market.proof("alice")
    assert await refusal(market, "/session", proof | {"signature": "A" * 86}) == (
        401,
        "bad_signature",
    )
    assert (await market.post("/session", proof)).status_code == 200


async def test_a_challenge_is_good_for_one_session(market: House) -> None:
    await market.open_account("alice")
    proof = await market.proof("alice")
    assert (await market.post("/session", proof)).status_code == 200
    assert await refusal(market, "/session", proof) == (401, "challenge_used")


async def test_a_challenge_is_good_once_for_all_gateways_and_after_a_restart() -> None:
    """Two gateways with one secret and one broker; the second begins after the first ended."""
    clock = SetClock()
    nonces = SimulatedNonces(clock)
    first = Sessions(b"x" * 32, clock, nonces)
    challenge = first.check_challenge("alice", first.challenge("alice"))
    await first.open("alice", challenge)
    second = Sessions(b"x" * 32, clock, nonces)
    with pytest.raises(ChallengeUsed):
        await second.open("alice", challenge)
    clock.ns += CHALLENGE_LIFE_S * SECOND_NS
    with pytest.raises(ChallengeUsed):
        await second.open("alice", challenge)


async def test_nobody_signs_in_while_it_is_unknown_what_was_used() -> None:
    clock = SetClock()
    nonces = SimulatedNonces(clock, most=1)
    async with open_house(clock=clock, nonces=nonces) as house:
        await house.open_for_trade()
        await house.open_account("alice")
        proof = await house.proof("alice")
        nonces.away = True
        assert await refusal(house, "/session", proof) == (503, "log_unavailable")
        nonces.away = False
        assert (await house.post("/session", proof)).status_code == 200
        assert await refusal(house, "/session", await house.proof("alice")) == (503, "busy")


async def test_a_challenge_expires(market: House) -> None:
    await market.open_account("alice")
    proof = await market.proof("alice")
    market.clock.ns += CHALLENGE_LIFE_S * SECOND_NS
    assert await refusal(market, "/session", proof) == (401, "bad_challenge")


async def test_a_challenge_is_for_one_account(market: House) -> None:
    await market.open_account("alice")
    bob = await market.open_account("bob")
    proof = await market.proof("alice")
    text = opening_text("bob", proof["nonce"], market.venue_id)
    stolen = {"account": "bob", "nonce": proof["nonce"], "signature": bob.sign(text)}
    assert await refusal(market, "/session", stolen) == (401, "bad_challenge")


async def test_a_proof_for_another_venue_is_worth_nothing(market: House) -> None:
    key = await market.open_account("alice")
    proof = await market.proof("alice")
    text = opening_text("alice", proof["nonce"], "0" * 64)
    assert await refusal(market, "/session", proof | {"signature": key.sign(text)}) == (
        401,
        "bad_signature",
    )


async def test_a_made_up_nonce_is_no_challenge(market: House) -> None:
    key = await market.open_account("alice")
    for nonce in ("x", "a.b.c", "é" * 10):
        text = opening_text("alice", nonce, market.venue_id)
        body = {"account": "alice", "nonce": nonce, "signature": key.sign(text)}
        assert await refusal(market, "/session", body) == (401, "bad_challenge")


async def test_a_token_expires_even_if_it_was_seen_before(market: House) -> None:
    headers = await market.trader("alice")
    assert (await market.get("/session", headers=headers)).status_code == 200
    market.clock.ns += SESSION_LIFE_S * SECOND_NS
    answer = await market.get("/session", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "session_expired"
    assert answer.headers["www-authenticate"] == "Bearer"


def forge(secret: bytes | str, algorithm: str = "HS256", **changed: Any) -> str:
    claims = {"sub": "alice", "aud": "session", "exp": 2**40, "jti": "1"} | changed
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, secret, algorithm)


async def test_forged_tokens_are_worth_nothing(market: House) -> None:
    await market.open_account("alice")
    right = market.context.session_secret
    challenge = (await market.post("/session/challenge", {"account": "alice"})).json()["nonce"]
    tokens = {
        "a challenge": challenge,
        "another secret": forge(secrets.token_bytes(32)),
        "no signature": forge("", "none"),
        "another algorithm": forge(secrets.token_bytes(64), "HS512"),
        "no expiry": forge(right, exp=None),
        "no audience": forge(right, aud=None),
        "two audiences": forge(right, aud=["session", "challenge"]),
        "no account": forge(right, sub=None),
        "no id": forge(right, jti=None),
        "junk": "junk",
        "empty": "",
    }
    for what, token in tokens.items():
        answer = await market.get("/session", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, what
        assert answer.json()["error"]["code"] == "unauthorized"
    good = await market.get("/session", headers={"Authorization": f"Bearer {forge(right)}"})
    assert good.status_code == 200, "the forger's helper makes good tokens with the right secret"


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "token", ""])
async def test_other_schemes_are_no_session(market: House, header: str) -> None:
    answer = await market.get("/session", headers={"Authorization": header})
    assert answer.status_code == 401


async def test_the_callout_asks_the_same_question(market: House) -> None:
    headers = await market.trader("alice")
    token = headers["Authorization"].removeprefix("Bearer ")
    assert market.context.sessions.check_token(token) == "alice"
    assert market.context.sessions.check_token("junk") is None


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Sessions(b"short", SetClock(), NoNonces())


async def test_known_tokens_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_KNOWN_TOKENS", 2)
    it = Sessions(b"x" * 32, SetClock(), SimulatedNonces(SetClock()))
    tokens = [await it.open(name, name) for name in ("alice", "bob", "carol")]
    assert [it.account(token) for token in tokens * 2] == ["alice", "bob", "carol"] * 2
    assert len(it._known) == 2
