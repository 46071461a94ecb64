"""Evolve: what each of the governance engine's events does to its state."""

from typing import Final

from engines.governance.state import EnrolledKey, ListedMarket, PendingDecision, State
from engines.kernel import EventHandlers
from schemas.events.governance import (
    CreditsMinted,
    DecisionAccepted,
    DecisionCoSigned,
    DecisionLapsed,
    DecisionPending,
    DecisionRefused,
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

# -- decisions -----------------------------------------------------------------------


def _decision_accepted(state: State, event: DecisionAccepted) -> None:
    state.pending.pop(event.decision_hash, None)
    _use_up(state, event.key, event.counter)


def _decision_pending(state: State, event: DecisionPending) -> None:
    _use_up(state, event.key, event.counter)
    state.pending[event.decision_hash] = PendingDecision(
        event.cause, event.body, event.signers[:], event.signers_needed, event.expires_ns
    )


def _decision_co_signed(state: State, event: DecisionCoSigned) -> None:
    _use_up(state, event.key, event.counter)
    state.pending[event.decision_hash].signers.append(event.key)


def _decision_lapsed(state: State, event: DecisionLapsed) -> None:
    del state.pending[event.decision_hash]


def _use_up(state: State, name: str, counter: int) -> None:
    # The genesis is accepted before its key is enrolled. A decision that waited for others is
    # accepted after its key may have signed later ones.
    key = state.keys.get(name)
    if key is not None:
        key.counter = max(key.counter, counter)


# -- the venue and its keys ----------------------------------------------------------


def _venue_founded(state: State, event: VenueFounded) -> None:
    state.venue_id = event.venue_id


def _policy_set(state: State, event: PolicySet) -> None:
    state.policy, state.policy_version = event.policy, event.version


def _key_enrolled(state: State, event: KeyEnrolled) -> None:
    state.keys[event.key] = EnrolledKey(event.holder, event.role)


def _role_granted(state: State, event: RoleGranted) -> None:
    state.keys[event.key].role = event.role


def _key_rotated(state: State, event: KeyRotated) -> None:
    old = state.keys[event.old_key]
    old.lapses_ns = event.lapses_ns
    state.keys[event.new_key] = EnrolledKey(old.holder, old.role, replaces=event.old_key)


def _key_revoked(state: State, event: KeyRevoked) -> None:
    state.keys[event.key].revoked = True


# -- markets and sources -------------------------------------------------------------


def _market_listed(state: State, event: MarketListed) -> None:
    state.markets[event.symbol] = ListedMarket(
        event.market_type,
        event.name,
        event.description,
        event.aliases,
        event.risk_level,
        event.market_weight_bp,
        event.reality_weight_bp,
    )


def _market_edited(state: State, event: MarketEdited) -> None:
    market = state.markets[event.symbol]
    market.name, market.description = event.name, event.description
    market.aliases, market.risk_level = event.aliases, event.risk_level
    market.market_weight_bp = event.market_weight_bp
    market.reality_weight_bp = event.reality_weight_bp


def _market_halted(state: State, event: MarketHalted) -> None:
    state.markets[event.symbol].phase = "halted"


def _market_resumed(state: State, event: MarketResumed) -> None:
    state.markets[event.symbol].phase = "open"


def _market_closed(state: State, event: MarketClosed) -> None:
    state.markets[event.symbol].phase = "closed"


def _market_resolved(state: State, event: MarketResolved) -> None:
    state.markets[event.symbol].phase = "resolved"


def _source_added(state: State, event: SourceAdded) -> None:
    state.sources = state.known_sources()
    state.sources[event.source.source] = event.source.kind


def _nothing(
    state: State,
    event: DecisionRefused
    | CreditsMinted
    | OpsOverridden
    | SourceChanged
    | SourceQuarantineSet
    | ReviewAnswered,
) -> None:
    """Change nothing: a refusal has no effect, and other engines or people act on the rest."""


EVENT_HANDLERS: Final[EventHandlers[State]] = {
    VenueFounded: _venue_founded,
    DecisionAccepted: _decision_accepted,
    DecisionPending: _decision_pending,
    DecisionCoSigned: _decision_co_signed,
    DecisionLapsed: _decision_lapsed,
    DecisionRefused: _nothing,
    KeyEnrolled: _key_enrolled,
    RoleGranted: _role_granted,
    KeyRotated: _key_rotated,
    KeyRevoked: _key_revoked,
    PolicySet: _policy_set,
    MarketListed: _market_listed,
    MarketEdited: _market_edited,
    MarketHalted: _market_halted,
    MarketResumed: _market_resumed,
    MarketClosed: _market_closed,
    MarketResolved: _market_resolved,
    CreditsMinted: _nothing,
    OpsOverridden: _nothing,
    SourceAdded: _source_added,
    SourceChanged: _nothing,
    SourceQuarantineSet: _nothing,
    ReviewAnswered: _nothing,
    PartApproved: _nothing,
}
