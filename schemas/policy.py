"""The policy: the versioned, signed set of thresholds that a venue runs by.

`seed-plan` is the plan's numbers to the letter (EM-30) and the default; `calibrated`
scales event points by the cap instead of by 100, so that fewer events need a review.

A section that is `UNSET` is not in the signed text. It was not there when the first venues
were founded, so it means the section's defaults, which therefore never change; presets
state every section. Where the first rule had no such numbers (`price_bounds`), an absent
section means that rule; without `quotas` there are none, as there were none then.
"""

from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from schemas.limits import MAX_QUANTITY_LOTS
from schemas.subjects import is_account
from schemas.units import (
    DAY_NS,
    HOUR_NS,
    MINUTE_NS,
    PAR_TICKS,
    SECOND_NS,
    WEEK_NS,
    WEIGHT_ONE_BP,
)

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


class PriceBounds(msgspec.Struct, kw_only=True, frozen=True):
    """What two accounts that trade with each other may do to MarketPrice.

    The trades of two accounts in one record are one step of the EWMA, at their mean price.
    It weighs EWMA_ALPHA from `full_weight_lots` on, and in proportion below. Between any two
    moments of an hour, what one account takes moves a MarketPrice by `account_move_e2` at
    most. Quotes alone do not move it.
    """

    full_weight_lots: int = 10
    account_move_e2: int = 100


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


class Scoring(msgspec.Struct, kw_only=True, frozen=True):
    """How signals add up to quick_score (EM-67), and mentions to entity relevance.

    Relevance is `title_relevance_bp` if the title names the symbol, and
    `body_relevance_bp` for each of the first `counted_mentions` times that the text does,
    one at most in all.
    """

    quick_sentiment_bp: int = 4_000
    quick_keywords_bp: int = 3_000
    quick_relevance_bp: int = 3_000
    title_relevance_bp: int = 6_000
    body_relevance_bp: int = 2_000
    counted_mentions: int = 2


class Safeguards(msgspec.Struct, kw_only=True, frozen=True):
    """What protects the scores from sources that lie, flood or coordinate (EM-74, 100..103).

    `source_cap_e2` is what one source may move one symbol within `source_window_ns`.
    `sensitive_delta_e2` takes the place of SUSPICIOUS_DELTA for political and high-risk
    markets. A spike is a move of z-score above `spike_z_score_e2` against the symbol's last
    `spike_changes`, once there are `spike_min_changes` of them.
    """

    source_cap_e2: int = 2_000
    source_window_ns: int = DAY_NS
    sensitive_delta_e2: int = 1_500
    spike_changes: int = 50
    spike_min_changes: int = 10
    source_articles_per_hour: int = 60
    manip_window_ns: int = DAY_NS
    review_life_ns: int = 72 * HOUR_NS
    max_article_age_ns: int = 7 * DAY_NS


class UnsignedMoves(msgspec.Struct, kw_only=True, frozen=True):
    """What may move without a signature within any day or week; 0 is no cap.

    One source may move one symbol by `source_symbol_day_e2` a day, and all symbols together by
    `source_day_e2`, both times its trust. All sources together may move one symbol by
    `symbol_day_e2` a day (`sensitive_symbol_day_e2` if it is sensitive) and `symbol_week_e2` a
    week. Moves up and down are added up. The caps of a source that is known for less than
    `new_source_ns`, or of which fewer than `new_source_articles` were judged, are `new_source_bp`
    of that.
    """

    source_symbol_day_e2: int = 0
    source_day_e2: int = 0
    symbol_day_e2: int = 0
    sensitive_symbol_day_e2: int = 0
    symbol_week_e2: int = 0
    new_source_ns: int = 0
    new_source_articles: int = 0
    new_source_bp: int = WEIGHT_ONE_BP


class BacklogPolicy(msgspec.Struct, kw_only=True, frozen=True):
    """What becomes of what a source had published before it was first read.

    Of that, an article without a date, or dated further ahead than `max_ahead_ns`, is dropped; 0 is
    no such rule. While a source is known for less than `room_ns`, it has room for `room_articles`
    beyond `source_articles_per_hour`.
    """

    max_ahead_ns: int = 0
    room_articles: int = 0
    room_ns: int = 0


