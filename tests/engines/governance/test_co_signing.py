"""Political markets take more than one person to list, close and resolve."""

from typing import Any

import pytest

from engines.governance.limits import MAX_PENDING_DECISIONS
from schemas.chain import digest
from schemas.decisions import (
    AnyDecision,
    CloseMarket,
    CoSign,
    EnrolKey,
    GrantRole,
    HaltMarket,
    ListMarket,
    ResolveMarket,
    RevokeKey,
)
from schemas.events.governance import (
    DecisionAccepted,
    DecisionLapsed,
    DecisionPending,
    MarketListed,
)
from schemas.policy import GovernancePolicy, Policy
from schemas.units import HOUR_NS
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.governance.people import ANNA, BERT, CARA, ROOT, GovernedVenue, names, refusal

POLITICAL: dict[str, Any] = {"symbol": "VOTE", "name": "Vote", "market_type": "political"}
RESOLVE: dict[str, Any] = {"symbol": "VOTE", "value_ticks": 0, "reason": ""}


def three_admins(signers: int = 2) -> GovernedVenue:
    venue = GovernedVenue(Policy(name="p", governance=GovernancePolicy(political_signers=signers)))
    venue.enrol(ANNA, "admin")
    venue.enrol(BERT, "admin")
    return venue


def propose(venue: GovernedVenue, person: Any = ANNA, **fields: Any) -> str:
    """Bring in a political listing and return its hash."""
    body = venue.body(person, ListMarket, **(POLITICAL | fields))
    (event,) = venue.send(person, body)
    assert isinstance(event, DecisionPending)
    assert (event.body, event.decision_hash) == (body.decode(), digest(body))
    return event.decision_hash


def test_one_admin_alone_decides_alone() -> None:
    venue = GovernedVenue()
    assert names(venue.list(**POLITICAL)) == ["DecisionAccepted", "MarketListed"]
    venue.enrol(ANNA, "editor")  # no admin, so still alone
    assert names(venue.decide(ROOT, ResolveMarket, **RESOLVE)) == [
        "DecisionAccepted",
        "MarketResolved",
    ]


def test_second_person_completes_it() -> None:
    venue = three_admins()
    hash_ = propose(venue)
    assert "VOTE" not in venue.state.markets
    assert venue.code(ANNA, CoSign, decision_hash=hash_) == "already_signed"
    events = venue.decide(BERT, CoSign, decision_hash=hash_)
    assert names(events) == ["DecisionCoSigned", "DecisionAccepted", "MarketListed"]
    accepted, listed = events[1], events[2]
    assert isinstance(accepted, DecisionAccepted)
    assert (accepted.key, accepted.kind) == (ANNA.key, "list_market")
    assert accepted.signers == [ANNA.key, BERT.key]
    assert isinstance(listed, MarketListed)
    assert listed.created_by == ANNA.key
    assert venue.code(ROOT, CoSign, decision_hash=hash_) == "unknown_decision"
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_three_of_three() -> None:
    venue = three_admins(3)
    hash_ = propose(venue)
    assert names(venue.decide(BERT, CoSign, decision_hash=hash_)) == ["DecisionCoSigned"]
    check_folds(venue.driver)
    check_decides_again(venue.driver)
    assert venue.code(BERT, CoSign, decision_hash=hash_) == "already_signed"
    assert len(venue.decide(ROOT, CoSign, decision_hash=hash_)) == 3


def test_more_signers_than_admins_asks_for_one() -> None:
    venue = three_admins(4)
    assert len(venue.list(**POLITICAL)) == 2


def test_same_person_with_another_key_is_not_another_person() -> None:
    venue = three_admins()
    venue.decide(ROOT, EnrolKey, key=CARA.key, holder="anna", role="admin")
    hash_ = propose(venue)
    assert venue.code(CARA, CoSign, decision_hash=hash_) == "already_signed"


@pytest.mark.parametrize(
    ("kind", "fields"), [(CloseMarket, {"reason": ""}), (ResolveMarket, RESOLVE)]
)
def test_ending_a_political_market_takes_two(
    kind: type[AnyDecision], fields: dict[str, Any]
) -> None:
    venue = three_admins()
    venue.decide(BERT, CoSign, decision_hash=propose(venue))
    events = venue.decide(ANNA, kind, **({"symbol": "VOTE"} | fields))
    assert names(events) == ["DecisionPending"]
    assert names(venue.decide(ROOT, HaltMarket, symbol="VOTE", reason="")) == [
        "DecisionAccepted",
        "MarketHalted",
    ]


def test_pending_decision_uses_up_its_counter() -> None:
    venue = three_admins()
    body = venue.body(ANNA, ListMarket, **POLITICAL)
    assert names(venue.send(ANNA, body)) == ["DecisionPending"]
    assert refusal(venue.send(ANNA, body)) == "counter_reused"
    # and a later acceptance does not set the counter back
    venue.decide(ANNA, HaltMarket, symbol="X", reason="")
    assert venue.code(ANNA, ListMarket, symbol="RAIN", name="Rain", market_type="social") == ""
    last = ANNA.counter
    venue.decide(BERT, CoSign, decision_hash=digest(body))
    assert venue.state.keys[ANNA.key].counter == last


