"""The formulas of reality, in integers; roots, logarithms and powers by exact rules.

What is no plain fraction is computed by `decimal`, whose `exp` and `ln` are correctly rounded
in a fixed context, and quantised once. Every rounding is half to even.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import cache, lru_cache
from operator import mul
from typing import Final

from engines.reality.limits import SPIKE_STD_FLOOR_E2
from schemas.policy import RealityPolicy, Scoring
from schemas.units import HOUR_NS, HUNDREDTHS, WEIGHT_ONE_BP, round_half_even

_CONTEXT: Final = Context(
    prec=40,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[DivisionByZero, InvalidOperation, Overflow],
)
_SHORT: Final = _CONTEXT.copy()
_SHORT.prec = 18
"""An exponential of 18 digits takes a quarter of the time, and says the same but near a half."""
_ALMOST_HALF: Final = Decimal("0.499999999")
"""A weight below 100,000 of 18 digits is right to 1e-11. One further off its integer than this
is computed with all digits."""
_ONE_E4: Final = 10_000
_FADED: Final = 100
"""After so many TAU a weight is far below half of its last digit."""


def clamp(value: int, low: int, high: int) -> int:
    """Return the integer nearest to `value` in `low..high`."""
    if value > high:
        value = high
    return low if value < low else value


def relevance_bp(scoring: Scoring, title_count: int, body_count: int) -> int:
    """Return how much an article is about a symbol, from how often it names it."""
    titled = scoring.title_relevance_bp if title_count > 0 else 0
    counted = clamp(body_count, 0, scoring.counted_mentions)
    return min(titled + counted * scoring.body_relevance_bp, WEIGHT_ONE_BP)


def quick_bp(scoring: Scoring, sentiment_bp: int, keywords_bp: int, relevance_bp: int) -> int:
    """Return quick_score (EM-67): relevance adds to what sentiment and keywords say."""
    base = scoring.quick_sentiment_bp * sentiment_bp + scoring.quick_keywords_bp * keywords_bp
    sign = (base > 0) - (base < 0)
    total = base + sign * scoring.quick_relevance_bp * relevance_bp
    return clamp(round_half_even(total, WEIGHT_ONE_BP), -WEIGHT_ONE_BP, WEIGHT_ONE_BP)


def weight_e4(trust_bp: int, related: int, age_ns: int, tau_ns: int) -> int:
    """Return trust * (1 + ln(1 + related)) * e^(-age / TAU) in ten-thousandths (EM-69)."""
    if age_ns > _FADED * tau_ns:
        return 0
    confirmed = _confirmed(trust_bp, related)
    weight = _SHORT.multiply(confirmed, _fresh(age_ns, tau_ns))
    whole = _SHORT.to_integral_value(weight)
    if _SHORT.abs(_SHORT.subtract(weight, whole)) > _ALMOST_HALF:
        return _whole(_CONTEXT.multiply(confirmed, _exp(_CONTEXT, age_ns, tau_ns)))
    return int(whole)


@lru_cache(maxsize=4_096)
def _confirmed(trust_bp: int, related: int) -> Decimal:
    return _CONTEXT.multiply(Decimal(trust_bp), _CONTEXT.add(Decimal(1), _ln_1p(related)))


@lru_cache(maxsize=64)
def _fresh(age_ns: int, tau_ns: int) -> Decimal:
    """Return e^(-age / TAU); the symbols that one article names mostly ask for the same."""
    return _exp(_SHORT, age_ns, tau_ns)


def _exp(context: Context, age_ns: int, tau_ns: int) -> Decimal:
    return context.exp(context.divide(Decimal(-age_ns), Decimal(tau_ns)))


@lru_cache(maxsize=4_096)
def confidence_bp(independent_sources: int, trust_bp: int) -> int:
    """Return min(1, ln(1 + independent sources) * mean trust) (EM-27)."""
    sure = _CONTEXT.multiply(Decimal(trust_bp), _ln_1p(independent_sources))
    return min(_whole(sure), WEIGHT_ONE_BP)


def computed_e2(policy: RealityPolicy, weight_e4: int, quick_bp: int) -> int:
    """Return the points that weight and quick_score make, within the cap."""
    scaled = weight_e4 * quick_bp * policy.points_scale_e2
    points_e2 = round_half_even(scaled, _ONE_E4 * WEIGHT_ONE_BP)
    return clamp(points_e2, -policy.delta_cap_e2, policy.delta_cap_e2)


def blended_e2(
    computed_e2: int, delta_cap_e2: int, impact_e2: int, confidence_bp: int, trust_bp: int
) -> int:
    """Return the points after the LLM's say: it weighs as much as it is sure.

    An impact of 100 stands for the cap times the trust of those whom the LLM has read: it
    knows no more than they told. So the result is within the cap as well.
    """
    own = computed_e2 * (WEIGHT_ONE_BP - confidence_bp) * WEIGHT_ONE_BP**2
    suggested = impact_e2 * delta_cap_e2 * confidence_bp * trust_bp
    return round_half_even(own + suggested, WEIGHT_ONE_BP**3)


def is_spike(move_e2: int, moves_e2: Sequence[int], z_score_e2: int) -> bool:
    """Tell whether the z-score of a move against earlier ones is above `z_score_e2` (EM-102).

    The deviation is that of the population, SPIKE_STD_FLOOR_E2 at least. All of it is
    compared as integers: both sides times the number of moves, squared.
    """
    count, total = len(moves_e2), sum(moves_e2)
    above = (count * move_e2 - total) * HUNDREDTHS
    if above <= 0:
        return False
    squared, least = above * above, z_score_e2 * z_score_e2
    if squared <= least * (SPIKE_STD_FLOOR_E2 * count) ** 2:
        return False
    squares: int = sum(map(mul, moves_e2, moves_e2))
    return squared > least * (count * squares - total * total)


def is_repeated(move_e2: int, moves_e2: Sequence[int], times: int) -> bool:
    """Tell whether each of the last `times` moves was of this very size; 0 times is never.

    Moves of one size have no deviation, so none has a z-score; news does not come by the inch.
    """
    if not 0 < times <= len(moves_e2) or moves_e2[-1] != move_e2:
        return False
    return all(one == move_e2 for one in moves_e2[-times:])


def token_ns(calls_per_hour: int) -> int:
    """Return how long the LLM budget's bucket takes to get one more token, rounded up."""
    return -(-HOUR_NS // calls_per_hour)


@cache
def _ln_1p(count: int) -> Decimal:
    """Return ln(1 + count); a cluster has some hundred articles at most."""
    return _CONTEXT.ln(Decimal(1 + count))


def _whole(value: Decimal) -> int:
    return int(_CONTEXT.to_integral_value(value))
