"""POST /orders and POST /cancel: what a trader asks of the exchange."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from schemas.codec import encode
from schemas.commands import OrderCommand, PlaceOrder, PlaceOrders
from schemas.subjects import EXCHANGE, order_command
from streams.gateway.auth import create_account_dependency
from streams.gateway.context import GatewayContext
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
from streams.gateway.routes.common import Wait, errors, reply
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


def create_order_router(context: GatewayContext) -> APIRouter:
    """Return the routes by which an account trades."""
    router = APIRouter(tags=["orders"])
    account_of_session = create_account_dependency(context)
    markets = context.directory.markets
    clock = context.clock

    async def submit(account: str, command: OrderCommand, wait: bool) -> tuple[int, Outcome | None]:
        if wait:
            context.outcomes.admit()
        subject = order_command(context.log.shard, account)
        sequence = await context.appender.append(subject, encode(command))
        return sequence, await context.outcomes.wait(EXCHANGE, sequence) if wait else None

    async def place(
        body: OrdersIn,
        account: Annotated[str, Depends(account_of_session)],
        wait: Wait = None,
    ) -> Response:
        context.check_ready()
        command: PlaceOrder | PlaceOrders
        if isinstance(body, PlaceOrderIn):
            command = place_order(body, markets, clock.now_ns())
        else:
            command = place_orders(body, markets, clock.now_ns())
        sequence, outcome = await submit(account, command, wait is not None)
        if outcome is None:
            return reply(202, _ack(command, sequence))
        orders = order_outcomes(command, sequence, outcome.events)
        if isinstance(command, PlaceOrder):
            return reply(200, orders[0])
        return reply(200, OrdersOutcome(sequence=sequence, orders=orders))

    documented: dict[str, Any] = {
        "status_code": 202,
        "response_model": OrderAck | OrdersAck,
        "responses": {
            200: {"model": OrderOutcome | OrdersOutcome, "description": "Decided."},
            202: {"description": "Durable on the log."},
            **errors(401, 404),
        },
        "description": _PLACE_DOC,
    }
    router.post("/orders", summary="Place orders", **documented)(place)
    router.post("/order", summary="Place orders (alias)", **documented)(place)

    @router.post(
        "/cancel",
        summary="Cancel orders",
        status_code=202,
        response_model=CancelAck,
        responses={
            200: {"model": CancelOutcome, "description": "Decided."},
            202: {"description": "Durable on the log."},
            **errors(401, 404),
        },
        description=_CANCEL_DOC,
    )
    async def cancel_orders(
        body: CancelIn,
        account: Annotated[str, Depends(account_of_session)],
        wait: Wait = None,
    ) -> Response:
        context.check_ready()
        client_id = body.client_id or uuid.uuid4().hex
        command = cancel(body, markets, client_id, clock.now_ns())
        sequence, outcome = await submit(account, command, wait is not None)
        if outcome is None:
            return reply(202, CancelAck(sequence=sequence, client_id=client_id))
        return reply(200, cancel_outcome(client_id, sequence, outcome.events))

    return router


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
