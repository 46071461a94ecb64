"""A record's hash is over its stored bytes, and no byte can change unseen."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import signatures
from schemas.chain import GENESIS_HASH, digest, link
from schemas.codec import encode
from schemas.errors import BadSignature, InputError, LogDiverged, UnknownRecord
from schemas.events import Event
from schemas.events.exchange import BookHalted, CommandRefused, OrdersCancelled
from schemas.records import EVENT_MESSAGES, Record, body, check_hash, read, seal
from schemas.stored import Stored

SEED = signatures.seed_from(b"1" * 32)
KEY = signatures.public_key(SEED)


def record(*events: Event) -> Record:
    return Record("exchange", "exchange/1", 3, 7, 5, 6, 999, False, [*events], None, GENESIS_HASH)


PLAIN, HASH = seal(record(BookHalted(5, "RAIN"), OrdersCancelled(6, "ann", "c", [1, 2])))
SIGNED, _ = seal(record(BookHalted(5, "RAIN")), lambda text: signatures.sign(SEED, text))


def changed_unseen(data: bytes) -> bool:
    """Tell whether a reader with the key would take `data` for an honest record."""
    try:
        read = EVENT_MESSAGES.decode(data)
        check_hash(read, data)
        if read.signature:
            signatures.verify(KEY, read.hash.encode(), read.signature)
    except (InputError, LogDiverged, BadSignature):
        return False
    return True


def test_hash_is_the_sha256_of_the_bytes_before_it() -> None:
    read = EVENT_MESSAGES.decode(PLAIN)
    assert read.hash == HASH == sha256(body(PLAIN)).hexdigest()
    assert body(PLAIN) + b',"hash":"%b","signature":""}' % HASH.encode() == PLAIN
    assert body(PLAIN) + b',"hash":"","signature":""}' == encode(record(*read.events))
    check_hash(read, PLAIN)


@pytest.mark.parametrize("data", [PLAIN, SIGNED], ids=["plain", "signed"])
def test_every_flipped_bit_is_seen(data: bytes) -> None:
    assert changed_unseen(data)  # which says that nothing is wrong with it as it is
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            assert not changed_unseen(bytes(changed)), (place, bit)


@given(
    st.sampled_from([PLAIN, SIGNED]), st.integers(0, 600), st.integers(0, 3), st.binary(max_size=4)
)
def test_every_cut_and_insertion_is_seen(data: bytes, place: int, cut: int, noise: bytes) -> None:
    changed = data[:place] + noise + data[place + cut :]
    assert changed == data or not changed_unseen(changed)


def test_text_in_an_event_cannot_pose_as_the_hash() -> None:
    trick = CommandRefused(5, "ann", "c", "stale", '","hash":"' + "0" * 64)
    data, hash_ = seal(record(trick))
    read = EVENT_MESSAGES.decode(data)
    check_hash(read, data)
    assert read.hash == hash_
    assert read.events == [trick]


def test_signature_is_over_the_text_of_the_hash() -> None:
    read = EVENT_MESSAGES.decode(SIGNED)
    signatures.verify(KEY, read.hash.encode(), read.signature)


def test_chain_link_by_hand() -> None:
    first = link(bytes(32), 1, "main.x", b"abc")
    assert first == sha256(bytes(32) + b"1 6 3 main.xabc").digest()
    assert digest(b"") == sha256(b"").hexdigest()


@given(
    st.tuples(st.integers(1, 10**6), st.text(st.characters(codec="utf-8")), st.binary()),
    st.tuples(st.integers(1, 10**6), st.text(st.characters(codec="utf-8")), st.binary()),
)
def test_no_two_messages_have_the_same_link(
    one: tuple[int, str, bytes], other: tuple[int, str, bytes]
) -> None:
    before = bytes.fromhex(GENESIS_HASH)
    assert (link(before, *one) == link(before, *other)) == (one == other)


def test_moving_a_byte_from_subject_to_payload_changes_the_link() -> None:
    before = bytes(32)
    assert link(before, 1, "ab", b"c") != link(before, 1, "a", b"bc")
    assert link(before, 11, "a", b"") != link(before, 1, "1a", b"")


def test_a_record_is_read_from_its_own_subject_only() -> None:
    assert read(Stored(7, "main.evt.exchange", PLAIN)) == EVENT_MESSAGES.decode(PLAIN)
    with pytest.raises(UnknownRecord, match=r"sequence 7: a record of 'exchange' on main.evt.pri"):
        read(Stored(7, "main.evt.pricing", PLAIN))


@pytest.mark.parametrize("data", [b"", b"{}", b'{"type":"record/9"}', PLAIN[:-1]])
def test_a_record_that_cannot_be_read_halts_and_says_where(data: bytes) -> None:
    with pytest.raises(UnknownRecord, match=r"sequence 7 on main.evt.exchange: "):
        read(Stored(7, "main.evt.exchange", data))
