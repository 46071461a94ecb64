"""Decoding: what fits, what does not, and what only some interpreters could read."""

import sys
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import commands, decisions
from schemas.codec import Codec, Message, encode, tag_of
from schemas.errors import MalformedMessage, UnknownMessage
from schemas.json_limits import UNCHECKED_BYTES
from schemas.limits import MAX_INTEGER_DIGITS, MAX_NESTING


class Coin1(Message, tag="coin/1", frozen=True):
    cents: int


class Coin2(Message, tag="coin/2", frozen=True):
    cents: int
    currency: str


class Coin3(Message, tag="coin/3", frozen=True):
    amount_e4: int
    currency: str


class Note1(Message, tag="note/1", frozen=True):
    text: str


UPCAST: Codec[Coin3 | Note1] = Codec(
    Coin1 | Coin2 | Coin3 | Note1,
    {
        Coin1: lambda old: Coin2(old.cents, "credit"),
        Coin2: lambda old: Coin3(old.cents * 100, old.currency),
    },
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"type":"coin/1","cents":5}', Coin3(500, "credit")),
        (b'{"type":"coin/2","cents":5,"currency":"x"}', Coin3(500, "x")),
        (b'{"type":"coin/3","amount_e4":5,"currency":"x"}', Coin3(5, "x")),
        (b'{"type":"note/1","text":"x"}', Note1("x")),
    ],
)
def test_old_versions_are_brought_up_step_by_step(data: bytes, message: Message) -> None:
    assert UPCAST.decode(data) == message


@pytest.mark.parametrize("tag", ["coin/4", "coin", "Coin/1", "", "coin/1 "])
def test_unknown_type_or_version(tag: str) -> None:
    with pytest.raises(UnknownMessage) as caught:
        UPCAST.decode(b'{"type":"%b","cents":5}' % tag.encode())
    assert caught.value.tag == tag
    assert caught.value.code == "unknown_message"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"coin/1"',
        b"{",
        b"{}",
        b'{"cents":5}',
        b'{"type":1,"cents":5}',
        b'{"type":"coin/1"}',
        b'{"type":"coin/1","cents":"5"}',
        b'{"type":"coin/1","cents":5.0}',
        b'{"type":"coin/1","cents":1e3}',
        b'{"type":"coin/1","cents":true}',
        b'{"type":"coin/1","cents":NaN}',
        b'{"type":"coin/1","cents":5}x',
        b'{"type":"note/1","text":"\xff"}',
        b'{"type":"note/1","text":"\xed\xa0\x80"}',
        b'{"type":"note/1","text":"\\ud800"}',
        b'{"type":"note/1","text":"\x00"}',
        b'\xef\xbb\xbf{"type":"coin/1","cents":5}',
        b'{"type":"coin/1","cents":' + b"9" * 5_000 + b"}",
        b'{"type":"coin/1","x":' + b"[" * 50_000,
        b'{"type":"coin/9","x":' + b"[" * 5_000 + b"]" * 5_000 + b',"cents":5}',
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        UPCAST.decode(data)
    assert caught.value.code == "malformed"


@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_typed_error(data: bytes) -> None:
    try:
        message = commands.ORDER_COMMANDS.decode(data)
    except (MalformedMessage, UnknownMessage):
        return
    assert isinstance(message, Message)


def nested(depth: int) -> bytes:
    inner = depth - 1  # the message itself is one
    data = b'{"type":"coin/1","cents":5,"x":' + b"[" * inner + b"]" * inner + b"}"
    return data + b" " * max(0, UNCHECKED_BYTES + 1 - len(data))


def test_nesting_has_a_bound_of_its_own() -> None:
    assert UPCAST.decode(nested(MAX_NESTING)) == Coin3(500, "credit")
    with pytest.raises(MalformedMessage, match="nested deeper"):
        UPCAST.decode(nested(MAX_NESTING + 1))


def test_brackets_in_texts_do_not_nest() -> None:
    text = '[{"\\' * 500
    assert UPCAST.decode(encode(Note1(text))) == Note1(text)
    text = "]}" * 500 + "[{" * 500
    assert UPCAST.decode(encode(Note1(text))) == Note1(text)


def test_brackets_in_texts_do_not_hide_nesting() -> None:
    level = b'["]","]\\"]",'
    data = b'{"type":"coin/1","cents":5,"x":' + level * 900 + b"1" + b"]" * 900 + b"}"
    with pytest.raises(MalformedMessage, match="nested deeper"):
        UPCAST.decode(data)


def test_many_siblings_are_not_deep() -> None:
    order = commands.Order(client_order_id="a", symbol="X", side="buy", quantity_lots=1)
    batch = commands.PlaceOrders(1, [order] * 1_000)
    assert commands.ORDER_COMMANDS.decode(encode(batch)) == batch


def test_integers_have_a_bound_of_their_own() -> None:
    good = b'{"type":"coin/1","cents":%b}' % (b"1" * MAX_INTEGER_DIGITS)
    assert isinstance(UPCAST.decode(good), Coin3)
    with pytest.raises(MalformedMessage, match="digits"):
        UPCAST.decode(good.replace(b"1}", b"11}"))
    digits = Note1("1" * 5_000)
    assert UPCAST.decode(encode(digits)) == digits


def test_same_answer_however_deep_the_caller_is() -> None:
    """A judgement that depended on the stack would not be the same when decided again."""
    data = [nested(depth) for depth in (2, MAX_NESTING, MAX_NESTING + 1, 150, 300)]
    short = b'{"type":"coin/1","cents":5,"x":' + b"[" * 200 + b"]" * 200 + b"}"
    data += [short, b"[" * UNCHECKED_BYTES]

    def answers() -> list[str]:
        return [answer(one) for one in data]

    def answer(one: bytes) -> str:
        try:
            return repr(UPCAST.decode(one))
        except (MalformedMessage, UnknownMessage) as error:
            return str(error)

    def deep(levels: int) -> list[str]:
        return deep(levels - 1) if levels else answers()

    found: list[list[str]] = []
    worker = threading.Thread(target=lambda: found.append(deep(sys.getrecursionlimit() // 3)))
    worker.start()
    worker.join()
    assert found == [answers()]


def test_canonical_bytes() -> None:
    order = commands.PlaceOrder("a", 1, "X", "buy", 1)
    assert encode(order) == (
        b'{"type":"place_order/1","client_order_id":"a","client_time_ns":1,"symbol":"X",'
        b'"side":"buy","quantity_lots":1,"order_type":"limit","price_ticks":null,'
        b'"time_in_force":"gtc","post_only":false}'
    )


def test_tag_of_a_class_without_one() -> None:
    class Bare(msgspec.Struct):
        pass

    with pytest.raises(TypeError):
        tag_of(Bare)


def test_a_genesis_round_trips() -> None:
    from schemas.policy import CALIBRATED

    genesis = decisions.Genesis("v", "U", "U", CALIBRATED, 5)
    assert decisions.DECISIONS.decode(encode(genesis)) == genesis
