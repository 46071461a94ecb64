from hypothesis import given
from hypothesis import strategies as st

from tests.streams.ingest.measuring.world import SENTIMENT


def test_sign() -> None:
    assert SENTIMENT.of(["The plan is a great success."]) > 3_000
    assert SENTIMENT.of(["The plan is a terrible disaster."]) < -3_000
    assert SENTIMENT.of(["The plan has nine pages."]) == 0
    assert SENTIMENT.of([]) == 0


def test_a_long_text_does_not_saturate() -> None:
    one = SENTIMENT.of(["The plan is good."])
    assert SENTIMENT.of(["The plan is good."] * 50) == one < 9_000


def test_sentences_without_tone_count() -> None:
    one = SENTIMENT.of(["The plan is good."])
    assert SENTIMENT.of(["The plan is good.", "It has nine pages."]) == round(one / 2)


@given(st.lists(st.text(max_size=100), max_size=5))
def test_bounds(sentences: list[str]) -> None:
    assert -10_000 <= SENTIMENT.of(sentences) <= 10_000
