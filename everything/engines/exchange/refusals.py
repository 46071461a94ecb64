"""Refusals: the events that say why something was not carried out.

What they echo of a hostile message is bounded, so that no event outgrows its record.
"""

from typing import Final

from everything.schemas.commands import Order, PlaceOrder
from everything.schemas.errors import Refusal
from everything.schemas.events.exchange import CommandRefused, OrderRejected
from everything.schemas.limits import MAX_CLIENT_ID_CHARS, MAX_DETAIL_CHARS, MAX_SYMBOL_CHARS
from everything.schemas.subjects import is_account

NO_ACCOUNT: Final = ""
"""Stands for an account whose name cannot be one."""


def rejected(
    sequence: int,
    order_id: int,
    account: str,
    order: PlaceOrder | Order,
    code: Refusal,
    duplicate_of: int | None = None,
) -> OrderRejected:
    """Say that one order was not taken."""
    return OrderRejected(
        sequence,
        order_id,
        account if is_account(account) else NO_ACCOUNT,
        order.client_order_id[:MAX_CLIENT_ID_CHARS],
        order.symbol[:MAX_SYMBOL_CHARS],
        code.value,
        duplicate_of,
    )


def refused(
    sequence: int, account: str, client_id: str, code: Refusal, detail: str = ""
) -> CommandRefused:
    """Say that a command was not carried out."""
    return CommandRefused(
        sequence,
        account if is_account(account) else NO_ACCOUNT,
        client_id[:MAX_CLIENT_ID_CHARS],
        code.value,
        detail[:MAX_DETAIL_CHARS],
    )
