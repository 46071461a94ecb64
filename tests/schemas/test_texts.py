"""Texts that go into other people's screens and tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.texts import clean, is_line, is_text

HOSTILE = [
    "\x00",
    "\x1b[31m",
    "\r",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\ud800",
]


@pytest.mark.parametrize("char", HOSTILE)
def test_hostile_characters(char: str) -> None:
    text = f"a{char}b"
    assert not is_line(text, 10)
    assert not is_text(text, 10)
    assert "\ufffd" in clean(text, 10)


@pytest.mark.parametrize("text", ["a", "Größe", "雨が降る", "مطر", "👩‍🚀", "a b", "…"])
def test_every_script_is_welcome(text: str) -> None:
    assert is_line(text, 10)
    assert is_text(text, 10)
    assert clean(text, 10) == text


def test_lines_and_texts() -> None:
    assert not is_line("", 10)
    assert is_text("", 10)
    assert not is_line("a\nb", 10)
    assert is_text("a\nb", 10)
    assert not is_line(" a", 10)
    assert not is_line("a ", 10)
    assert not is_line("x" * 11, 10)
    assert not is_text("x" * 11, 10)


@given(st.text(), st.integers(0, 20))
def test_clean_text_can_be_stored_anywhere(text: str, size: int) -> None:
    shown = clean(text, size)
    assert len(shown) <= size
    assert is_text(shown, size)
    assert "\x00" not in shown
    shown.encode()
