"""Only the key signs, only exactly these bytes, and in only one text."""

import base64
import string

import nkeys
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import signatures
from schemas.errors import BadSignature

SEED = signatures.seed_from(b"1" * 32)
KEY = signatures.public_key(SEED)
OTHER = signatures.public_key(signatures.seed_from(b"2" * 32))
DATA = b"what was signed"
SIGNATURE = signatures.sign(SEED, DATA)
URL_SAFE = string.ascii_letters + string.digits + "-_"


def refused(key: str, data: bytes, signature: str) -> bool:
    try:
        signatures.verify(key, data, signature)
    except BadSignature:
        return True
    return False


def test_good_signature() -> None:
    signatures.verify(KEY, DATA, SIGNATURE)
    assert signatures.sign(SEED, DATA) == SIGNATURE
    assert len(SIGNATURE) == signatures.SIGNATURE_CHARS
    assert len(KEY) == signatures.PUBLIC_KEY_CHARS
    assert signatures.is_public_key(KEY)


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("place", range(64))
def test_every_flipped_bit_of_the_signature(place: int, bit: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(SIGNATURE + "=="))
    raw[place] ^= 1 << bit
    assert refused(KEY, DATA, base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


@pytest.mark.parametrize("place", range(len(DATA)))
def test_every_changed_byte_of_the_data(place: int) -> None:
    for bit in range(8):
        changed = bytearray(DATA)
        changed[place] ^= 1 << bit
        assert refused(KEY, bytes(changed), SIGNATURE)
    assert refused(KEY, DATA[:place], SIGNATURE)


def test_every_changed_character_of_the_signature() -> None:
    """The last character has four bits to spare; only one of the 16 texts may pass."""
    for place in range(len(SIGNATURE)):
        for char in URL_SAFE:
            if char != SIGNATURE[place]:
                assert refused(KEY, DATA, SIGNATURE[:place] + char + SIGNATURE[place + 1 :])


def test_every_changed_character_of_the_key() -> None:
    for place in range(len(KEY)):
        for char in string.ascii_uppercase + "234567":
            if char != KEY[place]:
                changed = KEY[:place] + char + KEY[place + 1 :]
                assert not signatures.is_public_key(changed)
                assert refused(changed, DATA, SIGNATURE)


def standard_alphabet(signature: str) -> str:
    return signature.replace("-", "+").replace("_", "/")


def test_only_the_url_safe_alphabet() -> None:
    number = 0
    while standard_alphabet(signatures.sign(SEED, b"%d" % number)) == signatures.sign(
        SEED, b"%d" % number
    ):
        number += 1
    data = b"%d" % number
    assert refused(KEY, data, standard_alphabet(signatures.sign(SEED, data)))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "A",
        SIGNATURE + "==",
        SIGNATURE + "A",
        SIGNATURE[:-1],
        " " + SIGNATURE[1:],
        "é" * 86,
        "=" * 86,
        "A" * 86,
    ],
)
def test_what_is_no_signature(signature: str) -> None:
    assert refused(KEY, DATA, signature)


def other_kinds() -> list[str]:
    kinds = (
        nkeys.PREFIX_BYTE_ACCOUNT,
        nkeys.PREFIX_BYTE_OPERATOR,
        nkeys.PREFIX_BYTE_SERVER,
        nkeys.PREFIX_BYTE_CLUSTER,
    )
    seeds = [bytes(nkeys.encode_seed(b"1" * 32, kind)) for kind in kinds]
    return [bytes(nkeys.from_seed(bytearray(seed)).public_key).decode() for seed in seeds]


@pytest.mark.parametrize(
    "key",
    [
        OTHER,
        "",
        SEED,
        KEY.lower(),
        KEY[:-1],
        KEY + "A",
        "=" * 56,
        "U" * 56,
        "é" * 56,
        "U" + "=" * 55,
        *other_kinds(),
    ],
)
def test_wrong_key_and_wrong_kinds_of_key(key: str) -> None:
    assert refused(key, DATA, SIGNATURE)
    assert signatures.is_public_key(key) == (key == OTHER)


@given(st.text(), st.binary(), st.text())
def test_nothing_raises_anything_else(key: str, data: bytes, signature: str) -> None:
    assert refused(key, data, signature)
    assert refused(KEY, data, signature)


@given(st.binary(min_size=32, max_size=32), st.binary())
def test_any_seed_signs_for_its_key(entropy: bytes, data: bytes) -> None:
    seed = signatures.seed_from(entropy)
    signatures.verify(signatures.public_key(seed), data, signatures.sign(seed, data))
