"""Audit: whether the venue's money and shares add up."""

from engines.exchange.state import State
from schemas.errors import BrokenInvariant
from schemas.units import PAR_TICKS


def audit(state: State) -> None:
    """Raise BrokenInvariant unless all minted credit is held, and every long has its short.

    This visits each account and holding once; it runs with every state hash.
    """
    long_lots = 0
    for book in state.books.values():
        longs = shorts = 0
        for holding in book.holdings.values():
            if holding.lots > 0:
                longs += holding.lots
            else:
                shorts -= holding.lots
        if longs != shorts:
            raise BrokenInvariant(f"{book.symbol}: {longs} lots long, {shorts} short")
        long_lots += longs
    credit = sum(account.cash + account.reserved for account in state.accounts.values())
    if credit + long_lots * PAR_TICKS != state.minted_cents:
        raise BrokenInvariant(
            f"minted {state.minted_cents}, cash and reserves {credit}, {long_lots} long lots"
        )
