"""What traders ask for: a seeded mix of every kind of order command, good and bad."""

import random
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from schemas.codec import encode
from schemas.commands import (
    CancelAll,
    CancelOrder,
    Order,
    OrderCommand,
    PlaceOrder,
    PlaceOrders,
)
from schemas.limits import MAX_BATCH_ORDERS
from schemas.units import to_decimal

_SPREAD_TICKS: Final = 60
_MAX_LOTS: Final = 60
_ORDERS_REMEMBERED: Final = 400
_KINDS: Final = {
    "limit": 40,
    "post_only": 10,
    "ioc": 8,
    "fok": 6,
    "market": 6,
    "many": 8,
    "cancel": 12,
    "cancel_all": 2,
    "same_id": 3,
    "bad": 5,
}


class Asked(NamedTuple):
    """One command: its exact bytes, the client ids in it, and itself where it is well formed."""

    payload: bytes
    ids: tuple[str, ...]
    command: OrderCommand | None


class Mix:
    """One account's stream of commands. `strict` leaves out what an HTTP door would refuse."""

    def __init__(self, account: str, symbols: Sequence[str], seed: int, *, strict: bool) -> None:
        self.account = account
        self.random = random.Random(f"{seed} {account}")
        self._symbols = symbols
        self._strict = strict
        self._ids = 0
        self._run = f"{time.time_ns():x}"
        self._used: deque[str] = deque(maxlen=50)
        self._open: deque[int] = deque(maxlen=_ORDERS_REMEMBERED)

    def next(self) -> Asked:
        """Return the next command."""
        (kind,) = self.random.choices(list(_KINDS), list(_KINDS.values()))
        if kind == "bad":
            return self._bad()
        command: OrderCommand
        if kind == "many":
            count = self.random.randint(2, 20)
            command = PlaceOrders(time.time_ns(), [self._order() for _ in range(count)])
        elif kind == "cancel" and self._open:
            # Now and then one that is gone already.
            wanted = self.random.choice(self._open)
            command = CancelOrder(self._new_id(), time.time_ns(), wanted)
        elif kind == "cancel_all":
            symbol = self.random.choice([*self._symbols, None])
            command = CancelAll(self._new_id(), time.time_ns(), symbol)
        elif kind == "same_id" and self._used:
            command = self._place("limit", self.random.choice(self._used))
        else:
            command = self._place(kind, self._new_id())
        return _asked(command)

    def acked(self, asked: Asked, sequence: int) -> None:
        """Learn the ids that the command's orders have if they were taken."""
        match asked.command:
            case PlaceOrder(time_in_force="gtc", order_type="limit"):
                self._open.append(sequence * MAX_BATCH_ORDERS)
            case PlaceOrders(orders=orders):
                self._open.append(sequence * MAX_BATCH_ORDERS + len(orders) - 1)
            case _:
                pass

    def _new_id(self) -> str:
        self._ids += 1
        client_id = f"{self._run}-{self._ids}"
        self._used.append(client_id)
        return client_id

    def _place(self, kind: str, client_id: str) -> PlaceOrder:
        order = self._order(kind, client_id)
        fields = {name: getattr(order, name) for name in Order.__struct_fields__}
        return PlaceOrder(client_time_ns=time.time_ns(), **fields)

    def _order(self, kind: str = "limit", client_id: str | None = None) -> Order:
        rng = self.random
        index = rng.randrange(len(self._symbols))
        middle = 1_500 + 7_000 * index // len(self._symbols)
        market = kind == "market"
        return Order(
            client_order_id=client_id or self._new_id(),
            symbol=self._symbols[index],
            side="buy" if rng.random() < 0.5 else "sell",
            quantity_lots=rng.randint(1, _MAX_LOTS),
            order_type="market" if market else "limit",
            price_ticks=None if market else middle + rng.randint(-_SPREAD_TICKS, _SPREAD_TICKS),
            time_in_force="fok" if kind == "fok" else "ioc" if kind in ("ioc", "market") else "gtc",
            post_only=kind == "post_only",
        )

    def _bad(self) -> Asked:
        """Return what the exchange must refuse. Even that must not be lost or answered twice."""
        client_id = self._new_id()
        kinds = ["no_such_order"] if self._strict else ["symbol", "quantity", "type", "json"]
        match self.random.choice([*kinds, "no_such_order"]):
            case "symbol":
                bad = self._place("limit", client_id)
                return _asked(_changed(bad, symbol="NO-SUCH-MARKET"))
            case "quantity":
                return _asked(_changed(self._place("limit", client_id), quantity_lots=0))
            case "type":
                return Asked(b'{"type":"place_order/99","id":"%b"}' % client_id.encode(), (), None)
            case "json":
                return Asked(b'{"type":"place_order/1","%b' % client_id.encode(), (), None)
            case _:
                return _asked(CancelOrder(client_id, time.time_ns(), 1))


def _changed(order: PlaceOrder, **fields: Any) -> PlaceOrder:
    whole = {name: getattr(order, name) for name in PlaceOrder.__struct_fields__}
    return PlaceOrder(**{**whole, **fields})


def _asked(command: OrderCommand) -> Asked:
    ids = (
        tuple(order.client_order_id for order in command.orders)
        if isinstance(command, PlaceOrders)
        else (command.client_order_id if isinstance(command, PlaceOrder) else command.client_id,)
    )
    return Asked(encode(command), ids, command)


def http_request(command: OrderCommand) -> tuple[str, dict[str, Any]]:
    """Return the path and the body by which the HTTP door is asked for `command`."""
    body: dict[str, Any] = {"client_time_ns": command.client_time_ns}
    match command:
        case PlaceOrder():
            return "/orders", body | _order_body(command)
        case PlaceOrders(orders=orders):
            return "/orders", body | {"orders": [_order_body(order) for order in orders]}
        case CancelOrder():
            return "/cancel", body | {"client_id": command.client_id, "order_id": command.order_id}
        case CancelAll(symbol=None):
            return "/cancel", body | {"client_id": command.client_id, "all": True}
        case CancelAll():
            return "/cancel", body | {"client_id": command.client_id, "symbol": command.symbol}


def _order_body(order: PlaceOrder | Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.quantity_lots,
        "type": order.order_type,
        "price": None if order.price_ticks is None else to_decimal(order.price_ticks),
        "time_in_force": order.time_in_force,
        "post_only": order.post_only,
    }
