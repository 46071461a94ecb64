"""Ed25519 over exact bytes, with keys written as NATS nkeys (`U…` public, `SU…` seed).

Ed25519 signing is deterministic (RFC 8032), so the same key and bytes always give the
same signature. Signatures travel as unpadded URL-safe base64 (86 characters). Seeds are
read and written by the `nkeys` library; it offers no check of a public key alone, so
that goes to PyNaCl, on which it stands.
"""

import base64
import binascii
from typing import Final

import nkeys
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from schemas.errors import BadSignature

SIGNATURE_CHARS: Final = 86
PUBLIC_KEY_CHARS: Final = 56
SEED_BYTES: Final = 32


def seed_from(entropy: bytes) -> str:
    """Return the nkey seed (`SU…`) made from 32 bytes of the caller's entropy."""
    return bytes(nkeys.encode_seed(entropy, nkeys.PREFIX_BYTE_USER)).decode()


def public_key(seed: str) -> str:
    """Return the public nkey (`U…`, 56 characters) of `seed`."""
    return bytes(nkeys.from_seed(bytearray(seed.encode())).public_key).decode()


def sign(seed: str, data: bytes) -> str:
    """Return the signature of `data` by `seed`."""
    raw = bytes(nkeys.from_seed(bytearray(seed.encode())).sign(data))
    return _to_text(raw)


def verify(key: str, data: bytes, signature: str) -> None:
    """Check that `key` signed `data`.

    Raises BadSignature for a wrong signature and for a key or signature that is no such
    thing at all: the caller cannot tell these apart and need not. The text of a signature
    must be the one that `sign` writes: base64's last character has bits to spare, and a
    decoder that ignores them would take 16 texts for the same signature.
    """
    raw_key = _raw_public_key(key)
    if raw_key is None or len(signature) != SIGNATURE_CHARS:
        raise BadSignature("not an nkey signature")
    try:
        raw = base64.b64decode(signature + "==", altchars=b"-_", validate=True)
        if _to_text(raw) != signature:
            raise BadSignature("signature is not written canonically")
        VerifyKey(raw_key).verify(data, raw)
    except (BadSignatureError, binascii.Error, ValueError) as error:
        raise BadSignature("signature does not match") from error


def is_public_key(text: str) -> bool:
    """Tell whether `text` is a user's public nkey, checksum included."""
    return _raw_public_key(text) is not None


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw_public_key(text: str) -> bytes | None:
    if len(text) != PUBLIC_KEY_CHARS or not text.isascii():
        return None
    try:
        raw = base64.b32decode(text)
    except binascii.Error:
        return None
    body, check = raw[:-2], int.from_bytes(raw[-2:], "little")
    if body[0] != nkeys.PREFIX_BYTE_USER or binascii.crc_hqx(body, 0) != check:
        return None
    return body[1:]
