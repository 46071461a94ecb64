"""A message becomes a decision only if it is one, from whom it says, here, now and once."""

import base64
from typing import Any

import msgspec
import pytest

from engines.governance.decide.people import ROLE_NEEDED
from engines.governance.limits import MAX_DECISION_LIFE_NS
from engines.governance.state import RANKS
from schemas.codec import encode
from schemas.decisions import (
    AddSource,
    AnyDecision,
    ApprovePart,
    ApproveReview,
    ChangeSource,
    CloseMarket,
    CoSign,
    EditMarket,
    EnrolKey,
    GrantRole,
    HaltMarket,
    ListMarket,
    Mint,
    OpsOverride,
    QuarantineSource,
    RejectReview,
    ResolveMarket,
    ResumeMarket,
    RevokeKey,
    RotateKey,
    SetPolicy,
    SignedDecision,
)
from schemas.events.governance import (
    DecisionAccepted,
    DecisionRefused,
    KeyEnrolled,
    PolicySet,
    VenueFounded,
)
from schemas.limits import MAX_DECISION_BYTES
from schemas.policy import ExchangePolicy, Policy
from schemas.units import HOUR_NS
from tests.engines.driver import check_folds
from tests.engines.governance.people import (
    ANNA,
    BERT,
    CARA,
    ROOT,
    GovernedVenue,
    Person,
    genesis,
    names,
    refusal,
    rss,
)

OVERRIDE: dict[str, Any] = {"action": "restarted", "reason": "power"}


def test_genesis_founds_the_venue() -> None:
    venue = GovernedVenue(founded=False)
    events = venue.send(ROOT, encode(genesis()))
    accepted, founded, enrolled, policy = events
    assert isinstance(accepted, DecisionAccepted)
    assert (accepted.kind, accepted.signers) == ("genesis", [ROOT.key])
    assert isinstance(founded, VenueFounded)
    assert founded.venue_id == venue.venue_id == accepted.decision_hash
    assert isinstance(enrolled, KeyEnrolled)
    assert (enrolled.key, enrolled.role) == (ROOT.key, "super-admin")
    assert isinstance(policy, PolicySet)
    assert policy.version == 1
    assert {event.cause for event in events} == {1}
    check_folds(venue.driver)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"root_key": ANNA.key}, "bad_key"),
        ({"root_key": "U" * 56}, "bad_key"),
        ({"notary_key": "nobody"}, "bad_key"),
        ({"venue": ""}, "bad_text"),
        ({"venue": "a\x00b"}, "bad_text"),
        ({"venue": "x" * 121}, "bad_text"),
        ({"policy": Policy(name="\n")}, "bad_policy"),
        ({"policy": Policy(name="x", exchange=ExchangePolicy(max_open_orders=0))}, "bad_policy"),
    ],
)
def test_bad_genesis_founds_nothing(changes: dict[str, Any], code: str) -> None:
    venue = GovernedVenue(founded=False)
    assert refusal(venue.send(ROOT, encode(genesis(**changes)))) == code
    assert venue.state.venue_id == ""
    # and a good one may still come
    assert refusal(venue.send(ROOT, encode(genesis()))) == ""


def test_only_one_genesis_and_nothing_before_it() -> None:
    venue = GovernedVenue(founded=False)
    assert venue.code(ROOT, OpsOverride, **OVERRIDE) == "no_genesis"
    venue.send(ROOT, encode(genesis()))
    assert refusal(venue.send(ROOT, encode(genesis()))) == "genesis_exists"
    assert refusal(venue.send(ANNA, encode(genesis(ANNA)))) == "genesis_exists"


