"""Between the edge's words and the log's: requests to commands, events to outcomes.

The gateway refuses what cannot be meant (unknown symbol, price or quantity outside of what
exists); every rule that depends on the state of accounts and books is the exchange's.
"""

from collections.abc import Container, Sequence

from schemas.commands import CancelAll, CancelOrder, Order, PlaceOrder, PlaceOrders
from schemas.errors import InputError, Refusal
from schemas.events import Event
from schemas.events.exchange import (
    CommandRefused,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
    Traded,
)
from schemas.limits import MAX_BATCH_ORDERS, MAX_QUANTITY_LOTS
from schemas.units import MAX_ORDER_TICKS, MIN_ORDER_TICKS, from_decimal, to_decimal
from streams.gateway.errors import RefusedAt
from streams.gateway.models import (
    CancelIn,
    CancelOutcome,
    OrderIn,
    OrderOutcome,
    OrderStatus,
    OutcomeFill,
    PlaceOrderIn,
    PlaceOrdersIn,
)


def order_id(sequence: int, index: int = 0) -> int:
    """Return the id of the order at `index` of the command at `sequence`."""
    return sequence * MAX_BATCH_ORDERS + index


def place_order(body: PlaceOrderIn, symbols: Container[str], now_ns: int) -> PlaceOrder:
    """Return the command for one order. Raises RefusedAt."""
    return PlaceOrder(
        client_order_id=body.client_order_id,
        client_time_ns=_client_time(body.client_time_ns, now_ns),
        symbol=_symbol(body.symbol, symbols, ""),
        side=body.side,
        quantity_lots=_quantity_lots(body, ""),
        order_type=body.type,
        price_ticks=_price_ticks(body, ""),
        time_in_force=body.time_in_force,
        post_only=body.post_only,
    )


def place_orders(body: PlaceOrdersIn, symbols: Container[str], now_ns: int) -> PlaceOrders:
    """Return the command for a batch. Raises RefusedAt for the first order that is refused."""
    return PlaceOrders(
        client_time_ns=_client_time(body.client_time_ns, now_ns),
        orders=[
            _order(order, symbols, f"orders[{index}].") for index, order in enumerate(body.orders)
        ],
    )


def _order(order: OrderIn, symbols: Container[str], at: str) -> Order:
    return Order(
        client_order_id=order.client_order_id,
        symbol=_symbol(order.symbol, symbols, at),
        side=order.side,
        quantity_lots=_quantity_lots(order, at),
        order_type=order.type,
        price_ticks=_price_ticks(order, at),
        time_in_force=order.time_in_force,
        post_only=order.post_only,
    )


def cancel(
    body: CancelIn, symbols: Container[str], client_id: str, now_ns: int
) -> CancelOrder | CancelAll:
    """Return the command that cancels what `body` names. Raises InputError or RefusedAt."""
    named = [body.order_id is not None, body.symbol is not None, body.all is not None]
    if sum(named) != 1:
        raise InputError("give exactly one of order_id, symbol and all")
    time_ns = _client_time(body.client_time_ns, now_ns)
    if body.order_id is not None:
        return CancelOrder(client_id, time_ns, body.order_id)
    symbol = _symbol(body.symbol, symbols, "") if body.symbol is not None else None
    return CancelAll(client_id, time_ns, symbol)


def _client_time(given_ns: int | None, now_ns: int) -> int:
    return now_ns if given_ns is None else given_ns


def _symbol(symbol: str, symbols: Container[str], at: str) -> str:
    if symbol not in symbols:
        raise RefusedAt(Refusal.UNKNOWN_SYMBOL, f"{at}symbol", f"there is no market {symbol!r}")
    return symbol


def _quantity_lots(order: OrderIn, at: str) -> int:
    if not 1 <= order.quantity <= MAX_QUANTITY_LOTS:
        problem = f"a quantity is 1 to {MAX_QUANTITY_LOTS}"
        raise RefusedAt(Refusal.QUANTITY_OUT_OF_RANGE, f"{at}quantity", problem)
    return order.quantity


