"""Refusals: the events that say why something was not carried out.

Their copies of fields from hostile messages are cut, so that no event outgrows its record.
"""

from schemas.commands import Order, PlaceOrder
from schemas.errors import Refusal
from schemas.events.exchange import CommandRefused, OrderRejected
from schemas.limits import MAX_CLIENT_ID_CHARS, MAX_DETAIL_CHARS, MAX_SYMBOL_CHARS
from schemas.subjects import is_account


def sayable(account: str) -> str:
    """Return the name for a refusal: empty if `account` cannot name an account."""
    return account if is_account(account) else ""


def rejected(
    sequence: int,
    order_id: int,
    account: str,
    order: PlaceOrder | Order,
    code: Refusal,
    duplicate_of: int | None = None,
) -> OrderRejected:
    """Say that one order of a known or `sayable` account was not taken."""
    return OrderRejected(
        cause=sequence,
        order_id=order_id,
        account=account,
        client_order_id=order.client_order_id[:MAX_CLIENT_ID_CHARS],
        symbol=order.symbol[:MAX_SYMBOL_CHARS],
        code=code.value,
        duplicate_of=duplicate_of,
    )


def refused(
    sequence: int, account: str, client_id: str, code: Refusal, detail: str = ""
) -> CommandRefused:
    """Say that a command of a known or `sayable` account was not carried out."""
    return CommandRefused(
        cause=sequence,
        account=account,
        client_id=client_id[:MAX_CLIENT_ID_CHARS],
        code=code.value,
        detail=detail[:MAX_DETAIL_CHARS],
    )
