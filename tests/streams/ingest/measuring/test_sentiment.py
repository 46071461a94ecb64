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


def test_degree_adverbs_and_emoji_count() -> None:
    plain, very = (SENTIMENT.of([f"The plan is {how}good."]) for how in ("", "very "))
    assert 0 < plain < very
    assert SENTIMENT.of(["The plan is out 😀"]) > 0 > SENTIMENT.of(["The plan is out 😭"])


def test_what_is_conceded_weighs_half() -> None:
    good, bad = "The plan is good", "it is bad"
    both = SENTIMENT.of([f"{good}, it is late, {bad}."])
    assert SENTIMENT.of([f"{good}, but {bad}."]) < both < SENTIMENT.of([f"Although {bad}, {good}."])


def test_the_name_says_which_rules_and_which_list() -> None:
    parts = SENTIMENT.name.split("/")
    assert parts[0::2] == ["vader", "clauses-1"]
    assert len(parts[3]) == 64


@given(st.lists(st.text(max_size=100), max_size=5))
def test_bounds(sentences: list[str]) -> None:
    assert -10_000 <= SENTIMENT.of(sentences) <= 10_000
