"""Integer scales. Nothing on the log or in an engine is a float.

| name         | one unit is                | range         |
|--------------|----------------------------|---------------|
| price_ticks  | 0.01 of the 0..100 domain  | 0..10_000     |
| score_e2     | the same scale             | 0..10_000     |
| weight_bp    | one ten-thousandth         | 0..10_000     |
| quantity_lots| one share                  | 1..10^9       |
| amount_cents | 0.01 credit = tick x lot   | any int       |
| time_ns      | nanoseconds since 1970 UTC | any int       |
"""

import re
from typing import Final

PAR_TICKS: Final = 10_000
"""What one long and one short lot together always hold: 100 credits."""

MIN_ORDER_TICKS: Final = 1
MAX_ORDER_TICKS: Final = PAR_TICKS - 1
"""Orders at 0 or at par would risk nothing on one side, so they do not exist."""

SCORE_MAX_E2: Final = 10_000
WEIGHT_ONE_BP: Final = 10_000
HUNDREDTHS: Final = 100

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS
WEEK_NS: Final = 7 * DAY_NS


def round_half_even(numerator: int, denominator: int) -> int:
    """Return `numerator / denominator` rounded to an integer, a half to the even one."""
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1):
        return quotient + 1
    return quotient


def to_decimal(hundredths: int) -> str:
    """Write an integer number of hundredths as the decimal string of the public edge.

    >>> to_decimal(6250)
    '62.50'
    """
    sign = "-" if hundredths < 0 else ""
    whole, rest = divmod(abs(hundredths), HUNDREDTHS)
    return f"{sign}{whole}.{rest:02d}"


def to_fraction(weight_bp: int) -> str:
    """Write an integer number of ten-thousandths as a decimal string of the public edge.

    >>> to_fraction(-500)
    '-0.0500'
    """
    sign = "-" if weight_bp < 0 else ""
    whole, rest = divmod(abs(weight_bp), WEIGHT_ONE_BP)
    return f"{sign}{whole}.{rest:04d}"


_PLAIN_DECIMAL = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,18}))?")


def from_decimal(text: str) -> int:
    """Read a decimal string of the public edge as an integer number of hundredths.

    Raises ValueError when `text` is no plain decimal (ASCII digits, at most 18 on either
    side of the point, no exponent) or is finer than a hundredth.

    >>> from_decimal("62.5")
    6250
    """
    parts = _PLAIN_DECIMAL.fullmatch(text)
    if parts is None:
        raise ValueError(f"not a plain decimal number: {text[:40]!r}")
    sign, whole, fraction = parts.groups(default="")
    if fraction[2:].strip("0"):
        raise ValueError(f"finer than 0.01: {text!r}")
    hundredths = int(whole) * HUNDREDTHS + int(fraction[:2].ljust(2, "0"))
    return -hundredths if sign else hundredths
