"""What the governance engine decides: who may sign, and the effects of signed decisions."""

from schemas.codec import Message
from schemas.decisions import RiskLevel, Role
from schemas.policy import MarketType, Policy
from schemas.sources import Source


class VenueFounded(Message, tag="venue_founded/1", frozen=True):
    """`venue_id` is the SHA-256 of the genesis text."""

    cause: int
    venue_id: str
    venue: str
    root_key: str
    notary_key: str
    policy: Policy


class DecisionAccepted(Message, tag="decision_accepted/1", frozen=True):
    """A decision was good; its effects follow with the same cause.

    `signers` are the holders' keys, the proposer first; more than one where the rules ask
    for it. `decision_hash` is the SHA-256 of the signed text.
    """

    cause: int
    key: str
    counter: int
    kind: str
    decision_hash: str
    signers: list[str]


class DecisionPending(Message, tag="decision_pending/1", frozen=True):
    """A decision is good so far and waits for more signatures; `body` is its signed text."""

    cause: int
    key: str
    counter: int
    kind: str
    decision_hash: str
    body: str
    signers: list[str]
    signers_needed: int
    expires_ns: int


class DecisionCoSigned(Message, tag="decision_co_signed/1", frozen=True):
    """One more person signed a decision that still waits."""

    cause: int
    key: str
    counter: int
    decision_hash: str


class DecisionLapsed(Message, tag="decision_lapsed/1", frozen=True):
    """A pending decision expired before enough people had signed."""

    cause: int
    decision_hash: str


class DecisionRefused(Message, tag="decision_refused/1", frozen=True):
    """A decision had no effect. `code` is a `Refusal`; the counter is not used up."""

    cause: int
    key: str
    kind: str
    code: str
    detail: str


class KeyEnrolled(Message, tag="key_enrolled/1", frozen=True):
    cause: int
    key: str
    holder: str
    role: Role


class RoleGranted(Message, tag="role_granted/1", frozen=True):
    cause: int
    key: str
    role: Role


class KeyRotated(Message, tag="key_rotated/1", frozen=True):
    """`new_key` takes the holder and role of `old_key`, which lapses at `lapses_ns`."""

    cause: int
    old_key: str
    new_key: str
    lapses_ns: int


class KeyRevoked(Message, tag="key_revoked/1", frozen=True):
    cause: int
    key: str
    reason: str


class PolicySet(Message, tag="policy_set/1", frozen=True):
    """`version` counts the venue's policies from 1, the one of the genesis."""

    cause: int
    version: int
    policy: Policy
    reason: str


class MarketListed(Message, tag="market_listed/1", frozen=True):
    cause: int
    symbol: str
    name: str
    description: str
    market_type: MarketType
    subtype: str
    region: str
    risk_level: RiskLevel
    aliases: list[str]
    market_weight_bp: int
    reality_weight_bp: int
    initial_score_e2: int
    tick_ticks: int
    min_price: str
    max_price: str
    created_by: str
    """The key that signed the listing."""


class MarketEdited(Message, tag="market_edited/1", frozen=True):
    """All of the editable fields, as they are from now on."""

    cause: int
    symbol: str
    name: str
    description: str
    aliases: list[str]
    risk_level: RiskLevel
    market_weight_bp: int
    reality_weight_bp: int


class MarketHalted(Message, tag="market_halted/1", frozen=True):
    cause: int
    symbol: str
    reason: str


class MarketResumed(Message, tag="market_resumed/1", frozen=True):
    cause: int
    symbol: str


class MarketClosed(Message, tag="market_closed/1", frozen=True):
    cause: int
    symbol: str
    reason: str


class MarketResolved(Message, tag="market_resolved/1", frozen=True):
    cause: int
    symbol: str
    value_ticks: int
    reason: str


class CreditsMinted(Message, tag="credits_minted/1", frozen=True):
    """Credits to create in an account; the exchange checks that the account exists."""

    cause: int
    account: str
    amount_cents: int
    memo: str


class OpsOverridden(Message, tag="ops_overridden/1", frozen=True):
    cause: int
    key: str
    action: str
    reason: str


class SourceAdded(Message, tag="source_added/1", frozen=True):
    cause: int
    source: Source


class SourceChanged(Message, tag="source_changed/1", frozen=True):
    """All of the source, as it is from now on."""

    cause: int
    source: Source


class SourceQuarantineSet(Message, tag="source_quarantine_set/1", frozen=True):
    """`until_ns` 0 releases the source."""

    cause: int
    source: str
    until_ns: int
    reason: str


class ReviewAnswered(Message, tag="review_answered/1", frozen=True):
    """Enough people have signed an answer to a review; the reality engine applies it.

    `signers` are the keys that signed; `keys` all that were ever enrolled for the people
    behind them, by which the exchange knows their accounts.
    """

    cause: int
    proposal_hash: str
    symbol: str
    approve: bool
    reason: str
    signers: list[str]
    keys: list[str]


class PartApproved(ReviewAnswered, tag="part_approved/1", frozen=True):
    """Enough people have approved `delta_e2` of a proposed move, and no more of it."""

    delta_e2: int


Event = (
    VenueFounded
    | DecisionAccepted
    | DecisionPending
    | DecisionCoSigned
    | DecisionLapsed
    | DecisionRefused
    | KeyEnrolled
    | RoleGranted
    | KeyRotated
    | KeyRevoked
    | PolicySet
    | MarketListed
    | MarketEdited
    | MarketHalted
    | MarketResumed
    | MarketClosed
    | MarketResolved
    | CreditsMinted
    | OpsOverridden
    | SourceAdded
    | SourceChanged
    | SourceQuarantineSet
    | ReviewAnswered
    | PartApproved
)
