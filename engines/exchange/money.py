"""Money: how cash, reserves and holdings move. All amounts are cents = ticks x lots.

At every sequence: minted = all cash + all reserved + PAR x all long lots, and longs =
shorts in every symbol. Each movement below keeps that: a trade takes from its two parties
PAR per lot together, and gives PAR back for every pair of lots that it ends.
"""

from engines.exchange.accounts import Holding
from engines.exchange.book import Book, RestingOrder
from engines.exchange.state import State
from schemas.errors import BrokenInvariant
from schemas.units import PAR_TICKS


def cover(order: RestingOrder, direction: int) -> int:
    """Let `order` cover the lots that it would close and that no other order covers yet.

    Return their number: they need no reserve. The order's own trades follow, and uncover the
    lots that they close themselves.
    """
    holding = order.owner
    closable = holding.uncommitted(direction)
    if not closable:
        return 0
    order.cover = closable if closable < order.lots else order.lots
    holding.covered += order.cover
    holding.covering[order.id] = order
    return order.cover


def leave(state: State, order: RestingOrder) -> None:
    """Take the rest of `order` out of the book and free its reserve."""
    level = order.level
    side = level.side
    holding = order.owner
    account = holding.account
    release = (order.lots - order.cover) * level.cost
    if release:
        account.reserved -= release
        account.cash += release
        if account.reserved < 0:
            raise BrokenInvariant(f"order {order.id} frees {release} cents that are not reserved")
        state.touched_accounts[account.name] = account
    if order.cover:
        holding.covered -= order.cover
        del holding.covering[order.id]
    if side.direction > 0:
        holding.buying -= order.lots
    else:
        holding.selling -= order.lots
    if level.cost == side.best:
        book = side.book
        state.touched_books[book.symbol] = book
    side.remove(order)
    del state.orders[order.id], account.orders[order.id]


def fill_resting(state: State, order: RestingOrder, lots: int) -> None:
    """Let a resting order give `lots` at its own price.

    The covered part goes first: it closes lots and has no reserve. The rest pays out of the
    reserve, even if it closes lots too because its owner has traded meanwhile.
    """
    level = order.level
    side = level.side
    holding = order.owner
    account = holding.account
    covered = order.cover if order.cover < lots else lots
    if covered:
        order.cover -= covered
        holding.covered -= covered
        if not order.cover:
            del holding.covering[order.id]
    release = (lots - covered) * level.cost
    account.reserved -= release
    account.cash += release
    if account.reserved < 0:
        raise BrokenInvariant(f"order {order.id} frees {release} cents that are not reserved")
    if side.direction > 0:
        holding.buying -= lots
    else:
        holding.selling -= lots
    book = side.book
    state.touched_books[book.symbol] = book
    if side.take(order, lots):
        del state.orders[order.id], account.orders[order.id]
    trade(state, holding, side.direction, lots, level.cost)


def trade(state: State, holding: Holding, direction: int, lots: int, cost: int) -> None:
    """Pay `cost` for each of `lots`, and get PAR for each lot held opposite that this closes.

    Resting orders may have covered the closed lots. These orders then reserve their cost
    again, out of the PAR that a closed lot pays: every cost is below PAR. So cash never falls
    by more than the trade's own cost, for which the order has been funded.
    """
    account = holding.account
    opposite = -direction * holding.lots
    holding.lots += direction * lots
    if opposite > 0:
        closed = lots if lots < opposite else opposite
        account.cash += closed * PAR_TICKS - lots * cost
        excess = holding.covered - (opposite - closed)
        if excess > 0:
            _uncover(holding, excess)
    else:
        account.cash -= lots * cost
    state.touched_accounts[account.name] = account
    state.touched_holdings[holding] = None


def _uncover(holding: Holding, lots: int) -> None:
    """Make the newest covering orders reserve for `lots` that are no longer there to close."""
    account = holding.account
    holding.covered -= lots
    while lots:
        order_id, order = holding.covering.popitem()
        taken = order.cover if order.cover < lots else lots
        order.cover -= taken
        lots -= taken
        if order.cover:
            holding.covering[order_id] = order
        reserve = taken * order.level.cost
        account.cash -= reserve
        account.reserved += reserve


def empty(state: State, book: Book) -> None:
    """Cancel every order of `book`, best first."""
    for side in (book.bids, book.asks):
        for level in side.walk():
            for order in level:
                _cancel_in_place(state, order, level.cost)
        if side.best:
            state.touched_books[book.symbol] = book
        side.clear()
    for holding in book.holdings.values():
        holding.buying = holding.selling = holding.covered = 0
        holding.covering = {}


def _cancel_in_place(state: State, order: RestingOrder, cost: int) -> None:
    account = order.owner.account
    release = (order.lots - order.cover) * cost
    account.reserved -= release
    account.cash += release
    state.touched_accounts[account.name] = account
    del state.orders[order.id], account.orders[order.id]


def settle(state: State, book: Book, value_ticks: int) -> None:
    """Pay every long lot `value_ticks` and every short lot the rest of par."""
    for holding in book.holdings.values():
        lots = holding.lots
        if lots:
            account = holding.account
            paid = lots * value_ticks if lots > 0 else -lots * (PAR_TICKS - value_ticks)
            account.cash += paid
            holding.lots = 0
            state.touched_accounts[account.name] = account
            state.touched_holdings[holding] = None
    book.holdings = {
        name: holding
        for name, holding in book.holdings.items()
        if holding in state.touched_holdings
    }
