"""What holds for whatever is sent: no exception, no trace of a refusal, fold = live."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.decisions import OpsOverride, SignedDecision
from schemas.events.governance import (
    DecisionAccepted,
    DecisionCoSigned,
    DecisionPending,
    DecisionRefused,
)
from schemas.registry import DECISIONS
from schemas.units import HOUR_NS
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.governance.people import ANNA, BERT, ROOT, GovernedVenue, Person
from tests.support.drawing import drawn

PEOPLE = (ROOT, ANNA, BERT)
SYMBOLS = st.sampled_from(["RAIN", "VOTE", "WIND"])
INTS = st.one_of(st.integers(), st.sampled_from([0, 1, 100, 2_500, 5_000, 10_000, 2**63, 2**64]))
TEXTS = st.one_of(
    st.sampled_from(["", "a", "bob", "RAIN", "\x00", "x" * 3_000]),
    SYMBOLS,
    st.sampled_from([person.key for person in PEOPLE]),
    st.text(st.characters(codec="utf-8"), max_size=20),
)


def values(field: Any) -> st.SearchStrategy[Any]:
    """Draw a value of a field's declared type, sensible or not."""
    return st.from_type(field.type).filter(_encodable)


def _encodable(value: Any) -> bool:
    try:
        encode(value)
    except (UnicodeEncodeError, ValueError):
        return False
    return True


@st.composite
def junk_decisions(draw: st.DrawFn, venue_id: str, now_ns: int) -> Any:
    """Draw any decision, well-typed, with plausible and wild values mixed."""
    kind = draw(st.sampled_from(DECISIONS))
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name == "venue_id":
            fields[field.name] = draw(st.sampled_from([venue_id, venue_id, venue_id, "", "x"]))
        elif field.name == "counter":
            fields[field.name] = draw(st.one_of(st.integers(1, 60), INTS))
        elif field.name == "expires_ns":
            fields[field.name] = draw(st.sampled_from([now_ns + HOUR_NS] * 4 + [0, now_ns, 2**70]))
        elif field.name in ("symbol", "account", "key", "decision_hash"):
            fields[field.name] = draw(TEXTS)
        elif field.type is int:
            fields[field.name] = draw(INTS)
        elif field.type is str:
            fields[field.name] = draw(TEXTS)
        elif field.default is msgspec.NODEFAULT or draw(st.booleans()):
            fields[field.name] = draw(values(field))
    return kind(**fields)


def three() -> GovernedVenue:
    venue = GovernedVenue()
    venue.enrol(ANNA, "admin")
    venue.enrol(BERT, "super-admin")
    venue.list(symbol="RAIN")
    return venue


def outcomes(events: list[Any], cause: int) -> list[Any]:
    """Return those events that answer the message itself."""
    kinds = (DecisionAccepted, DecisionPending, DecisionCoSigned, DecisionRefused)
    found = [event for event in events if event.cause == cause and isinstance(event, kinds)]
    if [type(event) for event in found] == [DecisionCoSigned, DecisionAccepted]:
        return found[:1]
    return found


@drawn(150)
@given(st.binary(max_size=600), st.sampled_from([ROOT.key, "", "x", "\x00", "ä" * 90]))
def test_decide_never_raises_on_bytes(payload: bytes, key: str) -> None:
    venue = three()
    before = venue.driver.hash()
    events = venue.driver.feed((f"main.cmd.admin.{key}", payload))
    assert [type(event) for event in events] == [DecisionRefused]
    assert venue.driver.hash() == before


@drawn(150)
@given(st.data())
def test_decide_never_raises_on_junk_and_every_message_has_one_outcome(data: st.DataObject) -> None:
    venue = three()
    captured: list[tuple[Person, bytes]] = []
    for _ in range(data.draw(st.integers(1, 8))):
        person = data.draw(st.sampled_from(PEOPLE))
        body = encode(data.draw(junk_decisions(venue.venue_id, venue.driver.now_ns)))
        before = venue.driver.hash()
        events = venue.send(person, body)
        assert len(outcomes(events, venue.driver.sequence)) == 1
        if isinstance(events[0], DecisionRefused):
            assert venue.driver.hash() == before
            assert len(events[0].detail) <= 300
        else:
            captured.append((person, body))
    check_folds(venue.driver)
    check_decides_again(venue.driver)
    for person, body in captured:
        before = venue.driver.hash()
        assert isinstance(venue.send(person, body)[0], DecisionRefused)
        assert venue.driver.hash() == before


@drawn(100)
@given(st.binary(min_size=1, max_size=3), st.integers(0, 5_000))
def test_captured_message_with_any_bytes_changed_does_nothing(noise: bytes, place: int) -> None:
    venue = three()
    payload = bytearray(ROOT.sign(venue.body(ROOT, OpsOverride, action="a", reason="b")))
    place %= len(payload)
    changed = bytes(payload[:place] + noise + payload[place + len(noise) :])
    if changed == bytes(payload):
        return
    try:
        same = msgspec.json.decode(changed, type=SignedDecision) == msgspec.json.decode(
            payload, type=SignedDecision
        )
    except (msgspec.DecodeError, UnicodeDecodeError):
        same = False
    before = venue.driver.hash()
    events = venue.driver.feed((f"main.cmd.admin.{ROOT.key}", changed))
    if not same:
        assert isinstance(events[0], DecisionRefused)
        assert venue.driver.hash() == before
