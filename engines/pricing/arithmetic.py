"""The integer arithmetic of prices. Every division rounds half to even."""

from typing import Final

from schemas.units import WEIGHT_ONE_BP, round_half_even

MILLION: Final = 1_000_000
"""`ewma_e6` counts millionths of a tick."""


def smooth(ewma_e6: int | None, price_ticks: int, alpha_bp: int) -> int:
    """Return the EWMA after one more trade; the first trade's price is where it starts.

    It stays between the lowest and the highest price traded: a mean of two integers within
    bounds that are integers rounds to one within them.
    """
    price_e6 = price_ticks * MILLION
    if ewma_e6 is None:
        return price_e6
    return toward(ewma_e6, price_e6, alpha_bp, WEIGHT_ONE_BP)


def toward(from_e6: int, to_e6: int, weight: int, whole: int) -> int:
    """Return what lies `weight` parts of `whole` on the way between two prices."""
    return round_half_even(weight * to_e6 + (whole - weight) * from_e6, whole)


def blend(market_e2: int, market_weight_bp: int, reality_e2: int, reality_weight_bp: int) -> int:
    """Return FinalPrice: both prices by their weights, which add up to 10,000 (EM-26)."""
    weighted = market_weight_bp * market_e2 + reality_weight_bp * reality_e2
    return round_half_even(weighted, WEIGHT_ONE_BP)
