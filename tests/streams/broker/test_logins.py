"""Who gets in, as which role, and what junk gets."""

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any

import nkeys
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import signatures
from streams.broker import limits
from streams.broker.jwt import KeyKind, check, issue, public_key, seed_of
from streams.broker.logins import Budget, Claimant, Logins, reader_seats
from streams.broker.roles import READERS, TRADERS

NOW = 1_700_000_000.0
SERVER = seed_of(KeyKind.SERVER, bytes(range(32)))
ISSUER = seed_of(KeyKind.ACCOUNT, bytes(range(32)))
USER = public_key(seed_of(KeyKind.USER, bytes(range(32))))
ALICE = signatures.seed_from(b"a" * 32)
BOB = signatures.seed_from(b"b" * 32)
KEYS = {
    "alice": signatures.public_key(ALICE),
    "alice-2": signatures.public_key(ALICE),
    "bob": signatures.public_key(BOB),
}
NONCE = "n0nceFromTheServer"


def logins(seats: Mapping[str, int] | None = None) -> Logins:
    accounts = {key: account for account, key in reversed(KEYS.items())}
    return Logins(
        shard="main",
        issuer_seed=ISSUER,
        account_of=accounts.get,
        key_of=KEYS.get,
        check_token={"good": "bob", "odd": "no.such>name"}.get,
        seats_of=(seats or {}).get,
    )


def signed(seed: str, nonce: str = NONCE) -> str:
    raw = nkeys.from_seed(bytearray(seed.encode())).sign(nonce.encode())
    return base64.b64encode(raw).decode()


def question(opts: dict[str, Any], client: dict[str, Any] | None = None, **claims: Any) -> bytes:
    info = {"kind": "Client", "type": "nats", "name": "orders", "nonce": NONCE, **(client or {})}
    body = {
        "aud": "nats-authorization-request",
        "nats": {
            "server_id": {"id": public_key(SERVER), "name": "s"},
            "user_nkey": USER,
            "client_info": info,
            "connect_opts": {"protocol": 1, **opts},
            "type": "authorization_request",
        },
        **claims,
    }
    return issue(body, SERVER).encode()


def by_key(seed: str = ALICE, **opts: Any) -> dict[str, Any]:
    return {"nkey": signatures.public_key(seed), "sig": signed(seed), **opts}


def answer(
    desk: Logins, asked: bytes, now_s: float, traders: int = 0, readers: int = 0
) -> bytes | None:
    """Return what the desk answers when the server counts so many connections already."""
    judged = desk.judge(asked, now_s)
    held = {TRADERS: traders, READERS: readers}
    return desk.seat(judged, held, now_s) if isinstance(judged, Claimant) else judged


def answered(data: bytes | None) -> dict[str, Any]:
    assert data is not None
    claims = dict(json.loads(check(data, KeyKind.ACCOUNT)))
    assert claims["sub"] == USER
    assert claims["aud"] == public_key(SERVER)
    return dict(claims["nats"])


def user(data: bytes | None) -> dict[str, Any]:
    return dict(json.loads(check(answered(data)["jwt"].encode(), KeyKind.ACCOUNT)))


def error(data: bytes | None) -> str:
    given = answered(data)
    assert "jwt" not in given
    return str(given["error"])


def test_a_key_gets_its_account() -> None:
    claims = user(answer(logins(), question(by_key()), NOW))
    assert (claims["aud"], claims["name"]) == (TRADERS, "alice")
    assert claims["exp"] == NOW + limits.LOGIN_LIFE_S
    assert claims["nats"]["pub"]["allow"] == ["main.cmd.order.alice"]
    assert claims["nats"]["sub"]["allow"] == ["_INBOX_alice.>"]


def test_the_signature_may_be_url_safe_or_plain_base64() -> None:
    url_safe = by_key(sig=signatures.sign(ALICE, NONCE.encode()))
    assert user(answer(logins(), question(url_safe), NOW))["name"] == "alice"


@pytest.mark.parametrize("field", ["user", "auth_token"])
def test_a_key_with_several_accounts_can_name_one(field: str) -> None:
    named = by_key(**{field: "alice-2"})
    assert user(answer(logins(), question(named), NOW))["name"] == "alice-2"


def test_a_session_token_gets_its_account() -> None:
    assert user(answer(logins(), question({"auth_token": "good"}), NOW))["name"] == "bob"


@pytest.mark.parametrize("name", ["feeds", "feeds.bot-7"])
def test_a_connection_for_feeds_may_say_nothing(name: str) -> None:
    claims = user(answer(logins(), question(by_key(), {"name": name}), NOW))
    assert claims["aud"] == READERS
    assert claims["nats"]["pub"] == {"deny": [">"]}
    assert "feed.main.account.alice.>" in claims["nats"]["sub"]["allow"]


