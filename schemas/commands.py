"""Commands: what an account asks for. The account is in the subject, not in the message.

`client_id` makes a command execute at most once: the exchange remembers it per account
until `client_time_ns` is too old to be accepted any more (the exchange's `STALE_AFTER_NS`).
Ranges are not checked by the decoder: what is out of range gets a refusal that says so.
"""

from typing import Literal

import msgspec

from schemas.codec import Codec, Message

Side = Literal["buy", "sell"]
OrderType = Literal["limit", "market"]
TimeInForce = Literal["gtc", "ioc", "fok"]


class Order(msgspec.Struct, kw_only=True, frozen=True):
    """One order of a batch. `client_order_id` is its client id; the price is absent for market."""

    client_order_id: str
    symbol: str
    side: Side
    quantity_lots: int
    order_type: OrderType = "limit"
    price_ticks: int | None = None
    time_in_force: TimeInForce = "gtc"
    post_only: bool = False


class PlaceOrder(Message, tag="place_order/1", frozen=True):
    """Ask for one order. Its order id will be `sequence * MAX_BATCH_ORDERS`."""

    client_order_id: str
    client_time_ns: int
    symbol: str
    side: Side
    quantity_lots: int
    order_type: OrderType = "limit"
    price_ticks: int | None = None
    time_in_force: TimeInForce = "gtc"
    post_only: bool = False


class PlaceOrders(Message, tag="place_orders/1", frozen=True):
    """Ask for up to MAX_BATCH_ORDERS orders, each with an outcome of its own.

    The order at index i gets the id `sequence * MAX_BATCH_ORDERS + i`.
    """

    client_time_ns: int
    orders: list[Order]


class CancelOrder(Message, tag="cancel_order/1", frozen=True):
    """Ask to take one resting order out of its book."""

    client_id: str
    client_time_ns: int
    order_id: int


class CancelAll(Message, tag="cancel_all/1", frozen=True):
    """Ask to take all of the account's resting orders out, in one symbol or in all."""

    client_id: str
    client_time_ns: int
    symbol: str | None = None


class OpenAccount(Message, tag="open_account/1", frozen=True):
    """Ask for an account that `public_key` will control.

    `signature` is by that key over `opening_bytes`, so nobody can open an account in the
    name of a key that they do not hold.
    """

    client_time_ns: int
    public_key: str
    signature: str


class AccountOpening(msgspec.Struct, kw_only=True, frozen=True):
    account: str
    public_key: str
    client_time_ns: int
    venue_id: str


OrderCommand = PlaceOrder | PlaceOrders | CancelOrder | CancelAll
AccountCommand = OpenAccount

ORDER_COMMANDS: Codec[OrderCommand] = Codec(OrderCommand)
ACCOUNT_COMMANDS: Codec[AccountCommand] = Codec(AccountCommand)
