"""Decide: state what a record touched as it is at its end; forget old ids and unused accounts."""

from collections.abc import Iterator, Sequence
from itertools import islice

from engines.exchange.limits import MAX_LAPSES, REMEMBER_IDS_NS, UNUSED_ACCOUNT_NS
from engines.exchange.state import State
from schemas.events.exchange import (
    AccountLapsed,
    Balance,
    BalancesChanged,
    CashReturned,
    Event,
    IdsForgotten,
    LapseScheduled,
    Position,
    Top,
    TopsChanged,
)
from schemas.limits import MAX_BALANCE_ROWS
from schemas.stored import Stored


def on_group_end(state: State, inputs: Sequence[Stored], now_ns: int) -> Iterator[Event]:
    """Yield BalancesChanged, TopsChanged, IdsForgotten and the lapses that are due.

    Their cause is the group's last input; in a tick it is the cause of the last of them.
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
    if state.unused.any() and now_ns >= state.unused.lapse_ns:
        yield from _lapses(state, cause, now_ns)


def _lapses(state: State, cause: int, now_ns: int) -> Iterator[Event]:
    """Yield the end of unused accounts; after the last one, when those opened since lapse."""
    unused = state.unused
    for account in list(islice(unused.scheduled.values(), MAX_LAPSES)):
        if account.cash:
            yield CashReturned(cause, account.name, account.cash, "lapsed")
        yield AccountLapsed(cause, account.name)
    if unused.opened and not unused.scheduled:
        yield LapseScheduled(cause, now_ns + UNUSED_ACCOUNT_NS)


def next_due_ns(state: State) -> int | None:
    """Return when `on_group_end` has something to say by itself; 0 is at once."""
    if state.touched_accounts or state.touched_holdings or state.touched_books:
        return 0
    ids, unused = state.ids, state.unused
    if not unused.any():
        return ids.remember_until_ns if ids.any() else None
    return min(ids.remember_until_ns, unused.lapse_ns) if ids.any() else unused.lapse_ns