def test_genesis_must_be_signed_by_its_root_key() -> None:
    venue = GovernedVenue(founded=False)
    body = encode(genesis())
    forged = encode(
        SignedDecision(ROOT.key, body.decode(), msgspec.json.decode(ANNA.sign(body))["signature"])
    )
    assert refusal(venue.driver.feed((f"main.cmd.admin.{ROOT.key}", forged))) == "bad_signature"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[" * 50_000, "malformed"),
        (b'{"type":"signed_decision/1"}', "malformed"),
        (b'{"type":"signed_decision/2"}', "unknown_message"),
        (b'{"type":"place_order/1"}', "unknown_message"),
        (ROOT.sign(b"hello"), "malformed"),
        (ROOT.sign(b'{"type":"abolish/1"}'), "unknown_message"),
        (ROOT.sign(b'{"type":"resume_market/1"}'), "malformed"),
        (ROOT.sign(b'{"type":"x","y":%s}' % (b"[" * 900 + b"]" * 900)), "malformed"),
        (ROOT.sign(b"1" * (MAX_DECISION_BYTES + 1)), "too_large"),
    ],
)
def test_what_cannot_be_read(payload: bytes, code: str) -> None:
    venue = GovernedVenue()
    before = venue.driver.hash()
    assert refusal(venue.driver.feed((f"main.cmd.admin.{ROOT.key}", payload))) == code
    assert venue.driver.hash() == before


def test_body_must_be_canonical() -> None:
    venue = GovernedVenue()
    body = venue.body(ROOT, OpsOverride, **OVERRIDE)
    for other in (
        body.replace(b'":', b'": ', 1),
        body.replace(b'"restarted"', b'"restart\\u0065d"'),
        body[:-1] + b',"more":1}',
        body.replace(b'"action":', b'"action":"x","action":'),
    ):
        assert refusal(venue.send(ROOT, other)) == "not_canonical"
    assert refusal(venue.send(ROOT, body)) == ""


def test_subject_and_envelope_must_name_the_same_key() -> None:
    venue = GovernedVenue()
    body = venue.body(ROOT, OpsOverride, **OVERRIDE)
    assert refusal(venue.send(ROOT, body, f"main.cmd.admin.{ANNA.key}")) == "bad_key"


def test_refusal_shows_a_hostile_subject_harmlessly() -> None:
    venue = GovernedVenue()
    (event,) = venue.driver.feed(("main.cmd.admin.a\x00\u202eb" + "x" * 500, b""))
    assert isinstance(event, DecisionRefused)
    assert event.key.startswith("a\ufffd\ufffdb")
    assert len(event.key) == 56


def test_tampering_with_any_part_is_refused() -> None:
    venue = GovernedVenue()
    body = venue.body(ROOT, OpsOverride, **OVERRIDE)
    envelope = msgspec.json.decode(ROOT.sign(body), type=SignedDecision)
    raw = bytearray(base64.urlsafe_b64decode(envelope.signature + "=="))
    raw[0] ^= 1
    flipped = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    last = chr(ord(envelope.signature[-1]) + 1)  # other base64 text, same 64 bytes
    for changed in (
        SignedDecision(envelope.key, envelope.body.replace("power", "tower"), envelope.signature),
        SignedDecision(envelope.key, envelope.body, flipped),
        SignedDecision(envelope.key, envelope.body, ""),
        SignedDecision(envelope.key, envelope.body, envelope.signature[:-1] + last),
    ):
        events = venue.driver.feed((f"main.cmd.admin.{ROOT.key}", encode(changed)))
        assert refusal(events) == "bad_signature"


def test_who_where_and_when() -> None:
    venue = GovernedVenue()
    now = venue.driver.now_ns
    assert venue.code(ANNA, OpsOverride, **OVERRIDE) == "unknown_key"
    assert venue.code(ROOT, OpsOverride, **OVERRIDE, venue_id="0" * 64) == "wrong_venue"
    assert venue.code(ROOT, OpsOverride, **OVERRIDE, expires_ns=now) == "expired"
    late = now + MAX_DECISION_LIFE_NS
    assert venue.code(ROOT, OpsOverride, **OVERRIDE, expires_ns=late + 1) == "expires_too_late"
    assert venue.code(ROOT, OpsOverride, **OVERRIDE, expires_ns=late) == ""


@pytest.mark.parametrize("counter", [0, -1, 2**63, 10**300])
def test_counter_out_of_range(counter: int) -> None:
    assert GovernedVenue().code(ROOT, OpsOverride, **OVERRIDE, counter=counter) == "counter_reused"


