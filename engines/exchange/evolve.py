"""Evolve: what each of the exchange's events does to its state."""

from typing import Final

from engines.exchange import money
from engines.exchange.accounts import Account, Holding
from engines.exchange.book import Book, RestingOrder
from engines.exchange.state import State
from engines.kernel import EventHandlers
from schemas.errors import BrokenInvariant
from schemas.events.exchange import (
    AccountLapsed,
    AccountOpened,
    BalancesChanged,
    BookClosed,
    BookHalted,
    BookOpened,
    BookResumed,
    BookSettled,
    CashCredited,
    CashReturned,
    CommandRefused,
    CreditRefused,
    IdsForgotten,
    LapseScheduled,
    LimitsSet,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
    PartChecked,
    ReviewersChecked,
    TopsChanged,
    Traded,
)
from schemas.units import PAR_TICKS


def _order_placed(state: State, event: OrderPlaced) -> None:
    """Use up the client id; put the resting lots into the book and reserve their cost.

    The order's trades follow in events of their own.
    """
    account = state.accounts[event.account]
    order_id = event.order_id
    state.ids.use(account, event.client_order_id, order_id)
    lots = event.resting_lots
    if not lots:
        return
    if lots < 0 or order_id in state.orders:
        raise BrokenInvariant(f"order {order_id} rests already, or {lots} lots of it")
    price = event.price_ticks
    if price is None:
        raise BrokenInvariant(f"order {order_id} rests without a price")
    book = state.books[event.symbol]
    holding = book.holdings.get(account.name) or _hold(state, book, account)
    order = RestingOrder(order_id, holding, lots)
    if event.side == "buy":
        side, cost = book.bids, price
        holding.buying += lots
    else:
        side, cost = book.asks, PAR_TICKS - price
        holding.selling += lots
    reserve = lots * cost
    if holding.lots:
        reserve -= money.cover(order, side.direction) * cost
    account.cash -= reserve
    account.reserved += reserve
    state.touched_accounts[account.name] = account
    side.add(order, cost)
    state.orders[order_id] = account.orders[order_id] = order
    if cost == side.best:
        state.touched_books[book.symbol] = book


def _traded(state: State, event: Traded) -> None:
    """Move lots and money between the two parties, at the maker's price."""
    maker = state.orders[event.maker_order_id]
    level, lots = maker.level, event.quantity_lots
    side = level.side
    if maker.lots - lots != event.maker_resting_lots or lots <= 0:
        raise BrokenInvariant(f"trade {event.trade_id}: maker {maker.id} has {maker.lots} lots")
    if level.cost != side.best:
        raise BrokenInvariant(f"trade {event.trade_id}: maker {maker.id} is not at the best price")
    state.last_trade_id = event.trade_id
    book = side.book
    taker = book.holdings.get(event.taker_account) or _hold(
        state, book, state.accounts[event.taker_account]
    )
    money.fill_resting(state, maker, lots)
    money.trade(state, taker, -side.direction, lots, PAR_TICKS - level.cost)


def _hold(state: State, book: Book, account: Account) -> Holding:
    """Make the holding of an account that had none here; by its first one it is used."""
    state.unused.use(account)
    return book.hold(account)


def _orders_cancelled(state: State, event: OrdersCancelled) -> None:
    state.ids.use(state.accounts[event.account], event.client_id, -event.cause)
    for order_id in event.order_ids:
        money.leave(state, state.orders[order_id])


def _account_opened(state: State, event: AccountOpened) -> None:
    if event.account in state.accounts:
        raise BrokenInvariant(f"account {event.account} is open already")
    account = Account(event.account, event.public_key)
    state.accounts[event.account] = account
    state.unused.opened[event.account] = account
    state.touched_accounts[event.account] = account


def _cash_credited(state: State, event: CashCredited) -> None:
    account = state.accounts[event.account]
    account.cash += event.amount_cents
    state.minted_cents += event.amount_cents
    state.touched_accounts[event.account] = account
    if event.reason == "mint":
        state.unused.use(account)


def _cash_returned(state: State, event: CashReturned) -> None:
    account = state.accounts[event.account]
    account.cash -= event.amount_cents
    state.minted_cents -= event.amount_cents
    state.touched_accounts[event.account] = account


