"""POST /orders and POST /cancel: what a trader asks of the exchange."""

import uuid
from typing import Any, Final

from fastapi import APIRouter, Response

from schemas.codec import encode
from schemas.commands import OrderCommand, PlaceOrder, PlaceOrders
from schemas.http import COMMAND_ERRORS, errors
from schemas.subjects import EXCHANGE, order_command
from streams.accounts.quotas import may_rest
from streams.gateway.auth import Caller, SessionCaller
from streams.gateway.models import (
    BatchedAck,
    CancelAck,
    CancelIn,
    CancelOutcome,
    OrderAck,
    OrderOutcome,
    OrdersAck,
    OrdersIn,
    OrdersOutcome,
    PlaceOrderIn,
)
from streams.gateway.outcomes import Outcome
from streams.gateway.routes.common import Wait, reply
from streams.gateway.translate import (
    cancel,
    cancel_outcome,
    order_id,
    order_outcomes,
    place_order,
    place_orders,
)

_PLACE_DOC = """Place one order, or up to 100 in one message (`{"orders": […]}`).

**202** as soon as the command is durable on the log. With `?wait=outcome` **200** with what
the exchange decided, rejections included (`status`, `code`); should that take longer than 10
seconds, 202 as without it.

**Retrying is safe**: a client order id is carried out at most once per account. A retry is
stored as a message of its own, which the exchange answers as a duplicate: with
`?wait=outcome` you get `status: "duplicate"` and the *original* order's id; without it you
get the ids that this message would have had, and the original order keeps its own. Repeat
`client_time_ns` with the retry: it bounds how late a retry can still be carried out.
"""
_CANCEL_DOC = """Cancel one order by its id, or all of the account's orders in one symbol or in
all. With `?wait=outcome` **200** and what was cancelled; an order that is no longer open is
no error (`status: "not_open"`).
"""


_ERRORS: Final = errors(*COMMAND_ERRORS, 401, 404)
_DURABLE: Final = {"description": "Durable on the log."}
_PLACED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": OrderOutcome | OrdersOutcome, "description": "Decided."},
    202: _DURABLE,
    **_ERRORS,
}
_CANCELLED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": CancelOutcome, "description": "Decided."},
    202: _DURABLE,
    **_ERRORS,
}

router: Final = APIRouter(tags=["orders"])


@router.post(
    "/order",
    summary="Place orders (alias)",
    description=_PLACE_DOC,
    status_code=202,
    response_model=OrderAck | OrdersAck,
    responses=_PLACED,
)
@router.post(
    "/orders",
    summary="Place orders",
    description=_PLACE_DOC,
    status_code=202,
    response_model=OrderAck | OrdersAck,
    responses=_PLACED,
)
async def place(caller: SessionCaller, body: OrdersIn, wait: Wait = None) -> Response:
    context = caller.context
    context.check_ready()
    markets, now_ns = context.directory.markets, context.clock.now_ns()
    command: PlaceOrder | PlaceOrders
    if isinstance(body, PlaceOrderIn):
        command = place_order(body, markets, now_ns)
    else:
        command = place_orders(body, markets, now_ns)
    sequence, outcome = await _submit(caller, command, wait is not None)
    if outcome is None:
        return reply(202, _ack(command, sequence))
    orders = order_outcomes(command, sequence, outcome.events)
    if isinstance(command, PlaceOrder):
        return reply(200, orders[0])
    return reply(200, OrdersOutcome(sequence=sequence, orders=orders))


@router.post(
    "/cancel",
    summary="Cancel orders",
    description=_CANCEL_DOC,
    status_code=202,
    response_model=CancelAck,
    responses=_CANCELLED,
)
async def cancel_orders(caller: SessionCaller, body: CancelIn, wait: Wait = None) -> Response:
    context = caller.context
    context.check_ready()
    client_id = body.client_id or uuid.uuid4().hex
    command = cancel(body, context.directory.markets, client_id, context.clock.now_ns())
    sequence, outcome = await _submit(caller, command, wait is not None)
    if outcome is None:
        return reply(202, CancelAck(sequence=sequence, client_id=client_id))
    return reply(200, cancel_outcome(client_id, sequence, outcome.events))


async def _submit(caller: Caller, command: OrderCommand, wait: bool) -> tuple[int, Outcome | None]:
    context, account = caller
    if wait:
        context.outcomes.admit()
    payload = encode(command)
    with context.quotas.request(account):
        context.quotas.admit_command(account, len(payload))
        await context.quotas.admit_orders(account, may_rest(command))
        subject = order_command(context.log.shard, account)
        sequence = await context.appender.append(subject, payload)
        return sequence, await context.outcomes.wait(EXCHANGE, sequence) if wait else None


def _ack(command: PlaceOrder | PlaceOrders, sequence: int) -> OrderAck | OrdersAck:
    if isinstance(command, PlaceOrder):
        return OrderAck(
            sequence=sequence,
            order_id=order_id(sequence),
            client_order_id=command.client_order_id,
        )
    acks = [
        BatchedAck(order_id=order_id(sequence, index), client_order_id=order.client_order_id)
        for index, order in enumerate(command.orders)
    ]
    return OrdersAck(sequence=sequence, orders=acks)
