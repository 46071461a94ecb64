import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.measuring.shifters import CONCEDED, ROLES, Shifters, shifters

WORDS = ["losses", "narrow", "not", "but", "as", "good", "although", "called", "off", "the", ","]


def split(sentence: str) -> list[tuple[float, str]]:
    return [(one.weight, " ".join(one.given)) for one in shifters().clauses(sentence)]


def test_every_role_is_listed() -> None:
    listed = {role for line in shifters().clauses(" ") for role in line.roles}
    assert listed == set()
    assert len(shifters().digest) == 64
    assert shifters().digest != Shifters("good\tprofit").digest


@pytest.mark.parametrize(
    "text",
    ["nice\tprofit", "good\tprofit|profit", "good\tprofit\ngood\tsales|profit", "good\t!", "good"],
)
def test_a_wrong_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Shifters(text)


@pytest.mark.parametrize(
    ("sentence", "clauses"),
    [
        ("Profit falls as costs rise.", [(1, "profit falls"), (1, "as costs rise")]),
        ("It is as good as new.", [(1, "it is as good as new")]),
        ("Sales rise, costs fall", [(1, "sales rise"), (1, "costs fall")]),
        ("It is good but late", [(CONCEDED, "it is good"), (1, "but late")]),
        ("Although late, it is good", [(CONCEDED, "although late"), (1, "it is good")]),
        ("U.S. sales were 1,000 (2.5% up)", [(1, "u s"), (1, "sales were 1 000"), (1, "2 5 up")]),
        ("Better-than-expected sales", [(1, "better than expected sales")]),
        ("", []),
    ],
)
def test_clauses(sentence: str, clauses: list[tuple[float, str]]) -> None:
    assert split(sentence) == clauses


def test_a_phrase_has_its_roles_at_its_first_word() -> None:
    (clause,) = shifters().clauses("The strike was called off")
    assert clause.roles[3:] == (frozenset({"end"}), frozenset())
    assert clause.ends[3] == 5
    assert frozenset().union(*clause.roles) <= ROLES


@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join))
def test_clauses_lose_no_word(sentence: str) -> None:
    given = [word for clause in shifters().clauses(sentence) for word in clause.given]
    assert given == [word for word in sentence.split() if word != ","]
