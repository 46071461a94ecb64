import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.limits import MAX_KEYWORDS_LISTED
from streams.ingest.measuring.keywords import MAX_WEIGHT, Keywords
from tests.streams.ingest.measuring.world import KEYWORDS

LINES = (
    "win|wins\t60\tgood",
    "loss\t-50\tbad",
    "guilty pleasure\t20\tgood",
    "guilty\t-80\tbad",
    "not guilty\t70\tgood",
)
LIST = "".join(f"{line}\n" for line in LINES)
SMALL = Keywords(LIST)


def test_the_list_is_signed_bounded_and_gives_reasons() -> None:
    terms = set(KEYWORDS.forms.values())
    assert 250 <= len(terms) <= 400
    assert all(0 < abs(term.weight) <= MAX_WEIGHT and ": " in term.kind for term in terms)
    good = sum(term.weight > 0 for term in terms)
    assert 0.3 < good / len(terms) < 0.7


@pytest.mark.parametrize(
    "word",
    [
        *("record high", "wins", "scandal", "bankrupt", "approves", "veto"),
        *("resigns", "war", "ceasefire", "recall", "lawsuit"),
    ],
)
def test_what_news_is_made_of_is_on_the_list(word: str) -> None:
    assert word in KEYWORDS.forms


@pytest.mark.parametrize(
    ("sentence", "score_bp", "terms"),
    [
        ("They win.", 5_455, ["win"]),
        ("They WIN and wins follow.", 5_455, ["win"]),
        ("A loss.", -5_000, ["loss"]),
        ("A win and a loss.", 625, ["win", "loss"]),
        ("It is no loss.", 5_000, ["no loss"]),
        ("It wasn't a big loss.", 1_935, ["not loss"]),
        ("They did not win.", -4_737, ["not win"]),
        ("Its loss narrows.", 5_000, ["loss narrows"]),
        ("Sales fall.", -3_750, ["sales fall"]),
        ("No one could ever call it a loss.", -5_000, ["loss"]),
        ("He is guilty.", -6_154, ["guilty"]),
        ("He is not guilty.", 5_833, ["not guilty"]),
        ("A guilty pleasure.", 2_857, ["guilty pleasure"]),
        ("Winter is lossy.", 0, []),
    ],
)
def test_score(sentence: str, score_bp: int, terms: list[str]) -> None:
    assert SMALL.of([sentence]) == (score_bp, terms)


def test_a_text_scores_the_mean_of_its_sentences() -> None:
    assert SMALL.of(["A loss.", "Nothing."]) == (-2_500, ["loss"])
    assert SMALL.of([]) == (0, [])


def test_a_negation_does_not_reach_into_the_next_sentence() -> None:
    assert SMALL.of(["They do not", "win"]).terms == ["win"]


@given(
    st.lists(st.lists(st.sampled_from([*KEYWORDS.forms, "not", "the"]), max_size=40), max_size=9)
)
def test_bounds(texts: list[list[str]]) -> None:
    found = KEYWORDS.of([" ".join(words) for words in texts])
    assert -10_000 < found.score_bp < 10_000
    assert len(found.terms) <= MAX_KEYWORDS_LISTED


@given(st.lists(st.sampled_from(["win", "the", "guilty"]), max_size=20))
def test_the_opposite_list_gives_the_opposite_score(text: list[str]) -> None:
    lines = [line.split("\t") for line in LINES]
    opposite = Keywords("\n".join(f"{a}\t{-int(b)}\t{c}" for a, b, c in lines))
    sentence = [" ".join(text)]
    assert opposite.of(sentence).score_bp == -SMALL.of(sentence).score_bp


@pytest.mark.parametrize(
    "line",
    ["win\t0\tgood", "win\t101\tgood", "win\t5\t", "win|win\t5\tgood", "!\t5\tgood", "win\t5"],
)
def test_a_wrong_list_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Keywords(line)


def test_the_name_changes_with_the_list() -> None:
    assert Keywords(LIST).name == SMALL.name != Keywords(LIST + "x\t1\ty").name
    assert len(KEYWORDS.name) == len("keywords/2/") + 64 + len("/") + 64
