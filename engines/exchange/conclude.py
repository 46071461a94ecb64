"""Conclude: state how all that a record touched stands at its end, and forget old ids."""

from collections.abc import Iterator, Sequence
from itertools import islice

from engines.exchange.limits import REMEMBER_IDS_NS
from engines.exchange.state import State
from schemas.events.exchange import (
    Balance,
    BalancesChanged,
    Event,
    IdsForgotten,
    Position,
    Top,
    TopsChanged,
)
from schemas.limits import MAX_BALANCE_ROWS
from schemas.stored import Stored


def conclude(state: State, inputs: Sequence[Stored], now_ns: int) -> Iterator[Event]:
    """Yield BalancesChanged, TopsChanged and IdsForgotten where they are due.

    Their cause is the group's last input; for a tick it is that of the last such event.
    """
    cause = inputs[-1].sequence if inputs else state.last_cause
    if state.touched_accounts or state.touched_holdings:
        yield BalancesChanged(
            cause,
            [
                Balance(account.name, account.cash, account.reserved)
                for account in islice(state.touched_accounts.values(), MAX_BALANCE_ROWS)
            ],
            [
                Position(holding.account.name, holding.symbol, holding.lots)
                for holding in islice(state.touched_holdings, MAX_BALANCE_ROWS)
            ],
        )
    if state.touched_books:
        books = islice(state.touched_books.values(), MAX_BALANCE_ROWS)
        yield TopsChanged(cause, [Top(book.symbol, *book.top()) for book in books])
    if state.ids.any() and now_ns >= state.ids.remember_until_ns:
        yield IdsForgotten(cause, now_ns + REMEMBER_IDS_NS)


def next_due_ns(state: State) -> int | None:
    """Return when `conclude` has something to say by itself; 0 is at once."""
    if state.touched_accounts or state.touched_holdings or state.touched_books:
        return 0
    return state.ids.remember_until_ns if state.ids.any() else None