def test_lapse() -> None:
    venue = three_admins()
    assert venue.driver.engine.next_due_ns(venue.state) is None
    hash_ = propose(venue)
    cause = venue.driver.sequence
    due = venue.driver.now_ns + HOUR_NS
    assert venue.driver.engine.next_due_ns(venue.state) == due
    venue.driver.at(due - 1)
    assert venue.driver.take([]) == []
    venue.driver.at(due)
    assert venue.driver.take([]) == [DecisionLapsed(cause, hash_)]
    assert venue.driver.take([]) == []
    assert venue.driver.engine.next_due_ns(venue.state) is None
    assert venue.code(BERT, CoSign, decision_hash=hash_) == "unknown_decision"
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_co_signature_that_comes_too_late() -> None:
    venue = three_admins()
    hash_ = propose(venue)
    venue.driver.at(venue.driver.now_ns + HOUR_NS)
    events = venue.decide(BERT, CoSign, decision_hash=hash_)
    assert names(events) == ["DecisionRefused", "DecisionLapsed"]
    assert "VOTE" not in venue.state.markets


def test_co_signing_asks_again_whether_the_decision_is_good() -> None:
    venue = three_admins()
    first, second = propose(venue), propose(venue, BERT, name="Another vote")
    assert venue.code(ROOT, CoSign, decision_hash=first) == ""
    assert venue.code(ROOT, CoSign, decision_hash=second) == "symbol_exists"


def test_the_same_text_from_someone_else_is_no_second_proposal() -> None:
    venue = three_admins()
    propose(venue)
    before = venue.driver.hash()
    assert refusal(venue.list(BERT, **POLITICAL)) == "already_signed"
    assert venue.driver.hash() == before


def test_proposer_who_lost_the_role_decides_nothing() -> None:
    venue = three_admins()
    hash_ = propose(venue)
    venue.decide(ROOT, GrantRole, key=ANNA.key, role="editor")
    assert venue.code(BERT, CoSign, decision_hash=hash_) == "role_too_low"


def test_signature_of_a_revoked_key_counts_no_more() -> None:
    venue = three_admins(3)
    venue.enrol(CARA, "admin")
    hash_ = propose(venue)
    venue.decide(BERT, CoSign, decision_hash=hash_)
    venue.decide(ROOT, RevokeKey, key=BERT.key, reason="stolen")
    assert names(venue.decide(ROOT, CoSign, decision_hash=hash_)) == ["DecisionCoSigned"]
    events = venue.decide(CARA, CoSign, decision_hash=hash_)
    accepted = events[1]
    assert isinstance(accepted, DecisionAccepted)
    assert accepted.signers == [ANNA.key, ROOT.key, CARA.key]


def test_person_whose_signature_counts_no_more_may_sign_again_with_another_key() -> None:
    venue = three_admins(3)
    venue.decide(ROOT, EnrolKey, key=CARA.key, holder="bert", role="admin")
    hash_ = propose(venue)
    venue.decide(BERT, CoSign, decision_hash=hash_)
    assert venue.code(CARA, CoSign, decision_hash=hash_) == "already_signed"
    venue.decide(ROOT, RevokeKey, key=BERT.key, reason="stolen")
    assert names(venue.decide(ROOT, CoSign, decision_hash=hash_)) == ["DecisionCoSigned"]
    accepted = venue.decide(CARA, CoSign, decision_hash=hash_)[1]
    assert isinstance(accepted, DecisionAccepted)
    assert accepted.signers == [ANNA.key, ROOT.key, CARA.key]


def test_proposal_and_co_signature_in_one_group_leave_both_events_as_they_were() -> None:
    venue = three_admins()
    body = venue.body(ANNA, ListMarket, **POLITICAL)
    co_sign = venue.body(BERT, CoSign, decision_hash=digest(body))
    events = venue.driver.feed(
        (f"main.cmd.admin.{ANNA.key}", ANNA.sign(body)),
        (f"main.cmd.admin.{BERT.key}", BERT.sign(co_sign)),
    )
    pending, accepted = events[0], events[2]
    assert isinstance(pending, DecisionPending)
    assert pending.signers == [ANNA.key]
    assert isinstance(accepted, DecisionAccepted)
    assert accepted.signers == [ANNA.key, BERT.key]
    check_folds(venue.driver)


def test_editor_may_not_co_sign() -> None:
    venue = three_admins()
    venue.enrol(CARA, "editor")
    assert venue.code(CARA, CoSign, decision_hash=propose(venue)) == "role_too_low"


def test_pending_decisions_are_bounded() -> None:
    venue = three_admins()
    for number in range(MAX_PENDING_DECISIONS):
        propose(venue, symbol=f"V{number}")
    assert refusal(venue.list(ANNA, **POLITICAL)) == "too_many_pending"
    venue.driver.at(venue.driver.now_ns + HOUR_NS)
    assert len(venue.driver.take([])) == MAX_PENDING_DECISIONS
    check_folds(venue.driver)
    check_decides_again(venue.driver)