class LlmPolicy(msgspec.Struct, kw_only=True, frozen=True):
    """When an answer of the LLM is too late, and when it is not asked any more (EM-131).

    Of the last `judged_calls`, more than `failure_limit_bp`, and at least `min_failures`,
    may not fail: then the mode is `degraded` for `degraded_ns`.
    """

    deadline_ns: int = 120 * SECOND_NS
    judged_calls: int = 20
    failure_limit_bp: int = 500
    min_failures: int = 3
    degraded_ns: int = 30 * MINUTE_NS


class GovernancePolicy(msgspec.Struct, kw_only=True, frozen=True):
    """`political_signers` people must sign what touches a political market, once they exist."""

    political_signers: int = 2


class Quota(msgspec.Struct, kw_only=True, frozen=True):
    """What one account may ask of the gateway and the broker; the defaults are a trader's.

    A command is one message, of one order or of a hundred. `command_burst` may come at once
    after a quiet time.
    """

    commands_per_s: int = 20
    command_burst: int = 100
    bytes_per_s: int = 64 * 1024
    open_orders: int = 2_000
    native_connections: int = 5
    http_connections: int = 10
    subscriptions: int = 32
    channels: int = 50


MAKER: Final = Quota(
    commands_per_s=500,
    command_burst=2_500,
    bytes_per_s=2 * 1024 * 1024,
    open_orders=20_000,
)


class QuotasPolicy(msgspec.Struct, kw_only=True, frozen=True):
    """Quotas of accounts: `makers` have the one for makers, all others that for traders.

    The newcomer's numbers take the place of the trader's for an account that has never had a
    credit: whatever it sends is refused, and a refusal stays on the log for ever, too.
    """

    trader: Quota = Quota()
    maker: Quota = MAKER
    makers: tuple[str, ...] = ()
    newcomer_commands_per_s: int = 1
    newcomer_command_burst: int = 10
    newcomer_bytes_per_s: int = 4 * 1024

    def of(self, account: str) -> Quota:
        """Return the quota of an account that has had credits."""
        return self.maker if account in self.makers else self.trader

    def of_newcomer(self, account: str) -> Quota:
        """Return the quota of an account that has never had a credit."""
        if account in self.makers:
            return self.maker
        return msgspec.structs.replace(
            self.trader,
            commands_per_s=self.newcomer_commands_per_s,
            command_burst=self.newcomer_command_burst,
            bytes_per_s=self.newcomer_bytes_per_s,
        )


class RealityRules(NamedTuple):
    """The sections of a policy that the reality engine runs by."""

    reality: RealityPolicy
    scoring: Scoring
    safeguards: Safeguards
    llm: LlmPolicy
    unsigned: UnsignedMoves
    backlog: BacklogPolicy


class Policy(msgspec.Struct, kw_only=True, frozen=True):
    """All thresholds of a venue, by who runs by them."""

    name: str
    exchange: ExchangePolicy = ExchangePolicy()
    pricing: PricingPolicy = PricingPolicy()
    reality: RealityPolicy = RealityPolicy()
    governance: GovernancePolicy = GovernancePolicy()
    scoring: Scoring | UnsetType = UNSET
    safeguards: Safeguards | UnsetType = UNSET
    llm: LlmPolicy | UnsetType = UNSET
    unsigned: UnsignedMoves | UnsetType = UNSET
    quotas: QuotasPolicy | UnsetType = UNSET
    price_bounds: PriceBounds | UnsetType = UNSET
    backlog: BacklogPolicy | UnsetType = UNSET

    def bounds(self) -> PriceBounds | None:
        """Return the bounds of MarketPrice, None for the EWMA over all trades as they are."""
        return None if isinstance(self.price_bounds, UnsetType) else self.price_bounds

    def rules(self) -> RealityRules:
        """Return the reality engine's sections; what is not stated is as it was at first."""
        return RealityRules(
            self.reality,
            Scoring() if isinstance(self.scoring, UnsetType) else self.scoring,
            Safeguards() if isinstance(self.safeguards, UnsetType) else self.safeguards,
            LlmPolicy() if isinstance(self.llm, UnsetType) else self.llm,
            UnsignedMoves() if isinstance(self.unsigned, UnsetType) else self.unsigned,
            BacklogPolicy() if isinstance(self.backlog, UnsetType) else self.backlog,
        )

    def stated(self) -> "Policy":
        """Return the same policy with all of the reality engine's sections, and quotas, in it.

        Quotas are the exception to what an absent section means: none were enforced then.
        """
        quotas = QuotasPolicy() if isinstance(self.quotas, UnsetType) else self.quotas
        return msgspec.structs.replace(self, quotas=quotas, **self.rules()._asdict())


