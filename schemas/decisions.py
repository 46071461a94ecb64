"""Decisions: what a person signs. A decision takes effect only as signed, and only once.

The signed text is the canonical JSON (`codec.encode`) of one of the Structs below; it
stands on the log to the letter inside a SignedDecision. `counter` grows with every
decision of a key, `expires_ns` bounds how long a captured one can be used, and
`venue_id` (SHA-256 of the genesis text) ties it to one venue.
"""

from typing import Literal

import msgspec

from schemas.codec import Codec, Message
from schemas.policy import MarketType, Policy
from schemas.sources import Source

Role = Literal["viewer", "editor", "admin", "super-admin"]
RiskLevel = Literal["low", "medium", "high"]


class SignedDecision(Message, tag="signed_decision/1", frozen=True):
    """The envelope: who signed, exactly what, and the signature over `body`'s UTF-8 bytes."""

    key: str
    body: str
    signature: str


class Genesis(Message, tag="genesis/1", frozen=True):
    """Found a venue. The first message of its log, signed by the root key itself."""

    venue: str
    root_key: str
    notary_key: str
    policy: Policy
    time_ns: int


class Decision(Message, frozen=True, kw_only=True):
    """What every decision but the genesis carries."""

    venue_id: str
    counter: int
    expires_ns: int


class ListMarket(Decision, tag="list_market/1", frozen=True, kw_only=True):
    """Open a market (EM-06, EM-20..23). The two weights add up to 10,000.

    `tick_ticks` is the price grid: an order's price is a multiple of it. `min_price` and
    `max_price` describe the outside quantity that 0..100 stands for (EM-28), as decimals. An
    alias in double quotes is matched exactly as written (`schemas.aliases`).
    """

    symbol: str
    name: str
    description: str = ""
    market_type: MarketType
    subtype: str = ""
    region: str = "global"
    risk_level: RiskLevel = "medium"
    aliases: list[str] = msgspec.field(default_factory=list)
    market_weight_bp: int = 5_000
    reality_weight_bp: int = 5_000
    initial_score_e2: int = 5_000
    tick_ticks: int = 1
    min_price: str = "0"
    max_price: str = "100"


class EditMarket(Decision, tag="edit_market/1", frozen=True):
    """Change a market's words or weights; what is None stays as it is."""

    symbol: str
    name: str | None = None
    description: str | None = None
    aliases: list[str] | None = None
    risk_level: RiskLevel | None = None
    market_weight_bp: int | None = None
    reality_weight_bp: int | None = None


class HaltMarket(Decision, tag="halt_market/1", frozen=True):
    """Stop trading; orders stay in the book and can be cancelled."""

    symbol: str
    reason: str


class ResumeMarket(Decision, tag="resume_market/1", frozen=True):
    symbol: str


class CloseMarket(Decision, tag="close_market/1", frozen=True):
    """End trading for good and cancel what rests; positions wait for the resolution."""

    symbol: str
    reason: str


class ResolveMarket(Decision, tag="resolve_market/1", frozen=True):
    """Pay longs `value_ticks` and shorts the rest of par, and end the market."""

    symbol: str
    value_ticks: int
    reason: str


class Mint(Decision, tag="mint/1", frozen=True):
    """Create paper credits in an account."""

    account: str
    amount_cents: int
    memo: str = ""


class EnrolKey(Decision, tag="enrol_key/1", frozen=True):
    """Make a person's key known, with a role."""

    key: str
    holder: str
    role: Role


class GrantRole(Decision, tag="grant_role/1", frozen=True):
    key: str
    role: Role


class RotateKey(Decision, tag="rotate_key/1", frozen=True):
    """Replace the signer's own key; the old one is accepted for ROTATION_OVERLAP_NS more."""

    new_key: str
    new_key_signature: str
    """By the new key over the old key's text: proof that its holder agrees."""


class RevokeKey(Decision, tag="revoke_key/1", frozen=True):
    key: str
    reason: str


class SetPolicy(Decision, tag="set_policy/1", frozen=True):
    policy: Policy
    reason: str


class CoSign(Decision, tag="co_sign/1", frozen=True):
    """Add a signature to a decision that waits for more than one person."""

    decision_hash: str


class OpsOverride(Decision, tag="ops_override/1", frozen=True):
    """Say that an operator acted outside the rules, and why; a post-mortem is due (EM-106)."""

    action: str
    reason: str


class AddSource(Decision, tag="add_source/1", frozen=True):
    """Let articles come from a new source (EM-64)."""

    source: Source


class ChangeSource(Decision, tag="change_source/1", frozen=True):
    """Replace all of a source's fields but its id and kind."""

    source: Source


class QuarantineSource(Decision, tag="quarantine_source/1", frozen=True):
    """Let nothing that a source says count before `until_ns`; 0 releases it."""

    source: str
    until_ns: int
    reason: str


class ApproveReview(Decision, tag="approve_review/1", frozen=True):
    """Let exactly the move with this hash be applied (EM-05, EM-105).

    A signer who holds the symbol, or has orders in it, is in a conflict of interest: reality
    refuses the approval.
    """

    proposal_hash: str
    symbol: str
    reason: str


class ApprovePart(ApproveReview, tag="approve_part/1", frozen=True):
    """Let only `delta_e2` of the move with this hash be applied, to the side it was proposed to."""

    delta_e2: int


class RejectReview(Decision, tag="reject_review/1", frozen=True):
    """Let the move not be applied, and its source have no say in this story of the symbol."""

    proposal_hash: str
    symbol: str
    reason: str


MarketDecision = ListMarket | EditMarket | HaltMarket | ResumeMarket | CloseMarket | ResolveMarket
KeyDecision = EnrolKey | GrantRole | RotateKey | RevokeKey
SourceDecision = AddSource | ChangeSource | QuarantineSource
ReviewDecision = ApproveReview | ApprovePart | RejectReview
AnyDecision = (
    MarketDecision
    | Mint
    | KeyDecision
    | SetPolicy
    | CoSign
    | OpsOverride
    | SourceDecision
    | ReviewDecision
)
"""All decisions but the genesis, which is none: nobody is enrolled yet to make it."""

SIGNED_DECISIONS: Codec[SignedDecision] = Codec(SignedDecision)
DECISIONS: Codec[AnyDecision | Genesis] = Codec(AnyDecision | Genesis)