@pytest.mark.parametrize(
    ("opts", "client", "why"),
    [
        ({}, {}, "no key and no valid token"),
        ({"auth_token": "bad"}, {}, "no key and no valid token"),
        ({"auth_token": "odd"}, {}, "no key and no valid token"),
        ({"user": "alice", "pass": "x"}, {}, "no key and no valid token"),
        (by_key(signatures.seed_from(b"x" * 32)), {}, "unknown key"),
        (by_key(user="bob"), {}, "does not hold"),
        (by_key(user="alice.>"), {}, "unknown key"),
        (by_key(user="nobody"), {}, "does not hold"),
        (by_key(sig=""), {}, "signature does not match"),
        (by_key(sig="*" * 86), {}, "signature does not match"),
        (by_key(sig=signed(BOB)), {}, "signature does not match"),
        (by_key(sig=signed(ALICE, "another")), {}, "signature does not match"),
        (by_key(), {"nonce": ""}, "no nonce"),
        (by_key(), {"type": "websocket"}, "plain NATS"),
        (by_key(), {"type": "mqtt"}, "plain NATS"),
        (by_key(), {"kind": "Leafnode"}, "plain NATS"),
    ],
)
def test_who_is_denied(opts: dict[str, Any], client: dict[str, Any], why: str) -> None:
    assert why in error(answer(logins(), question(opts, client), NOW))


def test_only_a_server_can_ask() -> None:
    desk = logins()
    assert answer(desk, question(by_key(), aud="something else"), NOW) is None
    body = json.loads(check(question(by_key()), KeyKind.SERVER))
    assert answer(desk, issue(body, ISSUER).encode(), NOW) is None
    body["nats"]["user_nkey"] = public_key(ISSUER)
    assert answer(desk, issue(body, SERVER).encode(), NOW) is None


@given(st.binary(max_size=300))
def test_junk_gets_no_answer(junk: bytes) -> None:
    assert answer(logins(), junk, NOW) is None


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "nkey": st.text(max_size=60) | st.just(KEYS["alice"]),
            "sig": st.text(max_size=90),
            "auth_token": st.text(max_size=20),
            "user": st.text(max_size=20) | st.just("alice"),
        },
    ),
    st.text(max_size=20),
)
def test_whatever_a_client_sends_is_answered_with_a_denial(
    opts: dict[str, str], nonce: str
) -> None:
    assert error(answer(logins(), question(opts, {"nonce": nonce}), NOW))


def test_one_account_cannot_log_in_without_bound() -> None:
    desk = logins()
    for _ in range(limits.LOGINS_PER_ACCOUNT_BURST):
        user(answer(desk, question(by_key()), NOW))
    assert "too many logins by alice" in error(answer(desk, question(by_key()), NOW))
    assert user(answer(desk, question(by_key(BOB)), NOW))["name"] == "bob"
    later = NOW + 3_600 / limits.LOGINS_PER_ACCOUNT_PER_HOUR
    assert user(answer(desk, question(by_key()), later))["name"] == "alice"


@pytest.mark.parametrize(
    ("name", "traders", "readers", "admitted"),
    [
        ("orders", 4, 0, True),
        ("orders", 5, 0, False),
        ("orders", 3, 2, False),
        ("orders", 2, 2, True),
        ("feeds", 3, 1, True),
        ("feeds", 0, 2, False),
        ("feeds", 4, 1, False),
    ],
)
def test_an_account_has_five_connections_of_which_two_may_listen(
    name: str, traders: int, readers: int, admitted: bool
) -> None:
    found = answer(logins(), question(by_key(), {"name": name}), NOW, traders, readers)
    if admitted:
        assert user(found)["name"] == "alice"
    else:
        assert error(found) == "too many connections of alice"


def test_a_quota_says_how_many() -> None:
    desk = logins({"alice": 6, "bob": 0})
    assert user(answer(desk, question(by_key()), NOW, 5))["name"] == "alice"
    assert "too many connections" in error(answer(desk, question(by_key(BOB)), NOW))


@pytest.mark.parametrize(("seats", "readers"), [(1, 1), (2, 1), (5, 2), (10, 4), (50, 20)])
def test_the_share_of_readers_grows_with_the_quota(seats: int, readers: int) -> None:
    assert reader_seats(seats) == readers


def test_a_login_has_no_limits_of_its_own() -> None:
    """The server forgets them (test_callout tries it): they stand on the accounts."""
    claims = user(answer(logins(), question(by_key()), NOW))["nats"]
    assert (claims["subs"], claims["data"], claims["payload"]) == (-1, -1, -1)


def test_nobody_can_use_up_the_logins_of_another() -> None:
    desk = logins()
    for _ in range(limits.LOGINS_PER_ACCOUNT_BURST + 1):
        error(answer(desk, question(by_key(sig=signed(BOB))), NOW))
    assert user(answer(desk, question(by_key()), NOW))["name"] == "alice"


def test_refusals_beyond_their_bound_are_left_to_wait() -> None:
    desk = logins()
    for _ in range(limits.REFUSALS_BURST):
        error(answer(desk, question({}), NOW))
    assert answer(desk, question({}), NOW) is None
    assert user(answer(desk, question(by_key()), NOW))["name"] == "alice"


def test_a_budget_remembers_a_bounded_number_of_names() -> None:
    budget = Budget(0.001, 1)
    assert budget.take("first", NOW)
    assert not budget.take("first", NOW)
    for _ in range(limits.MAX_LOGIN_ACCOUNTS):
        assert budget.take(secrets.token_hex(8), NOW)
    assert budget.take("first", NOW)