def test_captured_decision_has_no_second_effect() -> None:
    venue = GovernedVenue()
    venue.enrol(ANNA, "admin")
    body = venue.body(ANNA, Mint, account="bob", amount_cents=500)
    assert names(venue.send(ANNA, body)) == ["DecisionAccepted", "CreditsMinted"]
    before = venue.driver.hash()
    for _ in range(3):
        assert refusal(venue.send(ANNA, body)) == "counter_reused"
    assert venue.driver.hash() == before
    venue.driver.at(venue.driver.now_ns + 2 * HOUR_NS)
    assert refusal(venue.send(ANNA, body)) == "counter_reused"


def test_refused_decision_does_not_use_up_its_counter() -> None:
    venue = GovernedVenue()
    assert venue.code(ROOT, HaltMarket, symbol="NONE", reason="") == "unknown_symbol"
    assert venue.code(ROOT, OpsOverride, **OVERRIDE, counter=1) == ""


SAMPLES: dict[type[AnyDecision], dict[str, Any]] = {
    ListMarket: {"symbol": "NEW", "name": "New", "market_type": "social"},
    EditMarket: {"symbol": "RAIN", "name": "Rain again"},
    HaltMarket: {"symbol": "RAIN", "reason": ""},
    ResumeMarket: {"symbol": "DRY"},
    CloseMarket: {"symbol": "RAIN", "reason": ""},
    ResolveMarket: {"symbol": "RAIN", "value_ticks": 5, "reason": ""},
    Mint: {"account": "bob", "amount_cents": 5},
    EnrolKey: {"key": CARA.key, "holder": "cara", "role": "viewer"},
    GrantRole: {"key": BERT.key, "role": "editor"},
    RevokeKey: {"key": BERT.key, "reason": ""},
    SetPolicy: {"policy": Policy(name="p"), "reason": ""},
    OpsOverride: OVERRIDE,
    AddSource: {"source": rss("daily")},
    ChangeSource: {"source": rss("weekly", trust_bp=1)},
    QuarantineSource: {"source": "weekly", "until_ns": 0, "reason": ""},
    ApproveReview: {"proposal_hash": "0" * 64, "symbol": "RAIN", "reason": ""},
    ApprovePart: {"proposal_hash": "0" * 64, "symbol": "RAIN", "reason": "", "delta_e2": -1},
    RejectReview: {"proposal_hash": "0" * 64, "symbol": "RAIN", "reason": ""},
}


@pytest.mark.parametrize("role", list(RANKS))
@pytest.mark.parametrize("kind", list(SAMPLES))
def test_role_matrix(role: str, kind: type[AnyDecision]) -> None:
    venue = GovernedVenue()
    venue.enrol(ANNA, role)
    venue.enrol(BERT, "viewer")
    venue.list()
    venue.list(symbol="DRY")
    venue.decide(ROOT, HaltMarket, symbol="DRY", reason="")
    venue.decide(ROOT, AddSource, source=rss("weekly"))
    editor: list[type[AnyDecision]] = [EditMarket]
    admin: list[type[AnyDecision]] = [*editor, ListMarket, HaltMarket, ResumeMarket]
    admin += [CloseMarket, ResolveMarket, Mint, AddSource, ChangeSource, QuarantineSource]
    admin += [ApproveReview, ApprovePart, RejectReview]
    allowed = {"viewer": [], "editor": editor, "admin": admin, "super-admin": list(SAMPLES)}[role]
    expected = "" if kind in allowed else "role_too_low"
    assert venue.code(ANNA, kind, **SAMPLES[kind]) == expected


def test_every_decision_has_a_role() -> None:
    assert set(ROLE_NEEDED) == {*SAMPLES, CoSign, RotateKey}


def test_a_person_without_a_key_is_nobody() -> None:
    stranger = Person("stranger", 7)
    assert GovernedVenue().code(stranger, Mint, account="bob", amount_cents=5) == "unknown_key"
