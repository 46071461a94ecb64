"""NATS JWTs: what is signed is checked, and nothing else passes."""

import base64
import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BadSignature, InputError, MalformedMessage, TooLarge
from streams.broker.jwt import KeyKind, check, is_key, issue, public_key, seed_of
from streams.broker.limits import MAX_LOGIN_BYTES

SERVER = seed_of(KeyKind.SERVER, bytes(range(32)))
ACCOUNT = seed_of(KeyKind.ACCOUNT, bytes(range(32)))


def test_what_is_issued_checks() -> None:
    claims = json.loads(check(issue({"sub": "x"}, SERVER).encode(), KeyKind.SERVER))
    assert claims["sub"] == "x"
    assert claims["iss"] == public_key(SERVER)
    assert len(claims["jti"]) == 52


def test_equal_claims_have_equal_tokens() -> None:
    assert issue({"sub": "x"}, SERVER) == issue({"sub": "x"}, SERVER)
    assert issue({"sub": "x"}, SERVER) != issue({"sub": "y"}, SERVER)


@pytest.mark.parametrize(("kind", "letter"), [(KeyKind.ACCOUNT, "A"), (KeyKind.USER, "U")])
def test_keys_say_what_they_are(kind: KeyKind, letter: str) -> None:
    key = public_key(seed_of(kind, secrets.token_bytes(32)))
    assert key.startswith(letter)
    assert is_key(key, kind)
    assert not is_key(key, KeyKind.SERVER)
    assert not is_key(key[:-1] + ("A" if key[-1] != "A" else "B"), kind)


def test_a_token_of_another_kind_of_issuer_is_refused() -> None:
    with pytest.raises(BadSignature):
        check(issue({"sub": "x"}, ACCOUNT).encode(), KeyKind.SERVER)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_no_part_can_be_changed(part: int) -> None:
    parts = issue({"sub": "x"}, SERVER).split(".")
    raw = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    raw[len(raw) // 2] ^= 1
    parts[part] = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    with pytest.raises(InputError):
        check(".".join(parts).encode(), KeyKind.SERVER)


def test_an_unsigned_algorithm_is_refused() -> None:
    _, claims, signature = issue({"sub": "x"}, SERVER).split(".")
    head = base64.urlsafe_b64encode(b'{"typ":"JWT","alg":"none"}').decode().rstrip("=")
    with pytest.raises(BadSignature):
        check(f"{head}.{claims}.{signature}".encode(), KeyKind.SERVER)


def test_a_huge_token_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge):
        check(b"a" * (MAX_LOGIN_BYTES + 1), KeyKind.SERVER)


@given(st.binary(max_size=200) | st.text(alphabet="ey.AZaz09_-=", max_size=80).map(str.encode))
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises((MalformedMessage, BadSignature)):
        check(junk, KeyKind.SERVER)
