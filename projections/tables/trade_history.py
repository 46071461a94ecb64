"""trade_history (EM-47): every trade."""

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    Projection,
    Row,
    RowPosition,
    Table,
    insert,
)
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


def _traded(event: Traded, at: RowPosition) -> Row:
    return (
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


PROJECTION = Projection(
    "trade_history",
    (TABLE,),
    (_INSERT,),
    lambda: [AppendedInOrder({Traded: [(_INSERT, _traded)]})],
)
