"""What is an answer, and all that is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.errors import MalformedMessage
from streams.ingest.asking.answers import read_answer, schema
from streams.ingest.limits import MAX_RAW_OUTPUT_CHARS, MAX_SUMMARY_CHARS
from tests.streams.ingest.asking.scripted import document

FIRST, SECOND = "a" * 64, "b" * 64
GIVEN = {"a" * 16: FIRST, "b" * 16: SECOND}
IDS = list(GIVEN)


def text(**other: Any) -> str:
    return json.dumps(document(IDS, **other))


def with_number(field: str, number: str) -> str:
    return text(**{field: "#"}).replace('"#"', number)


def test_answer_is_read() -> None:
    answer = read_answer(text(), GIVEN)
    assert (answer.impact_e2, answer.confidence_bp) == (4_000, 7_500)
    assert answer.snapshot_ids == [FIRST, SECOND]
    assert answer.summary == "The bank cut its rate."


@pytest.mark.parametrize(
    ("number", "impact_e2"),
    [
        ("100", 10_000),
        ("-100", -10_000),
        ("-0", 0),
        ("0.29", 29),  # 28.999… as a float
        ("33.335", 3_334),
        ("33.345", 3_334),
        ("-12.5", -1_250),
    ],
)
def test_impact_is_exact(number: str, impact_e2: int) -> None:
    assert read_answer(with_number("impact_suggestion", number), GIVEN).impact_e2 == impact_e2


@pytest.mark.parametrize(
    ("number", "bp"), [("0", 0), ("1", 10_000), ("1.0", 10_000), ("0.07", 700)]
)
def test_confidence_is_exact(number: str, bp: int) -> None:
    assert read_answer(with_number("confidence", number), GIVEN).confidence_bp == bp


def test_an_article_named_twice_counts_once() -> None:
    assert read_answer(text(snapshot_ids=[IDS[1], IDS[1]]), GIVEN).snapshot_ids == [SECOND]


BAD: dict[str, str] = {
    "nothing": "",
    "prose": "I think the market will rise.",
    "prose before": "Sure! " + text(),
    "prose behind": text() + " I hope this helps.",
    "two documents": text() + text(),
    "a fence": f"```json\n{text()}\n```",
    "cut off": text()[:-1],
    "a list": f"[{text()}]",
    "null": "null",
    "a field more": text(price=3),
    "a field said twice": text()[:-1] + ', "confidence": 1}',
    "a byte order mark": "\ufeff" + text(),
    "too long": text() + " " * MAX_RAW_OUTPUT_CHARS,
    "deeply nested": "[" * 5_000 + "]" * 5_000,
    "NaN": with_number("impact_suggestion", "NaN"),
    "infinite": with_number("confidence", "-Infinity"),
    "huge": with_number("impact_suggestion", "1" * 5_000),
    "huge exponent": with_number("impact_suggestion", "1e99999999999999999999"),
    "exponent": with_number("impact_suggestion", "1e1"),
    "just too much impact": with_number("impact_suggestion", "100.000001"),
    "just too little impact": with_number("impact_suggestion", "-100.000001"),
    "too sure": with_number("confidence", "1.00000001"),
    "less than unsure": with_number("confidence", "-0.1"),
    "a number in quotes": text(impact_suggestion="40"),
    "true": text(confidence=True),
    "null confidence": text(confidence=None),
    "another version": text(schema_version=2),
    "no version": text(schema_version=None),
    "empty summary": text(summary=""),
    "blank summary": text(summary="  \n "),
    "long summary": text(summary="x" * (MAX_SUMMARY_CHARS + 1)),
    "summary of NUL": text(summary="a\x00b"),
    "lone surrogate": text(summary="a#b").replace("#", "\\ud800"),
    "summary no text": text(summary=["x"]),
    "no rationale": text(rationale=None),
    "no articles": text(snapshot_ids=[]),
    "an article that was not given": text(snapshot_ids=[IDS[0], "c" * 16]),
    "an article in full": text(snapshot_ids=[FIRST]),
    "articles as text": text(snapshot_ids=IDS[0]),
    "many articles": text(snapshot_ids=[IDS[0]] * 6),
}


@pytest.mark.parametrize("said", BAD.values(), ids=BAD.keys())
def test_no_answer(said: str) -> None:
    with pytest.raises(MalformedMessage) as error:
        read_answer(said, GIVEN)
    assert 0 < len(str(error.value)) < 100


@pytest.mark.parametrize("field", list(document([])))
def test_every_field_is_asked_for(field: str) -> None:
    whole = document(IDS)
    del whole[field]
    with pytest.raises(MalformedMessage):
        read_answer(json.dumps(whole), GIVEN)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.text() | JSON.map(json.dumps))
def test_anything_else_is_refused_in_words(said: str) -> None:
    with pytest.raises(MalformedMessage):
        read_answer(said, GIVEN)


@given(st.sampled_from(list(document([]))), JSON)
def test_one_field_of_anything(field: str, value: object) -> None:
    """A field of any JSON at all is read into its bounds or refused; nothing else is raised."""
    try:
        answer = read_answer(json.dumps(document(IDS) | {field: value}), GIVEN)
    except MalformedMessage:
        return
    assert -10_000 <= answer.impact_e2 <= 10_000
    assert 0 <= answer.confidence_bp <= 10_000
    assert set(answer.snapshot_ids) <= {FIRST, SECOND}
    assert encode(answer)


def test_what_the_schema_allows_is_an_answer() -> None:
    allowed = schema(IDS)["properties"]
    for impact in allowed["impact_suggestion"]["enum"]:
        for confidence in allowed["confidence"]["enum"]:
            said = text(impact_suggestion=impact, confidence=confidence)
            answer = read_answer(said, GIVEN)
            assert answer.impact_e2 == impact * 100
            assert answer.confidence_bp % 500 == 0
    longest = "x" * allowed["summary"]["maxLength"]
    assert read_answer(text(summary=longest, rationale=longest), GIVEN).summary == longest
    assert sorted(allowed) == sorted(document([])) == sorted(schema(IDS)["required"])
