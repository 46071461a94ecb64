"""What stands in `payload` of the feed's envelopes.

Prices and amounts are decimals as strings, quantities are lots.
"""

from typing import Any, Final

import msgspec

from schemas.codec import Message, tag_of
from schemas.units import PAR_TICKS, to_decimal, to_fraction

PRICES: Final = tuple(to_decimal(ticks) for ticks in range(PAR_TICKS + 1))
"""All prices there can be, written once."""

_HUNDREDTHS: Final = ("_ticks", "_cents", "_e2")


class PublicTrade(msgspec.Struct, frozen=True, gc=False):
    """One trade, as anyone may see it."""

    trade_id: int
    price: str
    quantity: int
    taker_side: str


class FillUpdate(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="fill"):
    """One trade, as one of its two accounts sees it. `resting` is what is left in the book.

    For a taker it is None: its order's placement says what rests.
    """

    order_id: int
    trade_id: int
    symbol: str
    side: str
    role: str
    price: str
    quantity: int
    resting: int | None


class OrderPlacedUpdate(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="placed"):
    order_id: int
    client_order_id: str
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    price: str | None
    quantity: int
    filled: int
    resting: int
    cancelled: int
    cancel_reason: str


class OrderRejectedUpdate(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="rejected"):
    """`code` is a `Refusal`; `duplicate_of` the order that had the client id before."""

    order_id: int
    client_order_id: str
    symbol: str
    code: str
    duplicate_of: int | None


class OrdersCancelledUpdate(
    msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="cancelled"
):
    """`reason` is `request`, `book_closed` or `book_settled`; a request has its `client_id`."""

    order_ids: list[int]
    client_id: str
    reason: str


class BalanceUpdate(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="balance"):
    """How the account's money stands at the record's end."""

    cash: str
    reserved: str


class PositionUpdate(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="position"):
    """How one position stands at the record's end: long above zero, short below."""

    symbol: str
    quantity: int


def kind_of(event: Message) -> str:
    """Return the event's tag without its version."""
    return tag_of(type(event)).partition("/")[0]


def plain(event: Message, *without: str) -> dict[str, Any]:
    """Return an event's fields for the public edge: units become decimals, and lose their suffix.

    What is nested, such as a policy, keeps the names and units that it has on the log.
    """
    payload: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(event).items():
        if name in without:
            continue
        if name.endswith("_bp"):
            payload[name[:-3]] = to_fraction(value)
        elif name.endswith(_HUNDREDTHS):
            short = name[: name.rfind("_")]
            payload[short] = None if value is None else to_decimal(value)
        elif name.endswith("_lots"):
            payload[name[:-5]] = value
        else:
            payload[name] = value
    return payload
