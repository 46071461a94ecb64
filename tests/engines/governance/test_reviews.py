"""Answers to reviews: who may give them, and by which keys their accounts are known."""

from typing import Any

import pytest

from schemas import signatures
from schemas.chain import digest
from schemas.decisions import (
    ApprovePart,
    ApproveReview,
    CoSign,
    EnrolKey,
    RejectReview,
    ResolveMarket,
    RevokeKey,
    RotateKey,
)
from schemas.events.governance import ReviewAnswered
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.governance.people import ANNA, BERT, CARA, ROOT, GovernedVenue, Person, names

HASH = digest(b"a proposal")
ANSWER: dict[str, Any] = {"proposal_hash": HASH, "symbol": "RAIN", "reason": "it is so"}


def with_admins(market_type: str = "social") -> GovernedVenue:
    venue = GovernedVenue()
    venue.list(market_type=market_type)
    venue.enrol(ANNA, "admin")
    venue.enrol(BERT, "admin")
    return venue


def rotate(venue: GovernedVenue, old: Person, new: Person) -> None:
    proof = signatures.sign(new.seed, old.key.encode())
    assert venue.code(old, RotateKey, new_key=new.key, new_key_signature=proof) == ""


@pytest.mark.parametrize("approve", [True, False])
def test_an_answer_names_the_proposal_and_the_signer(approve: bool) -> None:
    venue = with_admins()
    events = venue.decide(ANNA, ApproveReview if approve else RejectReview, **ANSWER)
    assert names(events) == ["DecisionAccepted", "ReviewAnswered"]
    assert events[1] == ReviewAnswered(
        cause=venue.driver.sequence,
        proposal_hash=HASH,
        symbol="RAIN",
        approve=approve,
        reason="it is so",
        signers=[ANNA.key],
        keys=[ANNA.key],
    )
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_approved_part_names_how_much() -> None:
    venue = with_admins()
    events = venue.decide(ANNA, ApprovePart, **ANSWER, delta_e2=-350)
    assert names(events) == ["DecisionAccepted", "PartApproved"]
    assert getattr(events[1], "delta_e2", None) == -350
    assert getattr(events[1], "approve", None) is True
    for delta_e2 in (0, 10_001, -10_001):
        code = venue.code(ANNA, ApprovePart, **ANSWER, delta_e2=delta_e2)
        assert code == "value_out_of_range"
    check_folds(venue.driver)
    check_decides_again(venue.driver)


@pytest.mark.parametrize("kind", [ApproveReview, RejectReview])
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"proposal_hash": ""}, "bad_proposal"),
        ({"proposal_hash": HASH[:-1]}, "bad_proposal"),
        ({"proposal_hash": HASH + "0"}, "bad_proposal"),
        ({"proposal_hash": HASH[:-1] + "\n"}, "bad_proposal"),
        ({"proposal_hash": "A" * 64}, "bad_proposal"),
        ({"symbol": "SNOW"}, "unknown_symbol"),
        ({"reason": "\x7f"}, "bad_text"),
        ({"reason": "x" * 2_001}, "bad_text"),
    ],
)
def test_an_answer_that_makes_no_sense(kind: Any, changes: dict[str, str], code: str) -> None:
    assert with_admins().code(ANNA, kind, **(ANSWER | changes)) == code


def test_an_answer_after_the_end_is_for_reality_to_refuse() -> None:
    venue = with_admins()
    venue.decide(ROOT, ResolveMarket, symbol="RAIN", value_ticks=1, reason="")
    assert venue.code(ANNA, ApproveReview, **ANSWER) == ""


def test_a_persons_keys_are_all_that_were_ever_enrolled() -> None:
    """Whoever trades with an old key, or a second one, still has an interest."""
    venue = with_admins()
    second, third, fourth = (Person("anna", number) for number in (20, 21, 22))
    rotate(venue, ANNA, second)
    for person in (third, fourth):
        venue.decide(ROOT, EnrolKey, key=person.key, holder="anna", role="viewer")
    venue.decide(ROOT, RevokeKey, key=fourth.key, reason="lost")
    answered = venue.decide(second, ApproveReview, **ANSWER)[1]
    assert isinstance(answered, ReviewAnswered)
    assert answered.signers == [second.key]
    assert sorted(answered.keys) == sorted([ANNA.key, second.key, third.key, fourth.key])
    check_folds(venue.driver)


def test_approving_a_political_move_takes_two_and_rejecting_it_one() -> None:
    venue = with_admins("political")
    body = venue.body(ANNA, ApproveReview, **ANSWER)
    assert names(venue.send(ANNA, body)) == ["DecisionPending"]
    events = venue.decide(BERT, CoSign, decision_hash=digest(body))
    assert names(events) == ["DecisionCoSigned", "DecisionAccepted", "ReviewAnswered"]
    answered = events[2]
    assert isinstance(answered, ReviewAnswered)
    assert answered.signers == [ANNA.key, BERT.key]
    assert answered.keys == [ANNA.key, BERT.key]
    assert names(venue.decide(ANNA, RejectReview, **ANSWER)) == [
        "DecisionAccepted",
        "ReviewAnswered",
    ]
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_the_signers_are_those_whose_signature_counts() -> None:
    venue = with_admins("political")
    venue.enrol(CARA, "editor")
    body = venue.body(ANNA, ApproveReview, **ANSWER)
    venue.send(ANNA, body)
    assert venue.code(CARA, CoSign, decision_hash=digest(body)) == "role_too_low"
    venue.decide(ROOT, RevokeKey, key=ANNA.key, reason="stolen")
    assert venue.code(BERT, CoSign, decision_hash=digest(body)) == "role_too_low"