def _price_ticks(order: OrderIn, at: str) -> int | None:
    if order.price is None:
        return None
    try:
        ticks = from_decimal(order.price)
    except ValueError as error:
        raise RefusedAt(Refusal.PRICE_OFF_GRID, f"{at}price", str(error)) from error
    if not MIN_ORDER_TICKS <= ticks <= MAX_ORDER_TICKS:
        problem = f"a price is {to_decimal(MIN_ORDER_TICKS)} to {to_decimal(MAX_ORDER_TICKS)}"
        raise RefusedAt(Refusal.PRICE_OUT_OF_RANGE, f"{at}price", problem)
    return ticks


def order_outcomes(
    command: PlaceOrder | PlaceOrders, sequence: int, events: Sequence[Event]
) -> list[OrderOutcome]:
    """Return what became of each order of the command at `sequence`."""
    orders: Sequence[PlaceOrder | Order] = (
        command.orders if isinstance(command, PlaceOrders) else [command]
    )
    judged: dict[int, OrderPlaced | OrderRejected] = {}
    fills: dict[int, list[OutcomeFill]] = {}
    refused: CommandRefused | None = None
    for event in events:
        match event:
            case OrderPlaced() | OrderRejected():
                judged[event.order_id] = event
            case Traded():
                fills.setdefault(event.taker_order_id, []).append(_fill(event))
            case CommandRefused():
                refused = event
            case _:
                pass
    return [
        _refused(order, sequence, index, refused)
        if refused
        else _judged(sequence, judged[order_id(sequence, index)], fills)
        for index, order in enumerate(orders)
    ]


def _refused(
    order: PlaceOrder | Order, sequence: int, index: int, event: CommandRefused
) -> OrderOutcome:
    return OrderOutcome(
        sequence=sequence,
        order_id=order_id(sequence, index),
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        status="rejected",
        code=event.code,
    )


def _judged(
    sequence: int, event: OrderPlaced | OrderRejected, fills: dict[int, list[OutcomeFill]]
) -> OrderOutcome:
    if isinstance(event, OrderRejected):
        original = event.duplicate_of
        return OrderOutcome(
            sequence=sequence,
            order_id=event.order_id if original is None else original,
            client_order_id=event.client_order_id,
            symbol=event.symbol,
            status="rejected" if original is None else "duplicate",
            code=event.code,
        )
    return OrderOutcome(
        sequence=sequence,
        order_id=event.order_id,
        client_order_id=event.client_order_id,
        symbol=event.symbol,
        status=_status(event),
        filled=event.filled_lots,
        resting=event.resting_lots,
        cancelled=event.cancelled_lots,
        cancel_reason=event.cancel_reason or None,
        fills=fills.get(event.order_id, []),
    )


def _status(event: OrderPlaced) -> OrderStatus:
    if event.resting_lots:
        return "placed"
    return "cancelled" if event.cancelled_lots else "filled"


def _fill(event: Traded) -> OutcomeFill:
    return OutcomeFill(
        trade_id=event.trade_id,
        price=to_decimal(event.price_ticks),
        quantity=event.quantity_lots,
        maker_order_id=event.maker_order_id,
    )


def cancel_outcome(client_id: str, sequence: int, events: Sequence[Event]) -> CancelOutcome:
    """Return what became of the cancel command at `sequence`."""
    order_ids: list[int] = []
    code: str | None = None
    for event in events:
        if isinstance(event, OrdersCancelled):
            order_ids.extend(event.order_ids)
        elif isinstance(event, CommandRefused):
            code = event.code
    if code is not None and code != Refusal.ORDER_NOT_OPEN:
        return CancelOutcome(sequence=sequence, client_id=client_id, status="rejected", code=code)
    return CancelOutcome(
        sequence=sequence,
        client_id=client_id,
        status="cancelled" if order_ids else "not_open",
        order_ids=order_ids,
    )
