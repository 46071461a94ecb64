"""Snapshot: the whole state as canonical bytes, and back.

MessagePack of flat rows: accounts are named by their index, and a level is its cost and
then four integers for each order in the order of time. Derived values are not written.

The codec and the order of the fields stay as they are within a decider: hashes of these bytes
stand on logs.
"""

from collections.abc import Iterable

import msgspec

from engines.exchange.accounts import Account, Holding, OwnOrder
from engines.exchange.audit import audit
from engines.exchange.book import Book, BookSide, RestingOrder
from engines.exchange.state import State
from schemas.policy import ExchangePolicy

_Ids = dict[str, dict[str, int]]
"""By account and client id."""

_LevelRow = tuple[int, list[int]]
"""Its cost; then order id, account index, lots and cover of each order."""


class _AccountRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    name: str
    public_key: str
    cash: int
    reserved: int


class _BookRow(msgspec.Struct, array_like=True, frozen=True):
    symbol: str
    tick_ticks: int
    status: str
    holdings: list[int]
    """Account index and lots of each."""
    bids: list[_LevelRow]
    asks: list[_LevelRow]


class _Snapshot(msgspec.Struct, array_like=True, frozen=True):
    venue_id: str
    policy: ExchangePolicy
    minted_cents: int
    last_trade_id: int
    last_cause: int
    accounts: list[_AccountRow]
    books: list[_BookRow]
    ids_now: _Ids
    ids_before: _Ids
    remember_until_ns: int
    touched_accounts: list[str]
    touched_holdings: list[tuple[str, str]]
    """Symbol and account of each."""
    touched_books: list[str]
    opened: list[int]
    """Index of each unused account without a time to lapse; then those that have one."""
    scheduled: list[int]
    lapse_ns: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Snapshot).decode


def dump(state: State) -> bytes:
    """Return the state's canonical bytes. Raises BrokenInvariant if its money is not right."""
    audit(state)
    for index, account in enumerate(state.accounts.values()):
        account.index = index
    return _encode(
        _Snapshot(
            state.venue_id,
            state.policy,
            state.minted_cents,
            state.last_trade_id,
            state.last_cause,
            [
                _AccountRow(a.name, a.public_key, a.cash, a.reserved)
                for a in state.accounts.values()
            ],
            [_dump_book(book) for book in state.books.values()],
            {name: account.ids_now for name, account in state.ids.now.items()},
            {name: account.ids_before for name, account in state.ids.before.items()},
            state.ids.remember_until_ns,
            list(state.touched_accounts),
            [(holding.symbol, holding.account.name) for holding in state.touched_holdings],
            list(state.touched_books),
            [account.index for account in state.unused.opened.values()],
            [account.index for account in state.unused.scheduled.values()],
            state.unused.lapse_ns,
        )
    )


def load(data: bytes) -> State:
    """Return the state that `dump` wrote."""
    read = _decode(data)
    state = State()
    state.venue_id = read.venue_id
    state.policy = read.policy
    state.minted_cents = read.minted_cents
    state.last_trade_id = read.last_trade_id
    state.last_cause = read.last_cause
    state.ids.remember_until_ns = read.remember_until_ns
    accounts = [_load_account(row) for row in read.accounts]
    state.accounts = {account.name: account for account in accounts}
    state.unused.opened = {accounts[index].name: accounts[index] for index in read.opened}
    state.unused.scheduled = {accounts[index].name: accounts[index] for index in read.scheduled}
    state.unused.lapse_ns = read.lapse_ns
    for name, ids in read.ids_now.items():
        account = state.ids.now[name] = state.accounts[name]
        account.ids_now = ids
    for name, ids in read.ids_before.items():
        account = state.ids.before[name] = state.accounts[name]
        account.ids_before = ids
    for row in read.books:
        state.books[row.symbol] = _load_book(state, accounts, row)
    state.touched_accounts = {name: state.accounts[name] for name in read.touched_accounts}
    state.touched_holdings = {
        state.books[symbol].holdings[name]: None for symbol, name in read.touched_holdings
    }
    state.touched_books = {symbol: state.books[symbol] for symbol in read.touched_books}
    return state


def _dump_book(book: Book) -> _BookRow:
    holdings: list[int] = []
    for holding in book.holdings.values():
        holdings += (holding.account.index, holding.lots)
    bids, asks = _dump_side(book.bids), _dump_side(book.asks)
    return _BookRow(book.symbol, book.tick_ticks, book.status, holdings, bids, asks)


def _dump_side(side: BookSide) -> list[_LevelRow]:
    rows: list[_LevelRow] = []
    for level in side.walk():
        flat: list[int] = []
        order = level.head
        while order is not None:
            flat += (order.id, order.owner.account.index, order.lots, order.cover)
            order = order.next
        rows.append((level.cost, flat))
    return rows


def _load_account(row: _AccountRow) -> Account:
    account = Account(row.name, row.public_key)
    account.cash, account.reserved = row.cash, row.reserved
    return account


def _load_book(state: State, accounts: list[Account], row: _BookRow) -> Book:
    book = Book(row.symbol, row.tick_ticks, row.status)
    by_index: dict[int, Holding] = {}
    for at in range(0, len(row.holdings), 2):
        index, lots = row.holdings[at : at + 2]
        holding = by_index[index] = Holding(accounts[index], row.symbol, lots)
        book.holdings[holding.account.name] = holding
    _load_side(state, by_index, book.bids, row.bids)
    _load_side(state, by_index, book.asks, row.asks)
    for holding in by_index.values():
        if holding.covering:
            _restore_covering(holding, holding.covering.values())
    return book


def _load_side(
    state: State, holdings: dict[int, Holding], side: BookSide, levels: list[_LevelRow]
) -> None:
    buys = side.direction > 0
    for cost, flat in levels:
        for at in range(0, len(flat), 4):
            order_id, index, lots, cover = flat[at : at + 4]
            owner = holdings[index]
            order = RestingOrder(order_id, owner, lots, cover)
            side.add(order, cost)
            state.orders[order_id] = owner.account.orders[order_id] = order
            if cover:
                owner.covering[order_id] = order
            if buys:
                owner.buying += lots
            else:
                owner.selling += lots


def _restore_covering(holding: Holding, orders: Iterable[OwnOrder]) -> None:
    """Put the covering orders back into the order of time, which is that of their ids."""
    holding.covering = {order.id: order for order in sorted(orders, key=lambda o: o.id)}
    holding.covered = sum(order.cover for order in holding.covering.values())
