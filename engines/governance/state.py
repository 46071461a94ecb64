"""What the governance engine remembers, and how its own events change that."""

from typing import Final, Literal, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from schemas.decisions import RiskLevel, Role
from schemas.events.governance import (
    CreditsMinted,
    DecisionAccepted,
    DecisionCoSigned,
    DecisionLapsed,
    DecisionPending,
    DecisionRefused,
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
    PolicySet,
    ReviewAnswered,
    RoleGranted,
    SourceAdded,
    SourceChanged,
    SourceQuarantineSet,
    VenueFounded,
)
from schemas.policy import MarketType, Policy
from schemas.sources import SourceKind

Phase = Literal["open", "halted", "closed", "resolved"]

RANKS: Final[dict[Role, int]] = {"viewer": 0, "editor": 1, "admin": 2, "super-admin": 3}

_DecisionEvent = (
    DecisionAccepted | DecisionPending | DecisionCoSigned | DecisionLapsed | DecisionRefused
)
_KeyEvent = KeyEnrolled | RoleGranted | KeyRotated | KeyRevoked
_MarketEvent = (
    MarketListed | MarketEdited | MarketHalted | MarketResumed | MarketClosed | MarketResolved
)


class Key(msgspec.Struct):
    """A person's key. `counter` is the last one that it used up.

    A key that was rotated has a time at which it lapses; its successor has its name in
    `replaces`.
    """

    holder: str
    role: Role
    counter: int = 0
    revoked: bool = False
    lapses_ns: int | None = None
    replaces: str | None = None

    def accepted(self, now_ns: int) -> bool:
        """Tell whether a signature of this key counts at `now_ns`."""
        return not self.revoked and (self.lapses_ns is None or now_ns < self.lapses_ns)


class Market(msgspec.Struct):
    """What later decisions about a listed market are judged by."""

    market_type: MarketType
    name: str
    description: str
    aliases: list[str]
    risk_level: RiskLevel
    market_weight_bp: int
    reality_weight_bp: int
    phase: Phase = "open"


class Pending(msgspec.Struct):
    """A decision that waits for more people; `cause` is the message that proposed it."""

    cause: int
    body: str
    signers: list[str]
    signers_needed: int
    expires_ns: int


class State(msgspec.Struct):
    """All of governance. `venue_id` is empty until the venue is founded.

    `sources` is not in the dump before the first one is added: venues were founded before
    there were sources, and the hashes of their states stand on the log.
    """

    venue_id: str = ""
    policy: Policy | None = None
    policy_version: int = 0
    keys: dict[str, Key] = {}
    markets: dict[str, Market] = {}
    pending: dict[str, Pending] = {}
    sources: dict[str, SourceKind] | UnsetType = UNSET

    def known_sources(self) -> dict[str, SourceKind]:
        """Return the kind of every source by its id."""
        return {} if isinstance(self.sources, UnsetType) else self.sources


def evolve(state: State, event: Event) -> None:
    """Apply one event of the governance engine."""
    match event:
        case VenueFounded():
            state.venue_id = event.venue_id
        case PolicySet():
            state.policy, state.policy_version = event.policy, event.version
        case CreditsMinted() | OpsOverridden():
            pass  # the exchange acts on the one, people on the other
        case SourceAdded():
            state.sources = state.known_sources()
            state.sources[event.source.source] = event.source.kind
        case SourceChanged() | SourceQuarantineSet() | ReviewAnswered():
            pass  # ingest and reality act on these
        case KeyEnrolled() | RoleGranted() | KeyRotated() | KeyRevoked():
            _evolve_key(state, event)
        case (
            DecisionAccepted()
            | DecisionPending()
            | DecisionCoSigned()
            | DecisionLapsed()
            | DecisionRefused()
        ):
            _evolve_decision(state, event)
        case _:
            _evolve_market(state, event)


def _evolve_decision(state: State, event: _DecisionEvent) -> None:
    match event:
        case DecisionAccepted():
            state.pending.pop(event.decision_hash, None)
            _use_up(state, event.key, event.counter)
        case DecisionPending():
            _use_up(state, event.key, event.counter)
            state.pending[event.decision_hash] = Pending(
                event.cause, event.body, event.signers[:], event.signers_needed, event.expires_ns
            )
        case DecisionCoSigned():
            _use_up(state, event.key, event.counter)
            state.pending[event.decision_hash].signers.append(event.key)
        case DecisionLapsed():
            del state.pending[event.decision_hash]
        case DecisionRefused():
            pass
        case _:
            assert_never(event)


def _use_up(state: State, name: str, counter: int) -> None:
    # The genesis is accepted before its key is enrolled, and a decision that waited for
    # others is accepted after its key may have signed later ones.
    key = state.keys.get(name)
    if key is not None:
        key.counter = max(key.counter, counter)


def _evolve_key(state: State, event: _KeyEvent) -> None:
    keys = state.keys
    match event:
        case KeyEnrolled():
            keys[event.key] = Key(event.holder, event.role)
        case RoleGranted():
            keys[event.key].role = event.role
        case KeyRotated():
            old = keys[event.old_key]
            old.lapses_ns = event.lapses_ns
            keys[event.new_key] = Key(old.holder, old.role, replaces=event.old_key)
        case KeyRevoked():
            keys[event.key].revoked = True
        case _:
            assert_never(event)


def _evolve_market(state: State, event: _MarketEvent) -> None:
    markets = state.markets
    match event:
        case MarketListed():
            markets[event.symbol] = Market(
                event.market_type,
                event.name,
                event.description,
                event.aliases,
                event.risk_level,
                event.market_weight_bp,
                event.reality_weight_bp,
            )
        case MarketEdited():
            market = markets[event.symbol]
            market.name, market.description = event.name, event.description
            market.aliases, market.risk_level = event.aliases, event.risk_level
            market.market_weight_bp = event.market_weight_bp
            market.reality_weight_bp = event.reality_weight_bp
        case MarketHalted():
            markets[event.symbol].phase = "halted"
        case MarketResumed():
            markets[event.symbol].phase = "open"
        case MarketClosed():
            markets[event.symbol].phase = "closed"
        case MarketResolved():
            markets[event.symbol].phase = "resolved"
        case _:
            assert_never(event)