_DATED_BACKLOG: Final = BacklogPolicy(max_ahead_ns=HOUR_NS, room_articles=200, room_ns=2 * HOUR_NS)
SEED_PLAN: Final = Policy(
    name="seed-plan", price_bounds=PriceBounds(), backlog=_DATED_BACKLOG
).stated()
CALIBRATED: Final = Policy(
    name="calibrated",
    reality=RealityPolicy(points_scale_e2=RealityPolicy().delta_cap_e2),
    safeguards=Safeguards(sensitive_delta_e2=1_000),
    price_bounds=PriceBounds(),
    unsigned=UnsignedMoves(
        source_symbol_day_e2=500,
        source_day_e2=1_500,
        symbol_day_e2=1_000,
        sensitive_symbol_day_e2=300,
        symbol_week_e2=3_000,
        new_source_ns=WEEK_NS,
        new_source_articles=20,
        new_source_bp=1_000,
    ),
    backlog=_DATED_BACKLOG,
).stated()
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
    return (
        _bounds_problem(policy.bounds())
        or _quotas_problem(policy.quotas)
        or _sections_problem(policy)
    )


def _bounds_problem(bounds: PriceBounds | None) -> str | None:
    """Return what is wrong with the bounds of MarketPrice, or None."""
    if bounds is None:
        return None
    if not 1 <= bounds.full_weight_lots <= MAX_QUANTITY_LOTS:
        return f"full_weight_lots is outside 1..{MAX_QUANTITY_LOTS}"
    if not 0 <= bounds.account_move_e2 <= PAR_TICKS:
        return f"account_move_e2 is outside 0..{PAR_TICKS}"
    return None


MAX_MAKERS: Final = 256
_QUOTA_RANGES: Final = {
    "commands_per_s": (1, 100_000),
    "command_burst": (1, 1_000_000),
    "bytes_per_s": (1_024, 1_000_000_000),
    "open_orders": (1, 20_000),
    "native_connections": (1, 10_000),
    "http_connections": (1, 10_000),
    "subscriptions": (1, 10_000),
    "channels": (1, 10_000),
}


def _quotas_problem(quotas: QuotasPolicy | UnsetType) -> str | None:
    """Return what is wrong with the quotas, or None."""
    if isinstance(quotas, UnsetType):
        return None
    for whose, quota in (
        ("trader", quotas.trader),
        ("maker", quotas.maker),
        ("newcomer", quotas.of_newcomer("")),
    ):
        for field, (low, high) in _QUOTA_RANGES.items():
            if not low <= getattr(quota, field) <= high:
                return f"{field} of the {whose} is outside {low}..{high}"
    makers = quotas.makers
    if len(makers) > MAX_MAKERS:
        return f"there are more than {MAX_MAKERS} makers"
    if not all(is_account(maker) for maker in makers):
        return "makers has a name that no account can have"
    if list(makers) != sorted(set(makers)):
        return "makers is not sorted, or names one twice"
    return None


_AT_LEAST_ONE: Final = frozenset(
    {
        "tau_ns",
        "vector_window_ns",
        "spike_changes",
        "source_articles_per_hour",
        "source_window_ns",
        "judged_calls",
        "review_life_ns",
        "deadline_ns",
    }
)
_AT_MOST: Final = {
    "similarity_duplicate_bp": WEIGHT_ONE_BP,
    "similarity_group_bp": WEIGHT_ONE_BP,
    "delta_cap_e2": WEIGHT_ONE_BP,
    "llm_calls_per_hour": 100_000,
    "spike_changes": 1_000,
    "judged_calls": 1_000,
    "source_articles_per_hour": 100_000,
    "vector_window_ns": 7 * DAY_NS,
    "max_article_age_ns": 30 * DAY_NS,
    "new_source_bp": WEIGHT_ONE_BP,
    "room_articles": 100_000,
    "room_ns": 30 * DAY_NS,
}
_MOST: Final = 10**18


def _sections_problem(policy: Policy) -> str | None:
    """Return what is wrong with the sections that the reality engine runs by, or None."""
    rules = policy.rules()
    for section in rules:
        for field in section.__struct_fields__:
            low, high = int(field in _AT_LEAST_ONE), _AT_MOST.get(field, _MOST)
            if not low <= getattr(section, field) <= high:
                return f"{field} is outside {low}..{high}"
    if rules.reality.similarity_group_bp > rules.reality.similarity_duplicate_bp:
        return "similarity_group_bp is above similarity_duplicate_bp"
    return None
