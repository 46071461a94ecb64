"""How far each account has moved a MarketPrice lately, which bounds how far it still may.

An account's part in a price is the sum of the steps that its taking led to. The highest and the
lowest that this sum has been in each period of half an hour are kept for three periods, so any
two moments of an hour lie within them, and between those the sum changes by the bound at most.
There and back again is free: a market that bounces between bid and ask uses nothing up.
"""

from typing import Final

import msgspec

from engines.pricing.limits import MAX_SWINGS
from schemas.units import MINUTE_NS

PERIOD_NS: Final = 30 * MINUTE_NS
PERIODS: Final = 3


class Swing(msgspec.Struct, array_like=True):
    """Where one account's sum has been, seen from where it is now; the newest period first."""

    period: int
    lows_e6: list[int]
    highs_e6: list[int]

    def come(self, at_ns: int) -> None:
        """Go on to a later time: in the periods since, the sum was where it is now."""
        later = at_ns // PERIOD_NS - self.period
        if later > 0:
            still = [0] * min(later, PERIODS)
            self.period += later
            self.lows_e6 = (still + self.lows_e6)[:PERIODS]
            self.highs_e6 = (still + self.highs_e6)[:PERIODS]


Swings = dict[str, Swing]
"""By account, the one that moved last at the end."""


def reach(swings: Swings, account: str, at_ns: int, most_e6: int) -> tuple[int, int]:
    """Return how far down, below zero, and how far up `account` may move the price now."""
    swing = swings.get(account)
    if swing is None:
        return -most_e6, most_e6
    kept = PERIODS - max(at_ns // PERIOD_NS - swing.period, 0)
    if kept <= 0:
        return -most_e6, most_e6
    # In periods since then the sum was at 0, which is within low and high of the newest one.
    low_e6, high_e6 = min(swing.lows_e6[:kept]), max(swing.highs_e6[:kept])
    return min(0, high_e6 - most_e6), max(0, most_e6 + low_e6)


def swung(swings: Swings, account: str, at_ns: int, moved_e6: int) -> None:
    """Note that `account` moved the price, and forget those whose moves are too long ago."""
    swing = swings.pop(account, None)
    if swing is None:
        swing = Swing(at_ns // PERIOD_NS, [0] * PERIODS, [0] * PERIODS)
    else:
        swing.come(at_ns)
    swings[account] = swing
    lows_e6 = swing.lows_e6 = [low - moved_e6 for low in swing.lows_e6]
    highs_e6 = swing.highs_e6 = [high - moved_e6 for high in swing.highs_e6]
    lows_e6[0] = min(lows_e6[0], 0)
    highs_e6[0] = max(highs_e6[0], 0)
    oldest = at_ns // PERIOD_NS - PERIODS
    first = next(iter(swings))
    while len(swings) > MAX_SWINGS or swings[first].period <= oldest:
        del swings[first]
        first = next(iter(swings))
