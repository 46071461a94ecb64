"""The index of decisions is what the files say."""

from tests.docs.decisions import INDEX, decisions, index


def test_the_index_is_up_to_date() -> None:
    """`python -P -m tests.docs.decisions` mends it."""
    assert INDEX.read_text(encoding="utf-8") == index()


def test_what_replaces_a_decision_is_a_later_one_that_names_it() -> None:
    known = {one.number: one for one in decisions()}
    for one in known.values():
        if one.superseded_by is not None:
            later = known[one.superseded_by]
            assert later.number > one.number
            assert one.number in later.path.read_text(encoding="utf-8")
