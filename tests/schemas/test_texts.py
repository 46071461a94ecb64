"""Texts that go into other people's screens and tables."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.texts import clean, is_line, is_text, minute_of, second_of, time_of
from schemas.units import SECOND_NS

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


_FIRST_NS = -62_135_596_800 * SECOND_NS
_LAST_NS = 253_402_300_799 * SECOND_NS + SECOND_NS - 1
"""The years 1 to 9999, all that `datetime` knows."""


def _by_the_library(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, SECOND_NS)
    when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{when.replace(tzinfo=None).isoformat()}.{rest // 1_000:06d}Z"


@given(st.integers(_FIRST_NS, _LAST_NS))
def test_time_is_written_as_the_library_does(time_ns: int) -> None:
    assert time_of(time_ns) == _by_the_library(time_ns)


@pytest.mark.parametrize("year", [1600, 1900, 1972, 2000, 2023, 2024, 2100, 2400])
@pytest.mark.parametrize("day", [(2, 28), (2, 29), (3, 1), (12, 31), (1, 1)])
def test_leap_days(year: int, day: tuple[int, int]) -> None:
    try:
        when = datetime.datetime(year, *day, tzinfo=datetime.UTC)
    except ValueError:
        return  # no leap year
    time_ns = int(when.timestamp()) * SECOND_NS
    assert time_of(time_ns) == f"{year}-{day[0]:02d}-{day[1]:02d}T00:00:00.000000Z"
    assert time_of(time_ns - 1) == _by_the_library(time_ns - 1)


def test_time_for_people() -> None:
    time = time_of(1_700_000_000_123_456_789)
    assert time == "2023-11-14T22:13:20.123456Z"
    assert second_of(time) == "2023-11-14 22:13:20 UTC"
    assert minute_of(time) == "2023-11-14 22:13"
