"""orders (EM-46): every order that was asked for, and its status.

The command that asked for an order is at `order_id / MAX_BATCH_ORDERS` of the log.
"""

from collections.abc import Mapping
from typing import Any, Final

from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    BOOLEAN,
    SEQUENCE,
    TEXT,
    TEXT_OR_NULL,
    Change,
    Handler,
    Projection,
    RowPosition,
    Statement,
    Table,
    clean,
    insert,
)
from schemas.codec import Message
from schemas.events.exchange import (
    BookClosed,
    BookSettled,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
    Traded,
)

TABLE = Table(
    name="orders",
    columns={
        "order_id": BIGINT,
        "account": TEXT,
        "client_order_id": TEXT,
        "symbol": TEXT,
        "side": TEXT_OR_NULL,
        "order_type": TEXT_OR_NULL,
        "time_in_force": TEXT_OR_NULL,
        "price_ticks": BIGINT_OR_NULL,
        "quantity_lots": BIGINT,
        "filled_lots": BIGINT,
        "resting_lots": BIGINT,
        "cancelled_lots": BIGINT,
        "status": TEXT,
        "reason": TEXT,
        "related_order_id": BIGINT_OR_NULL,
        "placed_ns": BIGINT,
        **SEQUENCE,
    },
    key=("order_id",),
    # The second index is the book. `status` and not `resting_lots` is the condition, so that
    # a partial fill changes no indexed column and Postgres need not touch the indexes.
    indexes=(
        "(account, order_id)",
        "(symbol, side, price_ticks) WHERE status = 'open'",
        "(account, order_id) WHERE status = 'open'",
    ),
)
"""`status` is open, filled, cancelled or rejected.

`reason` is a `Refusal` for a rejected order, for a cancelled one a CancelReason,
`requested`, `closed` or `settled`, else empty. `related_order_id` is the order that a
rejected duplicate repeats, or the account's own order that a self-trade would have met.
quantity = filled + resting + cancelled. A rejected order's event does not repeat side,
type, price and quantity, so those are null, or 0.
"""

_FILLED: Final = 9
_RESTING: Final = 10
_CANCELLED: Final = 11
_STATUS: Final = 12
_REASON: Final = 13
_SEQUENCE: Final = 16

_PLACE = insert(TABLE)
_CHANGE = Statement(
    "orders_change",
    TABLE,
    {"order_id": BIGINT, "resting_lots": BIGINT_OR_NULL, "cancelled": BOOLEAN, **SEQUENCE},
    """
    UPDATE orders o SET
        filled_lots = o.quantity_lots - o.cancelled_lots
            - coalesce(s.resting_lots, o.resting_lots),
        resting_lots = CASE WHEN s.cancelled THEN 0
            ELSE coalesce(s.resting_lots, o.resting_lots) END,
        cancelled_lots = CASE WHEN s.cancelled
            THEN o.cancelled_lots + coalesce(s.resting_lots, o.resting_lots)
            ELSE o.cancelled_lots END,
        status = CASE WHEN s.cancelled THEN 'cancelled'
            WHEN s.resting_lots = 0 THEN 'filled' ELSE o.status END,
        reason = CASE WHEN s.cancelled THEN 'requested' ELSE o.reason END,
        sequence = s.sequence
    FROM stage_orders_change s WHERE o.order_id = s.order_id AND o.status = 'open'
    """,
)
_SWEEP = Statement(
    "orders_sweep",
    TABLE,
    {"symbol": TEXT, "reason": TEXT, **SEQUENCE},
    """
    UPDATE orders o SET
        cancelled_lots = o.cancelled_lots + o.resting_lots, resting_lots = 0,
        status = 'cancelled', reason = s.reason, sequence = s.sequence
    FROM stage_orders_sweep s WHERE o.symbol = s.symbol AND o.status = 'open'
    """,
    exact=False,
)


class _OrderRows:
    """Orders of this batch are rows still being made; older ones get a change each.

    A sweep comes last: once a book has closed, none of its orders can rest any more.
    """

    def __init__(self) -> None:
        self._new: dict[int, list[Any]] = {}
        self._old: dict[int, list[Any]] = {}
        self._swept: dict[str, tuple[str, str, int]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            OrderPlaced: self._placed,
            Traded: self._traded,
            OrdersCancelled: self._cancelled,
            OrderRejected: self._rejected,
            BookClosed: self._closed,
            BookSettled: self._settled,
        }

    def changes(self) -> list[Change]:
        return [
            Change(_PLACE, list(self._new.values())),
            Change(_CHANGE, list(self._old.values())),
            Change(_SWEEP, list(self._swept.values())),
        ]

    def _placed(self, event: OrderPlaced, at: RowPosition) -> None:
        ended = "cancelled" if event.cancelled_lots else "filled"
        self._new[event.order_id] = [
            event.order_id,
            event.account,
            event.client_order_id,
            event.symbol,
            event.side,
            event.order_type,
            event.time_in_force,
            event.price_ticks,
            event.quantity_lots,
            event.filled_lots,
            event.resting_lots,
            event.cancelled_lots,
            "open" if event.resting_lots else ended,
            event.cancel_reason,
            event.self_trade_order_id,
            at.time_ns,
            at.sequence,
        ]

    def _rejected(self, event: OrderRejected, at: RowPosition) -> None:
        self._new[event.order_id] = [
            event.order_id,
            event.account,
            clean(event.client_order_id),
            clean(event.symbol),
            None,
            None,
            None,
            None,
            0,
            0,
            0,
            0,
            "rejected",
            event.code,
            event.duplicate_of,
            at.time_ns,
            at.sequence,
        ]

    def _traded(self, event: Traded, at: RowPosition) -> None:
        resting = event.maker_resting_lots
        row = self._new.get(event.maker_order_id)
        if row is None:
            self._old[event.maker_order_id] = [event.maker_order_id, resting, False, at.sequence]
            return
        row[_FILLED] += row[_RESTING] - resting
        row[_RESTING] = resting
        row[_SEQUENCE] = at.sequence
        if not resting:
            row[_STATUS] = "filled"

    def _cancelled(self, event: OrdersCancelled, at: RowPosition) -> None:
        for order_id in event.order_ids:
            row = self._new.get(order_id)
            if row is None:
                change = self._old.setdefault(order_id, [order_id, None, True, at.sequence])
                change[2], change[3] = True, at.sequence
                continue
            row[_CANCELLED] += row[_RESTING]
            row[_RESTING] = 0
            row[_STATUS] = "cancelled"
            row[_REASON] = "requested"
            row[_SEQUENCE] = at.sequence

    def _closed(self, event: BookClosed, at: RowPosition) -> None:
        self._swept.setdefault(event.symbol, (event.symbol, "closed", at.sequence))

    def _settled(self, event: BookSettled, at: RowPosition) -> None:
        self._swept.setdefault(event.symbol, (event.symbol, "settled", at.sequence))


PROJECTION = Projection(
    "orders",
    (TABLE,),
    (_PLACE, _CHANGE, _SWEEP),
    lambda: [_OrderRows()],
)
