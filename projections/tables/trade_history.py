"""trade_history (EM-47): every trade."""

from collections.abc import Mapping
from typing import Any

from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    Change,
    Handler,
    Place,
    Projection,
    Table,
    insert,
)
from schemas.codec import Message
from schemas.events.exchange import Traded

TABLE = Table(
    name="trade_history",
    columns={
        "trade_id": BIGINT,
        "symbol": TEXT,
        "price_ticks": BIGINT,
        "quantity_lots": BIGINT,
        "taker_side": TEXT,
        "taker_order_id": BIGINT,
        "taker_account": TEXT,
        "maker_order_id": BIGINT,
        "maker_account": TEXT,
        "time_ns": BIGINT,
        **CAUSE,
    },
    key=("trade_id",),
    indexes=("(symbol, trade_id)", "(taker_order_id)", "(maker_order_id)"),
)

_INSERT = insert(TABLE)


class _Gatherer:
    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {Traded: self._traded}

    def changes(self) -> list[Change]:
        return [Change(_INSERT, self._rows)]

    def _traded(self, event: Traded, at: Place) -> None:
        self._rows.append(
            (
                event.trade_id,
                event.symbol,
                event.price_ticks,
                event.quantity_lots,
                event.taker_side,
                event.taker_order_id,
                event.taker_account,
                event.maker_order_id,
                event.maker_account,
                at.time_ns,
                event.cause,
                at.sequence,
            )
        )


PROJECTION = Projection("trade_history", (TABLE,), (_INSERT,), _Gatherer)
