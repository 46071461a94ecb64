"""Sources: added, stated anew, and quarantined, by signed decisions only."""

from typing import Any

import pytest

from engines.governance import GovernanceEngine
from engines.governance.decide import rules
from engines.governance.limits import MAX_QUARANTINE_NS
from schemas import signatures
from schemas.decisions import AddSource, ChangeSource, QuarantineSource
from schemas.events.governance import SourceAdded, SourceChanged, SourceQuarantineSet
from schemas.policy import Policy
from schemas.sources import Source
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.governance.people import ANNA, BERT, ROOT, START_NS, GovernedVenue, names, rss

HASH_BEFORE_SOURCES = "2568fa8c7dad0b1c0e24e750335205f8daf06f45ca39105e86f95c84bde64074"
"""Computed by the version before them."""
PUSH = Source(source="desk", name="Desk", kind="push", push_key=ANNA.key)


def with_sources() -> GovernedVenue:
    venue = GovernedVenue()
    venue.decide(ROOT, AddSource, source=rss("daily"))
    venue.decide(ROOT, AddSource, source=PUSH)
    return venue


def test_a_source_is_added_as_it_was_signed() -> None:
    venue = GovernedVenue()
    source = rss("daily", trust_bp=8_500, crawl_delay_s=60)
    events = venue.decide(ROOT, AddSource, source=source)
    assert names(events) == ["DecisionAccepted", "SourceAdded"]
    assert events[1] == SourceAdded(venue.driver.sequence, source)
    assert venue.state.known_sources() == {"daily": "rss"}
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_a_source_of_any_kind_is_added() -> None:
    for kind in ("rss", "html", "browser", "sitemap"):
        venue = GovernedVenue()
        source = rss("daily", kind=kind)
        assert names(venue.decide(ROOT, AddSource, source=source)) == [
            "DecisionAccepted", "SourceAdded",
        ]  # fmt: skip
        assert venue.state.known_sources() == {"daily": kind}
        check_folds(venue.driver)
        check_decides_again(venue.driver)


def test_an_id_is_given_once() -> None:
    venue = with_sources()
    assert venue.code(ROOT, AddSource, source=rss("daily", trust_bp=1)) == "source_exists"
    assert venue.code(ROOT, AddSource, source=rss("desk")) == "source_exists"


@pytest.mark.parametrize(
    "source",
    [
        rss("Daily"),
        rss("daily", url="ftp://daily.example/"),
        rss("daily", url="http://user@daily.example/"),
        rss("daily", trust_bp=10_001),
        rss("daily", trust_bp=2**70),
        rss("daily", poll_interval_s=0),
        rss("daily", push_key=ANNA.key),
        rss("daily", allow_loopback=True),
        Source(source="desk", name="Desk", kind="push"),
        Source(source="desk", name="", kind="push", push_key=ANNA.key),
    ],
)
def test_what_is_no_good_source_is_not_added(source: Source) -> None:
    venue = GovernedVenue()
    before = venue.driver.hash()
    assert venue.code(ROOT, AddSource, source=source) == "bad_source"
    assert venue.driver.hash() == before


def test_sources_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_SOURCES", 2)
    venue = with_sources()
    assert venue.code(ROOT, AddSource, source=rss("weekly")) == "too_many_sources"
    assert venue.code(ROOT, ChangeSource, source=rss("daily", active=False)) == ""


def test_a_change_states_all_of_it_and_keeps_the_kind() -> None:
    venue = with_sources()
    changed = rss("daily", trust_bp=100, active=False)
    events = venue.decide(ROOT, ChangeSource, source=changed)
    assert events[1] == SourceChanged(venue.driver.sequence, changed)
    other_key = Source(source="desk", name="Desk", kind="push", push_key=BERT.key)
    assert venue.code(ROOT, ChangeSource, source=other_key) == ""
    as_html = rss("daily", kind="html")
    assert venue.code(ROOT, ChangeSource, source=as_html) == "bad_source"
    assert venue.code(ROOT, ChangeSource, source=rss("daily", trust_bp=-1)) == "bad_source"
    assert venue.code(ROOT, ChangeSource, source=rss("weekly")) == "unknown_source"
    check_folds(venue.driver)
    check_decides_again(venue.driver)


@pytest.mark.parametrize(
    ("after_ns", "code"),
    [
        (1, ""),
        (MAX_QUARANTINE_NS, ""),
        (MAX_QUARANTINE_NS + 1, "value_out_of_range"),
        (0, "value_out_of_range"),
        (-1, "value_out_of_range"),
        (-START_NS - 1, "value_out_of_range"),
    ],
)
def test_a_quarantine_ends_within_a_year(after_ns: int, code: str) -> None:
    venue = with_sources()
    until_ns = venue.driver.now_ns + after_ns
    given: dict[str, Any] = {"source": "daily", "until_ns": until_ns, "reason": "it lied"}
    assert venue.code(ROOT, QuarantineSource, **given) == code


def test_quarantine_and_release() -> None:
    venue = with_sources()
    until_ns = venue.driver.now_ns + 5
    given: dict[str, Any] = {"source": "daily", "until_ns": until_ns, "reason": "it lied"}
    events = venue.decide(ROOT, QuarantineSource, **given)
    assert events[1] == SourceQuarantineSet(venue.driver.sequence, **given)
    events = venue.decide(ROOT, QuarantineSource, **(given | {"until_ns": 0}))
    assert names(events) == ["DecisionAccepted", "SourceQuarantineSet"]
    assert venue.code(ROOT, QuarantineSource, **(given | {"source": "other"})) == "unknown_source"
    assert venue.code(ROOT, QuarantineSource, **(given | {"reason": "\0"})) == "bad_text"
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_the_state_of_a_venue_without_sources_is_hashed_as_before_there_were_any() -> None:
    """Else no log of an earlier version could be folded any more."""
    venue = GovernedVenue(Policy(name="p"))
    venue.list()
    assert venue.driver.hash() == HASH_BEFORE_SOURCES
    engine = GovernanceEngine()
    dumped = engine.dump(venue.state)
    assert engine.dump(engine.load(dumped)) == dumped
    assert engine.load(dumped).known_sources() == {}


def test_a_key_of_a_source_is_no_persons_key() -> None:
    """A source's key signs articles; it cannot decide anything unless it is enrolled."""
    venue = with_sources()
    assert signatures.is_public_key(ANNA.key)
    assert venue.code(ANNA, AddSource, source=rss("weekly")) == "unknown_key"
