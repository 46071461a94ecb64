"""Decide: whether an account can pay for an order."""

from engines.exchange.accounts import Account, Holding
from engines.exchange.decide.matching import Fills
from schemas.units import PAR_TICKS


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
