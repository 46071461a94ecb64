"""Matching: the trades that an order would make and the cash that they would leave, found
without touching the book.
"""

from collections.abc import Sequence

from engines.exchange.accounts import Account, Holding
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


def funds_after(
    account: Account,
    holding: Holding | None,
    direction: int,
    fills: Fills,
    resting_lots: int,
    cost: int,
) -> int:
    """Return the least cash that an order with these fills and this rest would leave.

    The lots that it closes come first, but only those that no resting order covers. To close a
    covered lot can make its covering order need a reserve, of less than PAR. So a covered lot
    counts here as an opening one: that is PAR less than what closing it pays.
    """
    funds = account.cash
    closing = holding.uncommitted(direction) if holding is not None else 0
    for maker, lots in fills:
        closed = lots if lots < closing else closing
        closing -= closed
        funds += closed * PAR_TICKS - lots * (PAR_TICKS - maker.level.cost)
    if resting_lots > closing:
        funds -= (resting_lots - closing) * cost
    return funds
