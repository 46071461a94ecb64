import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.limits import MAX_SENTENCE_CHARS
from streams.ingest.measuring.tokens import sentences, words
from tests.streams.ingest.measuring.world import SENTIMENT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n ", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("A headline\nA text.", ["A headline", "A text."]),
        ('He said "no." Then he left.', ['He said "no.', "Then he left."]),
        ("It rose 3.5 percent.", ["It rose 3.5 percent."]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text(alphabet="ab .!?\n\"'", max_size=2_000))
def test_no_sentence_is_too_long_and_no_letter_is_lost(text: str) -> None:
    found = sentences(text)
    assert all(0 < len(one) <= MAX_SENTENCE_CHARS for one in found)
    letters = [one for one in text if one.isalpha()]
    assert [one for sentence in found for one in sentence if one.isalpha()] == letters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The state-run bank’s loss, isn't it?",
            ["the", "state-run", "bank's", "loss", "isn't", "it"],
        ),
        ("3.5% up_down", ["3", "5", "up", "down"]),
        ("--'a'--", ["a"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_hostile_sentence_costs_little() -> None:
    # one of 2,000 characters would cost VADER the square of that
    began = time.process_time()
    SENTIMENT.of(sentences("not so bad " * 180))
    assert time.process_time() - began < 1
