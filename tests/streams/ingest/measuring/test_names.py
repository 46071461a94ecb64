from typing import Any

import pytest
import spacy

from schemas.errors import ModelMismatch
from schemas.limits import MAX_MENTIONS
from schemas.observations import Mention
from streams.ingest.limits import MAX_ENTITIES_LISTED
from streams.ingest.measuring import names as module
from streams.ingest.measuring.names import Names


@pytest.fixture
def names() -> Names:
    known = Names()
    known.put("ACME", "Acme", ["Acme Corp", "ACM"])
    known.put("NYC", "New York", [])
    known.put("NYT", "New York Times", [])
    known.put("IT", "Information Technology", ["US tech", "IT"])
    return known


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Acme wins, the acme of skill", {"ACME": 1}),
        ("Acme's plan, and ACME’s rival", {"ACME": 2}),
        ("Acme Corp is Acme", {"ACME": 2}),
        ("Acme-backed bank", {"ACME": 1}),
        ("Acmeville", {}),
        ("ACM fell, acm did not", {"ACME": 1}),
        ("it is IT", {"IT": 1}),
        ("The New York Times", {"NYT": 1}),
        ("New York and THE NEW YORK TIMES; new york", {"NYC": 1, "NYT": 1}),
        ("us tech, US tech", {"IT": 1}),
        ("", {}),
    ],
)
def test_phrases(names: Names, text: str, symbols: dict[str, int]) -> None:
    found = names.of("", text).mentions
    assert {one.symbol: one.body_count for one in found} == symbols


def test_title_and_excerpt_are_counted_apart_the_title_first(names: Names) -> None:
    found = names.of("Acme", "New York, Acme, New York")
    assert found.mentions == [Mention("ACME", 1, 1), Mention("NYC", 0, 2)]
    assert found.entities == ["Acme", "New York"]


def test_markets_that_share_a_name_are_both_meant(names: Names) -> None:
    names.put("OTHER", "Acme", [])
    assert [one.symbol for one in names.of("Acme", "").mentions] == ["ACME", "OTHER"]


def test_an_edited_market_goes_by_its_new_names_only(names: Names) -> None:
    names.put("ACME", "Apex", [])
    assert names.of("Acme Corp", "Apex, ACM").mentions == [Mention("ACME", 0, 1)]


def test_a_symbol_is_no_name_unless_it_is_listed(names: Names) -> None:
    names.put("T", "AT&T", [])
    names.put("RAIN", "Rain in Oslo", [])
    text = "T cells, a T in RAIN"
    assert names.of(text, text).mentions == []
    names.put("T", "AT&T", ["T"])
    assert names.of(text, "").mentions == [Mention("T", 2, 0)]


def test_markets_whose_names_are_alike_are_forgotten_one_by_one(names: Names) -> None:
    names.put("OTHER", "ACME", ["Acme"])
    names.drop("ACME")
    assert [one.symbol for one in names.of("Acme", "").mentions] == ["OTHER"]
    names.drop("OTHER")
    assert names.of("Acme", "").mentions == []
    assert len(names._matcher) == len(names._spellings)


def test_a_closed_market_is_not_mentioned(names: Names) -> None:
    names.drop("NYT")
    names.drop("NYT")
    assert [one.symbol for one in names.of("New York Times", "").mentions] == ["NYC"]
    assert len(names) == 3


def test_bounds() -> None:
    names = Names()
    for number in range(MAX_MENTIONS + 5):
        names.put(f"M{number}", f"market{number}", [])
    found = names.of("", " ".join(f"market{number}" for number in range(MAX_MENTIONS + 5)))
    assert len(found.mentions) == MAX_MENTIONS
    assert len(found.entities) <= MAX_ENTITIES_LISTED


def test_words_of_articles_are_forgotten(names: Names) -> None:
    names.of("Acme", "some words first")
    before = len(names._vocab.strings)
    for number in range(200):
        names.of("Acme", " ".join(f"never{number}x{index}" for index in range(50)))
    assert len(names._vocab.strings) == before
    assert names.of("Acme", "").mentions


def test_a_trained_pipeline_adds_entities(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = spacy.blank("en")
    ruler: Any = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Ann Bee"}])
    monkeypatch.setattr(module, "version", lambda package: "1.0")
    monkeypatch.setattr(spacy, "load", lambda name: pipeline)
    names = Names("some_pipeline")
    names.put("ACME", "Acme", [])
    assert names.of("Acme hires Ann Bee", "Ann Bee").entities == ["Acme", "Ann Bee"]
    assert names.name.endswith("some_pipeline/1.0")


def test_a_pipeline_that_is_not_installed_stops_with_a_reason() -> None:
    with pytest.raises(ModelMismatch, match="no_such_pipeline"):
        Names("no_such_pipeline")
