"""NATS JWTs, version 2: claims signed with Ed25519 by an nkey.

    base64url({"typ":"JWT","alg":"ed25519-nkey"}) . base64url(claims) . base64url(signature)

The signature is over the first two parts with their dot. Source: NATS ADR-14 and
nats-io/jwt v2. PyJWT knows neither the algorithm nor the form of the keys, so this module does it.
"""

import base64
import binascii
import hashlib
from enum import IntEnum
from typing import Any, Final

import msgspec
import nkeys
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from schemas.errors import BadSignature, MalformedMessage, TooLarge
from schemas.signatures import PUBLIC_KEY_CHARS
from streams.broker.limits import MAX_LOGIN_BYTES

ALGORITHM: Final = "ed25519-nkey"
_HEADER: Final = b'{"typ":"JWT","alg":"ed25519-nkey"}'


class KeyKind(IntEnum):
    """What a public nkey names; the value is its first byte."""

    ACCOUNT = 0
    SERVER = 13 << 3
    USER = 20 << 3


class _Header(msgspec.Struct):
    typ: str
    alg: str


def seed_of(kind: KeyKind, entropy: bytes) -> str:
    """Return the seed of `kind` made from 32 bytes of the caller's entropy."""
    return bytes(nkeys.encode_seed(entropy, int(kind))).decode()


def public_key(seed: str) -> str:
    """Return the public nkey, of whatever kind, of `seed`."""
    return bytes(nkeys.from_seed(bytearray(seed.encode())).public_key).decode()


def is_seed(text: str, kind: KeyKind) -> bool:
    """Tell whether `text` is a seed of `kind`, checksum included.

    The nkeys library reads seeds without checking theirs: a damaged one would just give
    another key.
    """
    try:
        _, entropy = nkeys.decode_seed(bytearray(text.encode()))
        return seed_of(kind, bytes(entropy)) == text
    except (nkeys.NkeysError, ValueError):
        return False


def is_key(text: str, kind: KeyKind) -> bool:
    """Tell whether `text` is a public nkey of `kind`, checksum included."""
    return _raw_key(text, kind) is not None


def issue(claims: dict[str, Any], seed: str) -> str:
    """Return `claims` as a JWT signed by `seed`; sets `iss` and `jti`."""
    pair = nkeys.from_seed(bytearray(seed.encode()))
    claims = {**claims, "iss": bytes(pair.public_key).decode(), "jti": ""}
    digest = hashlib.sha256(msgspec.json.encode(claims)).digest()
    claims["jti"] = base64.b32encode(digest).rstrip(b"=").decode()
    signed = _encode(_HEADER) + b"." + _encode(msgspec.json.encode(claims))
    return (signed + b"." + _encode(bytes(pair.sign(signed)))).decode()


def check(token: bytes, issuer: KeyKind) -> bytes:
    """Return the claims' JSON in `token` once its signature holds.

    The signature must be by the key that the claims name as `iss`, a key of kind
    `issuer`. Raises TooLarge, MalformedMessage or BadSignature.
    """
    if len(token) > MAX_LOGIN_BYTES:
        raise TooLarge(f"a JWT of {len(token)} bytes")
    head, dot, signature = token.rpartition(b".")
    first, _, second = head.partition(b".")
    if not dot:
        raise MalformedMessage("a JWT has three parts")
    try:
        header = msgspec.json.decode(_decode(first), type=_Header)
        claims = _decode(second)
        key = _raw_key(msgspec.json.decode(claims, type=_Issued).iss, issuer)
        raw_signature = _decode(signature)
    except (msgspec.DecodeError, binascii.Error, UnicodeError) as error:
        raise MalformedMessage("not a JWT") from error
    if header.alg != ALGORITHM:
        raise BadSignature(f"algorithm {header.alg[:20]!r} is not {ALGORITHM}")
    if key is None:
        raise BadSignature(f"the issuer is no {issuer.name.lower()} key")
    try:
        VerifyKey(key).verify(head, raw_signature)
    except (BadSignatureError, ValueError) as error:
        raise BadSignature("the JWT's signature does not match") from error
    return claims


class _Issued(msgspec.Struct):
    iss: str


def _raw_key(text: str, kind: KeyKind) -> bytes | None:
    if len(text) != PUBLIC_KEY_CHARS or not text.isascii():
        return None
    try:
        raw = base64.b32decode(text)
    except binascii.Error:
        return None
    body, checksum = raw[:-2], int.from_bytes(raw[-2:], "little")
    if body[0] != kind or binascii.crc_hqx(body, 0) != checksum:
        return None
    return body[1:]


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(data: bytes) -> bytes:
    return base64.b64decode(data + b"=" * (-len(data) % 4), altchars=b"-_", validate=True)
