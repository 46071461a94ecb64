"""Matching: the trades that an order would make, found without touching the book."""

from collections.abc import Sequence

from engines.exchange.accounts import Holding
from engines.exchange.book import BookSide, RestingOrder
from schemas.events.exchange import CancelReason
from schemas.units import PAR_TICKS

Fills = Sequence[tuple[RestingOrder, int]]
"""The makers' orders, the best and oldest first, with the lots that each gives."""

Match = tuple[Fills, int, CancelReason, int | None]
"""Fills, lots left over, why it stopped early if it did, and the own order that stopped it."""


def match(opposite: BookSide, cost: int, lots: int, own: Holding | None, max_trades: int) -> Match:
    """Walk `opposite` from its best order while an order of `cost` crosses it.

    The walk ends at the first order of `own`: an account never trades with itself, and to go
    on behind its own order would break the order of time. So the account's own lots never
    count as liquidity.
    """
    fills: list[tuple[RestingOrder, int]] = []
    lowest = PAR_TICKS - cost
    level_cost = opposite.best
    while level_cost >= lowest:
        maker = opposite.levels[level_cost].head
        while maker is not None:
            if maker.owner is own:
                return fills, lots, "self_trade", maker.id
            if len(fills) >= max_trades:
                return fills, lots, "match_limit", None
            if maker.lots >= lots:
                fills.append((maker, lots))
                return fills, 0, "", None
            fills.append((maker, maker.lots))
            lots -= maker.lots
            maker = maker.next
        level_cost = opposite.below(level_cost)
    return fills, lots, "", None
