"""MarketPrice within the policy's bounds: what the trades of one record do to it.

docs/plan.md has the formulas and what moving a price costs. Nothing here knows whose the resting
orders are. A trade's price lies within the others' best prices when it happens, by price-time
priority, and it counts as within the best prices that stand at the record's end. So a step
never takes the price out of the others' best prices, and two accounts by themselves move it by
no more than their own bounds.
"""

from collections.abc import Iterable
from typing import NamedTuple

from engines.pricing.arithmetic import MILLION, toward
from engines.pricing.swings import Swings, reach
from schemas.events.exchange import Top, Traded
from schemas.policy import PriceBounds
from schemas.units import PAR_TICKS, WEIGHT_ONE_BP, round_half_even


class PairTrades:
    """What two accounts traded with each other in one record. `first` is their first trade."""

    __slots__ = ("count", "first", "lots", "value_cents")

    def __init__(self, first: Traded) -> None:
        self.first = first
        self.count = 1
        self.lots = first.quantity_lots
        self.value_cents = first.price_ticks * first.quantity_lots

    def mean_e6(self) -> int:
        """Return the mean price by lots, in millionths of a tick."""
        if self.count == 1:
            return self.first.price_ticks * MILLION
        return round_half_even(self.value_cents * MILLION, self.lots)


Pairs = dict[tuple[str, str], PairTrades]
"""The trades of one symbol and record by their two accounts, in the order of the first ones."""


def gather(pairs: Pairs, trade: Traded) -> None:
    """Add a trade to those of the same two accounts, in either direction."""
    taker, maker = trade.taker_account, trade.maker_account
    accounts = (taker, maker) if taker < maker else (maker, taker)
    pair = pairs.get(accounts)
    if pair is None:
        pairs[accounts] = PairTrades(trade)
    else:
        pair.count += 1
        pair.lots += trade.quantity_lots
        pair.value_cents += trade.price_ticks * trade.quantity_lots


class Step(NamedTuple):
    """One move of MarketPrice by two accounts' trades, towards `price_e6`."""

    pair: PairTrades
    price_e6: int
    moved_e6: int


class Moves(NamedTuple):
    """What one record does to a MarketPrice, and by how much which account answers for it."""

    steps: list[Step]
    ewma_e6: int
    moved_e6: dict[str, int]


def walk(
    ewma_e6: int,
    pairs: Iterable[PairTrades],
    top: Top | None,
    alpha_bp: int,
    bounds: PriceBounds,
    swings: Swings,
    at_ns: int,
) -> Moves:
    """Return how each pair's trades move MarketPrice from `ewma_e6` on.

    `top` has the best prices at the record's end, None for an empty book; `swings` are those
    before the record. Of two accounts, the one that took first answers.
    """
    most_e6, full = bounds.account_move_e2 * MILLION, bounds.full_weight_lots
    whole = WEIGHT_ONE_BP * full
    bid_ticks, ask_ticks = (None, None) if top is None else (top.bid_ticks, top.ask_ticks)
    low_e6 = 0 if bid_ticks is None else bid_ticks * MILLION
    high_e6 = (PAR_TICKS if ask_ticks is None else ask_ticks) * MILLION
    moved_e6: dict[str, int] = {}
    reaches: dict[str, tuple[int, int]] = {}
    steps: list[Step] = []
    for pair in pairs:
        account = pair.first.taker_account
        if account not in reaches:
            reaches[account], moved_e6[account] = reach(swings, account, at_ns, most_e6), 0
        (down_e6, up_e6), before_e6 = reaches[account], moved_e6[account]
        price_e6 = min(max(pair.mean_e6(), low_e6), high_e6)
        wanted_e6 = toward(ewma_e6, price_e6, alpha_bp * min(pair.lots, full), whole) - ewma_e6
        after_e6 = min(max(before_e6 + wanted_e6, down_e6), up_e6)
        moved_e6[account] = after_e6
        ewma_e6 += after_e6 - before_e6
        steps.append(Step(pair, price_e6, after_e6 - before_e6))
    return Moves(steps, ewma_e6, moved_e6)
