"""Enrolment, roles, rotation and revocation of keys."""

from typing import Any

from schemas import signatures
from schemas.decisions import EditMarket, EnrolKey, GrantRole, Mint, RevokeKey, RotateKey
from schemas.events.governance import KeyRevoked, KeyRotated, RoleGranted
from schemas.limits import ROTATION_OVERLAP_NS
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.governance.people import (
    ANNA,
    BERT,
    CARA,
    ROOT,
    GovernedVenue,
    Person,
    names,
    refusal,
)

MINT: dict[str, Any] = {"account": "bob", "amount_cents": 5}


def rotate(venue: GovernedVenue, old: Person, new: Person, **fields: Any) -> list[Any]:
    new.counter = 0
    agreed = signatures.sign(new.seed, old.key.encode())
    return venue.decide(
        old, RotateKey, **({"new_key": new.key, "new_key_signature": agreed} | fields)
    )


def test_enrolment_refusals() -> None:
    venue = GovernedVenue()
    enrol = {"holder": "anna", "role": "admin"}
    assert venue.code(ROOT, EnrolKey, **enrol, key="UABC") == "bad_key"
    assert venue.code(ROOT, EnrolKey, **enrol, key=ROOT.key) == "key_exists"
    assert venue.code(ROOT, EnrolKey, key=ANNA.key, role="admin", holder="") == "bad_text"
    assert venue.code(ROOT, EnrolKey, key=ANNA.key, role="owner", holder="anna") == "malformed"
    assert venue.code(ROOT, EnrolKey, **enrol, key=ANNA.key) == ""
    assert venue.code(ROOT, RevokeKey, key=ANNA.key, reason="left") == ""
    assert venue.code(ROOT, EnrolKey, **enrol, key=ANNA.key) == "key_exists"


def test_role_follows_the_grant() -> None:
    venue = GovernedVenue()
    venue.enrol(ANNA, "viewer")
    assert venue.code(ANNA, Mint, **MINT) == "role_too_low"
    assert venue.code(ROOT, GrantRole, key=ANNA.key, role="admin") == ""
    assert venue.code(ANNA, Mint, **MINT) == ""
    assert venue.code(ROOT, GrantRole, key=ANNA.key, role="editor") == ""
    assert venue.code(ANNA, Mint, **MINT) == "role_too_low"
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_revoked_key_signs_nothing() -> None:
    venue = GovernedVenue()
    venue.enrol(ANNA, "admin")
    assert venue.code(ROOT, RevokeKey, key=ANNA.key, reason="lost") == ""
    assert venue.code(ANNA, Mint, **MINT) == "key_revoked"
    assert venue.code(ROOT, RevokeKey, key=ANNA.key, reason="lost") == "key_revoked"
    assert venue.code(ROOT, GrantRole, key=ANNA.key, role="admin") == "key_revoked"
    assert venue.code(ROOT, RevokeKey, key=BERT.key, reason="lost") == "unknown_key"


def test_last_super_admin_stays() -> None:
    venue = GovernedVenue()
    assert venue.code(ROOT, RevokeKey, key=ROOT.key, reason="") == "last_super_admin"
    assert venue.code(ROOT, GrantRole, key=ROOT.key, role="admin") == "last_super_admin"
    venue.enrol(ANNA, "super-admin")
    assert venue.code(ROOT, GrantRole, key=ROOT.key, role="admin") == ""
    assert venue.code(ANNA, RevokeKey, key=ANNA.key, reason="") == "last_super_admin"


def test_key_that_is_about_to_lapse_is_no_last_super_admin() -> None:
    venue = GovernedVenue()
    rotate(venue, ROOT, BERT)
    assert venue.code(BERT, RevokeKey, key=BERT.key, reason="") == "last_super_admin"
    venue.decide(BERT, EnrolKey, key=ANNA.key, holder="anna", role="super-admin")
    assert venue.code(ANNA, RevokeKey, key=BERT.key, reason="") == ""
    assert venue.code(ANNA, GrantRole, key=ANNA.key, role="viewer") == "last_super_admin"


def test_rotation_accepts_both_keys_for_a_day() -> None:
    venue = GovernedVenue()
    venue.enrol(ANNA, "admin")
    events = rotate(venue, ANNA, BERT)
    assert names(events) == ["DecisionAccepted", "KeyRotated"]
    assert isinstance(events[1], KeyRotated)
    assert venue.code(ANNA, Mint, **MINT) == ""
    assert venue.code(BERT, Mint, **MINT) == ""
    venue.driver.at(venue.driver.now_ns + ROTATION_OVERLAP_NS - 1)
    assert venue.code(ANNA, Mint, **MINT) == ""
    venue.driver.at(venue.driver.now_ns + 1)
    assert venue.code(ANNA, Mint, **MINT) == "key_revoked"
    assert venue.code(BERT, Mint, **MINT) == ""
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_anyone_may_rotate_but_only_with_a_key_that_agrees() -> None:
    venue = GovernedVenue()
    venue.enrol(ANNA, "viewer")
    assert refusal(rotate(venue, ANNA, BERT, new_key_signature="x" * 86)) == "bad_signature"
    other = signatures.sign(BERT.seed, ROOT.key.encode())
    assert refusal(rotate(venue, ANNA, BERT, new_key_signature=other)) == "bad_signature"
    assert refusal(rotate(venue, ANNA, ROOT)) == "key_exists"
    assert refusal(rotate(venue, ANNA, BERT, new_key="nobody")) == "bad_key"
    assert refusal(rotate(venue, ANNA, BERT)) == ""
    assert refusal(rotate(venue, ANNA, CARA)) == "bad_key"  # rotated before


def test_what_befalls_a_key_befalls_the_one_it_replaced() -> None:
    venue = GovernedVenue()
    venue.enrol(ANNA, "admin")
    rotate(venue, ANNA, BERT)
    assert venue.code(ROOT, GrantRole, key=ANNA.key, role="editor") == "bad_key"
    events = venue.decide(ROOT, GrantRole, key=BERT.key, role="editor")
    assert [event.key for event in events if isinstance(event, RoleGranted)] == [BERT.key, ANNA.key]
    assert venue.code(ANNA, Mint, **MINT) == "role_too_low"
    events = venue.decide(ROOT, RevokeKey, key=BERT.key, reason="stolen")
    assert [event.key for event in events if isinstance(event, KeyRevoked)] == [BERT.key, ANNA.key]
    assert venue.code(ANNA, EditMarket, symbol="X") == "key_revoked"
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_stolen_old_key_can_be_revoked_alone() -> None:
    venue = GovernedVenue()
    venue.enrol(ANNA, "admin")
    rotate(venue, ANNA, BERT)
    assert venue.code(BERT, Mint, **MINT) == ""
    assert venue.code(ROOT, RevokeKey, key=ANNA.key, reason="stolen") == ""
    assert venue.code(ANNA, Mint, **MINT) == "key_revoked"
    assert venue.code(BERT, Mint, **MINT) == ""
