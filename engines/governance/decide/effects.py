"""Decide: the events that an accepted decision leads to."""

from typing import assert_never

from msgspec.structs import asdict

from engines.governance.decide.people import ROOT_HOLDER, keys_of, with_predecessors
from engines.governance.state import State
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
    Genesis,
    GrantRole,
    HaltMarket,
    KeyDecision,
    ListMarket,
    MarketDecision,
    Mint,
    OpsOverride,
    QuarantineSource,
    RejectReview,
    ResolveMarket,
    ResumeMarket,
    ReviewDecision,
    RevokeKey,
    RotateKey,
    SetPolicy,
)
from schemas.events.governance import (
    CreditsMinted,
    Event,
    KeyEnrolled,
    KeyRevoked,
    KeyRotated,
    MarketClosed,
    MarketEdited,
    MarketHalted,
    MarketListed,
    MarketResolved,
    MarketResumed,
    OpsOverridden,
    PartApproved,
    PolicySet,
    ReviewAnswered,
    RoleGranted,
    SourceAdded,
    SourceChanged,
    SourceQuarantineSet,
    VenueFounded,
)
from schemas.limits import ROTATION_OVERLAP_NS


def found(cause: int, venue_id: str, genesis: Genesis) -> list[Event]:
    """Return the events that a genesis leads to."""
    return [
        VenueFounded(
            cause=cause,
            venue_id=venue_id,
            venue=genesis.venue,
            root_key=genesis.root_key,
            notary_key=genesis.notary_key,
            policy=genesis.policy,
        ),
        KeyEnrolled(cause=cause, key=genesis.root_key, holder=ROOT_HOLDER, role="super-admin"),
        PolicySet(cause=cause, version=1, policy=genesis.policy, reason="genesis"),
    ]


def effects(
    state: State, cause: int, signers: list[str], decision: AnyDecision, now_ns: int
) -> list[Event]:
    """Return the events that `decision`, accepted now and signed by `signers`, leads to."""
    signer = signers[0]
    match decision:
        case Mint():
            return [CreditsMinted(cause, decision.account, decision.amount_cents, decision.memo)]
        case SetPolicy():
            version = state.policy_version + 1
            return [PolicySet(cause, version, decision.policy, decision.reason)]
        case OpsOverride():
            return [OpsOverridden(cause, signer, decision.action, decision.reason)]
        case EnrolKey() | RotateKey() | GrantRole() | RevokeKey():
            return _key_effects(state, cause, signer, decision, now_ns)
        case CoSign():
            return []  # it only adds a signature to another decision
        case AddSource():
            return [SourceAdded(cause, decision.source)]
        case ChangeSource():
            return [SourceChanged(cause, decision.source)]
        case QuarantineSource():
            until_ns, reason = decision.until_ns, decision.reason
            return [SourceQuarantineSet(cause, decision.source, until_ns, reason)]
        case ApproveReview() | ApprovePart() | RejectReview():
            return [_answered(state, cause, signers, decision)]
        case _:
            return [_market_effect(state, cause, signer, decision)]


def _key_effects(
    state: State, cause: int, signer: str, decision: KeyDecision, now_ns: int
) -> list[Event]:
    match decision:
        case EnrolKey():
            return [KeyEnrolled(cause, decision.key, decision.holder, decision.role)]
        case RotateKey():
            return [KeyRotated(cause, signer, decision.new_key, now_ns + ROTATION_OVERLAP_NS)]
        case GrantRole():
            names = with_predecessors(state, decision.key, now_ns)
            return [RoleGranted(cause, name, decision.role) for name in names]
        case RevokeKey():
            names = with_predecessors(state, decision.key, now_ns)
            return [KeyRevoked(cause, name, decision.reason) for name in names]
        case _:
            assert_never(decision)


def _market_effect(state: State, cause: int, signer: str, decision: MarketDecision) -> Event:
    match decision:
        case ListMarket():
            return _listed(cause, signer, decision)
        case EditMarket():
            return _edited(state, cause, decision)
        case HaltMarket():
            return MarketHalted(cause, decision.symbol, decision.reason)
        case ResumeMarket():
            return MarketResumed(cause, decision.symbol)
        case CloseMarket():
            return MarketClosed(cause, decision.symbol, decision.reason)
        case ResolveMarket():
            return MarketResolved(cause, decision.symbol, decision.value_ticks, decision.reason)
        case _:
            assert_never(decision)


def _answered(
    state: State, cause: int, signers: list[str], answer: ReviewDecision
) -> ReviewAnswered:
    answered = ReviewAnswered(
        cause=cause,
        proposal_hash=answer.proposal_hash,
        symbol=answer.symbol,
        approve=isinstance(answer, ApproveReview),
        reason=answer.reason,
        signers=signers[:],
        keys=keys_of(state, signers),
    )
    if isinstance(answer, ApprovePart):
        return PartApproved(**asdict(answered), delta_e2=answer.delta_e2)
    return answered


def _listed(cause: int, signer: str, listing: ListMarket) -> MarketListed:
    return MarketListed(
        cause=cause,
        symbol=listing.symbol,
        name=listing.name,
        description=listing.description,
        market_type=listing.market_type,
        subtype=listing.subtype,
        region=listing.region,
        risk_level=listing.risk_level,
        aliases=listing.aliases,
        market_weight_bp=listing.market_weight_bp,
        reality_weight_bp=listing.reality_weight_bp,
        initial_score_e2=listing.initial_score_e2,
        tick_ticks=listing.tick_ticks,
        min_price=listing.min_price,
        max_price=listing.max_price,
        created_by=signer,
    )


def _edited(state: State, cause: int, edit: EditMarket) -> MarketEdited:
    now = state.markets[edit.symbol]
    return MarketEdited(
        cause=cause,
        symbol=edit.symbol,
        name=now.name if edit.name is None else edit.name,
        description=now.description if edit.description is None else edit.description,
        aliases=now.aliases if edit.aliases is None else edit.aliases,
        risk_level=now.risk_level if edit.risk_level is None else edit.risk_level,
        market_weight_bp=(
            now.market_weight_bp if edit.market_weight_bp is None else edit.market_weight_bp
        ),
        reality_weight_bp=(
            now.reality_weight_bp if edit.reality_weight_bp is None else edit.reality_weight_bp
        ),
    )
