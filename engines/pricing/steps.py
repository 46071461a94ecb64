"""MarketPrice within the policy's bounds: what the trades of one record do to it.

docs/plan.md has the formulas and what moving a price costs. Nothing here knows whose the resting
orders are. A trade's price lies within the others' best prices when it happens, by price-time
priority, and it counts as within the best prices that stand at the record's end. So a step
never takes the price out of the others' best prices, and two accounts by themselves move it by
no more than their own bounds.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from engines.pricing.arithmetic import MILLION, toward
from engines.pricing.swings import Swings, reach
from schemas.events.exchange import Top, Traded
from schemas.policy import PriceBounds
from schemas.units import WEIGHT_ONE_BP, round_half_even

_EMPTY: Final = Top("", None, 0, None, 0)


class PairTrades:
    """What two accounts traded with each other in one record. `first` is their first trade."""

    __slots__ = ("count", "first", "lots", "value_cents")

    def __init__(self, first: Traded) -> None:
        self.first = first
        self.count = 1
        self.lots = first.quantity_lots
        self.value_cents = first.price_ticks * first.quantity_lots

    def mean_e6(self) -> int:
        return round_half_even(self.value_cents * MILLION, self.lots)


Pairs = dict[tuple[str, str], PairTrades]
"""The trades of one symbol and record by their two accounts, in the order of the first ones."""


def gather(pairs: Pairs, trade: Traded) -> None:
    """Add a trade to those of the same two accounts, whoever of them took."""
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
    """One move of MarketPrice by two accounts' trades; the account that took first answers."""

    pair: PairTrades
    price_e6: int
    moved_e6: int

    @property
    def account(self) -> str:
        return self.pair.first.taker_account


def steps(
    ewma_e6: int,
    pairs: Iterable[PairTrades],
    top: Top | None,
    alpha_bp: int,
    bounds: PriceBounds,
    swings: Swings,
    at_ns: int,
) -> list[Step]:
    """Return how each pair's trades move MarketPrice from `ewma_e6` on.

    `top` has the best prices at the record's end, None for an empty book; `swings` are
    those before the record.
    """
    most_e6, full = bounds.account_move_e2 * MILLION, bounds.full_weight_lots
    moved_e6: dict[str, int] = {}
    done: list[Step] = []
    for pair in pairs:
        price_e6 = _within(top or _EMPTY, pair.mean_e6())
        weight = alpha_bp * min(pair.lots, full)
        wanted_e6 = toward(ewma_e6, price_e6, weight, WEIGHT_ONE_BP * full) - ewma_e6
        account = pair.first.taker_account
        down_e6, up_e6 = reach(swings, account, at_ns, most_e6)
        before_e6 = moved_e6.get(account, 0)
        step_e6 = max(down_e6 - before_e6, min(up_e6 - before_e6, wanted_e6))
        moved_e6[account] = before_e6 + step_e6
        ewma_e6 += step_e6
        done.append(Step(pair, price_e6, step_e6))
    return done


def _within(top: Top, price_e6: int) -> int:
    """Return the price, or the best price that it is beyond."""
    if top.bid_ticks is not None:
        price_e6 = max(price_e6, top.bid_ticks * MILLION)
    if top.ask_ticks is not None:
        price_e6 = min(price_e6, top.ask_ticks * MILLION)
    return price_e6