def _account_lapsed(state: State, event: AccountLapsed) -> None:
    """Forget an unused account; all it had was given back before."""
    state.last_cause = event.cause
    account = state.unused.scheduled.pop(event.account)
    if account.cash or account.reserved or account.orders:
        raise BrokenInvariant(f"account {event.account} lapses with {account.cash} cents")
    state.ids.drop(account)
    state.touched_accounts.pop(event.account, None)
    del state.accounts[event.account]


def _lapse_scheduled(state: State, event: LapseScheduled) -> None:
    state.last_cause = event.cause
    state.unused.schedule(event.lapse_ns)


def _limits_set(state: State, event: LimitsSet) -> None:
    state.policy, state.venue_id = event.policy, event.venue_id


def _book_opened(state: State, event: BookOpened) -> None:
    book = state.books[event.symbol] = Book(event.symbol, event.tick_ticks)
    state.touched_books[event.symbol] = book


def _book_halted(state: State, event: BookHalted) -> None:
    state.books[event.symbol].status = "halted"


def _book_resumed(state: State, event: BookResumed) -> None:
    state.books[event.symbol].status = "open"


def _book_closed(state: State, event: BookClosed) -> None:
    book = state.books[event.symbol]
    money.empty(state, book)
    book.status = "closed"


def _book_settled(state: State, event: BookSettled) -> None:
    book = state.books[event.symbol]
    money.empty(state, book)
    money.settle(state, book, event.value_ticks)
    book.status = "settled"


def _ids_forgotten(state: State, event: IdsForgotten) -> None:
    state.last_cause = event.cause
    state.ids.forget(event.remember_until_ns)


def _nothing(
    state: State, event: OrderRejected | CommandRefused | CreditRefused | ReviewersChecked
) -> None:
    """Change nothing: refusals have no effect, and ReviewersChecked is for reality."""


def _balances_changed(state: State, event: BalancesChanged) -> None:
    """Check that the stated rows equal the state, and take them off the touched ones."""
    state.last_cause = event.cause
    for row in event.balances:
        account = state.touched_accounts.pop(row.account)
        cash, reserved = account.cash, account.reserved
        if cash != row.cash_cents or reserved != row.reserved_cents:
            raise BrokenInvariant(f"account {row.account}: stated {row}, is {cash}, {reserved}")
        if cash < 0 or reserved < 0:
            raise BrokenInvariant(f"account {row.account} is overdrawn: {cash}, {reserved}")
    for place in event.positions:
        book = state.books[place.symbol]
        holding = book.holdings[place.account]
        del state.touched_holdings[holding]
        if holding.lots != place.lots:
            raise BrokenInvariant(f"position {place} is {holding.lots}")
        if book.status == "settled":
            del book.holdings[place.account]


def _tops_changed(state: State, event: TopsChanged) -> None:
    """Check that the stated best prices are those of the books, and that no book is crossed."""
    state.last_cause = event.cause
    for row in event.tops:
        book = state.touched_books.pop(row.symbol)
        top = book.top()
        if top != (row.bid_ticks, row.bid_lots, row.ask_ticks, row.ask_lots):
            raise BrokenInvariant(f"stated {row}, is {top}")


EVENT_HANDLERS: Final[EventHandlers[State]] = {
    OrderPlaced: _order_placed,
    Traded: _traded,
    OrdersCancelled: _orders_cancelled,
    OrderRejected: _nothing,
    CommandRefused: _nothing,
    CreditRefused: _nothing,
    ReviewersChecked: _nothing,
    PartChecked: _nothing,
    BalancesChanged: _balances_changed,
    TopsChanged: _tops_changed,
    IdsForgotten: _ids_forgotten,
    AccountOpened: _account_opened,
    CashCredited: _cash_credited,
    CashReturned: _cash_returned,
    AccountLapsed: _account_lapsed,
    LapseScheduled: _lapse_scheduled,
    LimitsSet: _limits_set,
    BookOpened: _book_opened,
    BookHalted: _book_halted,
    BookResumed: _book_resumed,
    BookClosed: _book_closed,
    BookSettled: _book_settled,
}
