"""Decide: orders and cancels, judged against the state without touching it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, cast

from engines.exchange.accounts import Account, Holding
from engines.exchange.book import BUY, SELL, Book
from engines.exchange.client_ids import admit, used_for
from engines.exchange.decide.matching import Fills, funds_after, match
from engines.exchange.decide.refusals import refused, rejected, sayable
from engines.exchange.limits import MAX_TRADES_PER_COMMAND, MAX_TRADES_PER_ORDER
from engines.exchange.state import State
from schemas.commands import (
    CancelAll,
    CancelOrder,
    Order,
    OrderCommand,
    PlaceOrder,
    PlaceOrders,
)
from schemas.errors import Refusal
from schemas.events.exchange import (
    CancelReason,
    Event,
    OrderPlaced,
    OrdersCancelled,
    Traded,
)
from schemas.limits import MAX_BATCH_ORDERS, MAX_QUANTITY_LOTS
from schemas.units import MAX_ORDER_TICKS, MIN_ORDER_TICKS, PAR_TICKS

_TRADING_ENDED: Final = {
    "halted": Refusal.MARKET_HALTED,
    "closed": Refusal.MARKET_CLOSED,
    "settled": Refusal.MARKET_CLOSED,
}


def judge(
    state: State, sequence: int, account: str, command: OrderCommand, now_ns: int
) -> Iterable[Event]:
    """Return what an order command leads to."""
    # By exact type: `match` would ask isinstance, which costs more than most of the rest if
    # the Struct is not one.
    if type(command) is PlaceOrder:
        order_id = sequence * MAX_BATCH_ORDERS
        sent_ns = command.client_time_ns
        return place(
            state, sequence, order_id, account, command, sent_ns, now_ns, MAX_TRADES_PER_ORDER
        )
    if type(command) is CancelOrder:
        return (_cancel_order(state, sequence, account, command, now_ns),)
    if type(command) is CancelAll:
        return (_cancel_all(state, sequence, account, command, now_ns),)
    return _place_all(state, sequence, account, cast(PlaceOrders, command), now_ns)


def _place_all(
    state: State, sequence: int, account: str, command: PlaceOrders, now_ns: int
) -> Iterable[Event]:
    count = len(command.orders)
    if not count:
        return (refused(sequence, sayable(account), "", Refusal.NO_ORDERS),)
    if count > MAX_BATCH_ORDERS:
        code, detail = Refusal.TOO_MANY_ORDERS, str(count)
        return (refused(sequence, sayable(account), "", code, detail),)
    return _place_each(state, sequence, account, command, now_ns)


def _place_each(
    state: State, sequence: int, account: str, command: PlaceOrders, now_ns: int
) -> Iterator[Event]:
    """Yield the outcomes of a batch, each order judged by what those before it left.

    The kernel applies each event before it asks for the next one. So a batch leads to the same
    as its orders one after the other.
    """
    trades = MAX_TRADES_PER_COMMAND
    order_id = sequence * MAX_BATCH_ORDERS
    for order in command.orders:
        at_most = min(trades, MAX_TRADES_PER_ORDER)
        events = place(
            state, sequence, order_id, account, order, command.client_time_ns, now_ns, at_most
        )
        yield from events
        trades -= len(events) - 1
        order_id += 1


def place(
    state: State,
    sequence: int,
    order_id: int,
    name: str,
    order: PlaceOrder | Order,
    client_time_ns: int,
    now_ns: int,
    max_trades: int,
) -> Sequence[Event]:
    """Return the outcome of one order: OrderPlaced with its trades, or OrderRejected."""
    account = state.accounts.get(name)
    if account is None:
        name = sayable(name)
        return (rejected(sequence, order_id, name, order, Refusal.UNKNOWN_ACCOUNT),)
    code = admit(account, order.client_order_id, client_time_ns, now_ns)
    if code is not None:
        first = used_for(account, order.client_order_id)
        duplicate_of = first if code is Refusal.DUPLICATE and first > 0 else None
        return (rejected(sequence, order_id, name, order, code, duplicate_of),)
    name = account.name
    symbol = order.symbol
    book = state.books.get(symbol)
    if book is None:
        return (rejected(sequence, order_id, name, order, Refusal.UNKNOWN_SYMBOL),)
    code = _terms(book, order)
    if code is not None:
        return (rejected(sequence, order_id, name, order, code),)

    direction, cost, opposite = BUY, order.price_ticks, book.asks
    if order.side == "sell":
        direction, opposite = SELL, book.bids
        cost = PAR_TICKS - cost if cost is not None else None
    if cost is None:
        cost = MAX_ORDER_TICKS
    holding = book.holdings.get(name)
    fills: Fills = ()
    quantity = left = order.quantity_lots
    stop: CancelReason = ""
    own_order_id = None
    if cost + opposite.best >= PAR_TICKS:
        if order.post_only:
            return (rejected(sequence, order_id, name, order, Refusal.WOULD_CROSS),)
        fills, left, stop, own_order_id = match(opposite, cost, quantity, holding, max_trades)
    if left and not stop and (order.time_in_force != "gtc" or order.price_ticks is None):
        stop = "ioc" if order.order_type == "limit" else "no_liquidity"
    resting = 0 if stop else left
    code = _bounds(state, account, holding, order, direction, cost, fills, left, resting)
    if code is not None:
        return (rejected(sequence, order_id, name, order, code),)
    placed = OrderPlaced(
        sequence,
        order_id,
        name,
        order.client_order_id,
        symbol,
        order.side,
        order.order_type,
        order.time_in_force,
        order.price_ticks,
        quantity,
        quantity - left,
        resting,
        left - resting,
        stop,
        own_order_id,
    )
    return _with_trades(state, placed, fills) if fills else (placed,)


def _terms(book: Book, order: PlaceOrder | Order) -> Refusal | None:
    """Return what is wrong with the order by itself, whatever else is in the book."""
    if book.status != "open":
        return _TRADING_ENDED[book.status]
    if not 0 < order.quantity_lots <= MAX_QUANTITY_LOTS:
        return Refusal.QUANTITY_OUT_OF_RANGE
    price = order.price_ticks
    if order.order_type == "limit":
        if price is None:
            return Refusal.PRICE_MISSING
        if not MIN_ORDER_TICKS <= price <= MAX_ORDER_TICKS:
            return Refusal.PRICE_OUT_OF_RANGE
        if price % book.tick_ticks:
            return Refusal.PRICE_OFF_GRID
        if order.post_only and order.time_in_force != "gtc":
            return Refusal.BAD_COMBINATION
    elif price is not None:
        return Refusal.PRICE_NOT_ALLOWED
    elif order.post_only:
        return Refusal.BAD_COMBINATION
    return None


def _bounds(
    state: State,
    account: Account,
    holding: Holding | None,
    order: PlaceOrder | Order,
    direction: int,
    cost: int,
    fills: Fills,
    left: int,
    resting: int,
) -> Refusal | None:
    """Return which bound of the account the order would pass, or None."""
    if left and order.time_in_force == "fok":
        return Refusal.NOT_FILLABLE
    policy = state.policy
    if resting and len(account.orders) >= policy.max_open_orders:
        return Refusal.OPEN_ORDER_LIMIT
    taken = order.quantity_lots - left + resting
    closes = False
    if holding is not None:
        taken += holding.exposure(direction)
        closes = direction * holding.lots < 0
    if taken > policy.max_position_lots:
        return Refusal.POSITION_LIMIT
    if fills or closes:
        funds = funds_after(account, holding, direction, fills, resting, cost)
    else:
        funds = account.cash - resting * cost
    return Refusal.INSUFFICIENT_FUNDS if funds < 0 else None


def _with_trades(state: State, placed: OrderPlaced, fills: Fills) -> Sequence[Event]:
    """Return the placed order followed by its trades."""
    events: list[Event] = [placed]
    trade_id = state.last_trade_id
    for maker, lots in fills:
        trade_id += 1
        level = maker.level
        events.append(
            Traded(
                placed.cause,
                trade_id,
                placed.symbol,
                level.cost if level.side.direction > 0 else PAR_TICKS - level.cost,
                lots,
                placed.side,
                placed.order_id,
                placed.account,
                maker.id,
                maker.owner.account.name,
                maker.lots - lots,
            )
        )
    return events


def _cancel_order(
    state: State, sequence: int, name: str, command: CancelOrder, now_ns: int
) -> Event:
    """Return the outcome of one cancel. An order that is gone cannot be cancelled: refused."""
    account = state.accounts.get(name)
    if account is None:
        return refused(sequence, sayable(name), command.client_id, Refusal.UNKNOWN_ACCOUNT)
    code = admit(account, command.client_id, command.client_time_ns, now_ns)
    if code is not None:
        return _not_admitted(account, sequence, command.client_id, code)
    order = state.orders.get(command.order_id)
    if order is None:
        return refused(sequence, name, command.client_id, Refusal.ORDER_NOT_OPEN)
    if order.owner.account is not account:
        return refused(sequence, name, command.client_id, Refusal.NOT_YOUR_ORDER)
    return OrdersCancelled(sequence, name, command.client_id, [command.order_id])


def _cancel_all(state: State, sequence: int, name: str, command: CancelAll, now_ns: int) -> Event:
    """Return the outcome of a mass cancel: all the account's orders, oldest first."""
    account = state.accounts.get(name)
    if account is None:
        return refused(sequence, sayable(name), command.client_id, Refusal.UNKNOWN_ACCOUNT)
    code = admit(account, command.client_id, command.client_time_ns, now_ns)
    if code is not None:
        return _not_admitted(account, sequence, command.client_id, code)
    if command.symbol is None:
        chosen = sorted(account.orders)
    elif command.symbol in state.books:
        holding = state.books[command.symbol].holdings.get(name)
        chosen = []
        if holding is not None and (holding.buying or holding.selling):
            chosen = sorted(i for i, order in account.orders.items() if order.owner is holding)
    else:
        return refused(sequence, name, command.client_id, Refusal.UNKNOWN_SYMBOL)
    return OrdersCancelled(sequence, name, command.client_id, chosen)


def _not_admitted(account: Account, sequence: int, client_id: str, code: Refusal) -> Event:
    detail = ""
    if code is Refusal.DUPLICATE:
        first = used_for(account, client_id)
        used_at = first // MAX_BATCH_ORDERS if first > 0 else -first
        detail = f"first used at sequence {used_at}"
    return refused(sequence, account.name, client_id, code, detail)
