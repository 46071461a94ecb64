"""The policy: the versioned, signed set of thresholds that a venue runs by.

`seed-plan` is the plan's numbers to the letter (EM-30) and the default; `calibrated`
scales event points by the cap instead of by 100, so that fewer events need a review.
"""

from typing import Final, Literal

import msgspec

from everything.schemas.units import HOUR_NS, WEIGHT_ONE_BP

MarketType = Literal[
    "political", "economic", "social", "technology", "finance", "culture", "sports"
]


class ExchangePolicy(msgspec.Struct, kw_only=True, frozen=True):
    """Bounds per account and symbol; the signup grant is paper credit."""

    signup_grant_cents: int = 0
    max_position_lots: int = 1_000_000_000
    max_open_orders: int = 20_000


class PricingPolicy(msgspec.Struct, kw_only=True, frozen=True):
    """`ewma_alpha_bp` is EWMA_ALPHA: what one trade weighs in MarketPrice."""

    ewma_alpha_bp: int = 2_500


class RealityPolicy(msgspec.Struct, kw_only=True, frozen=True):
    """Thresholds of the reality engine; names as in the plan, integers as in `units`."""

    similarity_duplicate_bp: int = 8_800
    similarity_group_bp: int = 7_800
    llm_quick_threshold_bp: int = 4_500
    vector_window_ns: int = 6 * HOUR_NS
    tau_ns: int = 48 * HOUR_NS
    delta_cap_e2: int = 2_000
    min_independent_sources: int = 2
    llm_calls_per_hour: int = 10
    suspicious_delta_e2: int = 1_500
    spike_z_score_e2: int = 500
    points_scale_e2: int = 10_000


class GovernancePolicy(msgspec.Struct, kw_only=True, frozen=True):
    """`political_signers` people must sign what touches a political market, once they exist."""

    political_signers: int = 2


class Policy(msgspec.Struct, kw_only=True, frozen=True):
    name: str
    exchange: ExchangePolicy = ExchangePolicy()
    pricing: PricingPolicy = PricingPolicy()
    reality: RealityPolicy = RealityPolicy()
    governance: GovernancePolicy = GovernancePolicy()


SEED_PLAN: Final = Policy(name="seed-plan")
CALIBRATED: Final = Policy(
    name="calibrated", reality=RealityPolicy(points_scale_e2=RealityPolicy().delta_cap_e2)
)
PRESETS: Final = {preset.name: preset for preset in (SEED_PLAN, CALIBRATED)}


def problem(policy: Policy) -> str | None:
    """Return what is wrong with `policy`, or None."""
    exchange, pricing = policy.exchange, policy.pricing
    if not 0 <= pricing.ewma_alpha_bp <= WEIGHT_ONE_BP:
        return "ewma_alpha_bp is outside 0..10000"
    if not 0 <= exchange.signup_grant_cents <= 10**12:
        return "signup_grant_cents is outside 0..10^12"
    if not 1 <= exchange.max_position_lots <= 10**12:
        return "max_position_lots is outside 1..10^12"
    if not 1 <= exchange.max_open_orders <= 20_000:
        return "max_open_orders is outside 1..20000"
    if not 1 <= policy.governance.political_signers <= 9:
        return "political_signers is outside 1..9"
    return _reality_problem(policy.reality)


def _reality_problem(reality: RealityPolicy) -> str | None:
    for field in reality.__struct_fields__:
        if not 0 <= getattr(reality, field) <= 10**18:
            return f"{field} is outside 0..10^18"
    return None
