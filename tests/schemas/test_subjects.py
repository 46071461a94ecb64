"""Names, subjects, and which of them a pattern covers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import subjects

TOKENS = st.sampled_from(["a", "b", "main", "cmd", "x-y"])
WILD = st.sampled_from(["a", "b", "main", "cmd", "x-y", "*"])


def oracle(pattern: str, subject: str) -> bool:
    """Say it with a regular expression: `*` is one token, a final `>` one or more."""
    tokens = [r"[^.]+" if token == "*" else re.escape(token) for token in pattern.split(".")]
    if pattern.split(".")[-1] == ">":
        tokens[-1] = r".+"
    return re.fullmatch(r"\.".join(tokens), subject) is not None


@st.composite
def patterns(draw: st.DrawFn) -> str:
    tokens = draw(st.lists(WILD, min_size=0 if (tail := draw(st.booleans())) else 1, max_size=4))
    return ".".join([*tokens, ">"] if tail else tokens)


@given(patterns(), st.lists(TOKENS, min_size=1, max_size=6))
def test_matches_as_the_server_does(pattern: str, tokens: list[str]) -> None:
    subject = ".".join(tokens)
    assert subjects.matches(pattern, subject) == oracle(pattern, subject)


@pytest.mark.parametrize(
    ("pattern", "subject", "matched"),
    [
        ("main.>", "main.cmd.order.ann", True),
        ("main.>", "main", False),
        ("main.>", "mainly.cmd", False),
        ("main.cmd.admin.*", "main.cmd.admin.K", True),
        ("main.cmd.admin.*", "main.cmd.admin.K.L", False),
        ("main.cmd.admin.*", "main.cmd.admin", False),
        ("main.evt.exchange", "main.evt.exchange", True),
        ("main.evt.exchange", "main.evt.exchange.epoch", False),
        ("main.*.order.*", "main.cmd.order.ann", True),
        (">", "main", True),
    ],
)
def test_matches(pattern: str, subject: str, matched: bool) -> None:
    assert subjects.matches(pattern, subject) is matched


GOOD_ACCOUNTS = ["ann", "a1", "a_b-c", "a" * 32]
BAD_NAMES = ["", "a.b", "a b", "a*", ">", "a\n", "a\x00", "é1", "-a", "1a"]


@pytest.mark.parametrize("text", GOOD_ACCOUNTS)
def test_accounts(text: str) -> None:
    assert subjects.is_account(text)


@pytest.mark.parametrize("text", [*BAD_NAMES, "a", "A1", "a" * 33])
def test_no_accounts(text: str) -> None:
    assert not subjects.is_account(text)


@pytest.mark.parametrize("text", ["A", "RAIN-26", "A_B", "A" * 24])
def test_symbols(text: str) -> None:
    assert subjects.is_symbol(text)


@pytest.mark.parametrize("text", [*BAD_NAMES, "rain", "A" * 25, "A.B", "A\n"])
def test_no_symbols(text: str) -> None:
    assert not subjects.is_symbol(text)


@pytest.mark.parametrize(
    ("text", "good"),
    [("main", True), ("m", True), ("", False), ("a_b", False), ("a.b", False), ("main\n", False)],
)
def test_shards(text: str, good: bool) -> None:
    assert subjects.is_shard(text) is good


def test_every_subject_of_a_shard_begins_with_it_and_ends_with_its_owner() -> None:
    for subject, last in (
        (subjects.order_command("east", "ann"), "ann"),
        (subjects.account_command("east", "ann"), "ann"),
        (subjects.admin_command("east", "KEY"), "KEY"),
        (subjects.events("east", "exchange"), "exchange"),
        (subjects.epoch("east", "exchange"), "epoch"),
    ):
        assert subjects.matches("east.>", subject)
        assert subjects.last_token(subject) == last
    assert not subjects.matches("east.>", subjects.feed("east", "market.X.trades"))
