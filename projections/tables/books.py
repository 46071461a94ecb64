"""books: whether a symbol trades, its best prices, and when its book last changed.

The levels themselves are an aggregate over the open orders. Runs after `orders`, from
which it learns in which book a cancelled order rested.
"""

from collections.abc import Iterator
from typing import get_args

from projections.store.collectors import AppendedInOrder, LatestByKey
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    SEQUENCE,
    TEXT,
    Projection,
    Row,
    RowPosition,
    Statement,
    Table,
    insert,
    patch,
)
from schemas.events.exchange import (
    BookClosed,
    BookHalted,
    BookOpened,
    BookResumed,
    BookSettled,
    OrderPlaced,
    OrdersCancelled,
    TopsChanged,
    Traded,
)

TABLE = Table(
    name="books",
    columns={
        "symbol": TEXT,
        "tick_ticks": BIGINT,
        "status": TEXT,
        "value_ticks": BIGINT_OR_NULL,
        "bid_ticks": BIGINT_OR_NULL,
        "bid_lots": BIGINT,
        "ask_ticks": BIGINT_OR_NULL,
        "ask_lots": BIGINT,
        **SEQUENCE,
    },
    key=("symbol",),
)
"""`status` is open, halted, closed or settled, as the exchange enacted it."""

_OPEN = insert(TABLE)
_STATUS = patch("status", TABLE, ("status", "value_ticks"))
_TOPS = patch("tops", TABLE, ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots"))
_TOUCH = Statement(
    "books_touch",
    TABLE,
    {"symbol": TEXT, **SEQUENCE},
    "UPDATE books b SET sequence = greatest(b.sequence, s.sequence) "
    "FROM stage_books_touch s WHERE b.symbol = s.symbol",
)
_TOUCH_BY_ORDER = Statement(
    "books_touch_by_order",
    TABLE,
    {"order_id": BIGINT, **SEQUENCE},
    """
    UPDATE books b SET sequence = greatest(b.sequence, s.sequence) FROM (
        SELECT o.symbol, max(t.sequence) AS sequence
        FROM stage_books_touch_by_order t JOIN orders o ON o.order_id = t.order_id
        GROUP BY o.symbol
    ) s WHERE b.symbol = s.symbol
    """,
    exact=False,
)

_OfOneBook = BookHalted | BookResumed | BookClosed | BookSettled | Traded


def _opened(event: BookOpened, at: RowPosition) -> Row:
    return (event.symbol, event.tick_ticks, "open", None, None, 0, None, 0, at.sequence)


def _halted(event: BookHalted, _: RowPosition) -> list[Row]:
    return [(event.symbol, "halted", None)]


def _resumed(event: BookResumed, _: RowPosition) -> list[Row]:
    return [(event.symbol, "open", None)]


def _closed(event: BookClosed, _: RowPosition) -> list[Row]:
    return [(event.symbol, "closed", None)]


def _settled(event: BookSettled, _: RowPosition) -> list[Row]:
    return [(event.symbol, "settled", event.value_ticks)]


def _tops(event: TopsChanged, _: RowPosition) -> Iterator[Row]:
    for top in event.tops:
        yield top.symbol, top.bid_ticks, top.bid_lots, top.ask_ticks, top.ask_lots


def _touched(event: _OfOneBook, at: RowPosition) -> list[Row]:
    return [(event.symbol, at.sequence)]


def _rested(event: OrderPlaced, at: RowPosition) -> list[Row]:
    return [(event.symbol, at.sequence)] if event.resting_lots else []


def _moved(event: TopsChanged, at: RowPosition) -> Iterator[Row]:
    for top in event.tops:
        yield top.symbol, at.sequence


def _cancelled(event: OrdersCancelled, at: RowPosition) -> Iterator[Row]:
    for order_id in event.order_ids:
        yield order_id, at.sequence


PROJECTION = Projection(
    "books",
    (TABLE,),
    (_OPEN, _STATUS, _TOPS, _TOUCH, _TOUCH_BY_ORDER),
    lambda: (
        AppendedInOrder({BookOpened: [(_OPEN, _opened)]}),
        LatestByKey(
            _STATUS,
            {
                BookHalted: _halted,
                BookResumed: _resumed,
                BookClosed: _closed,
                BookSettled: _settled,
            },
        ),
        LatestByKey(_TOPS, {TopsChanged: _tops}),
        LatestByKey(
            _TOUCH,
            {
                **dict.fromkeys(get_args(_OfOneBook), _touched),
                OrderPlaced: _rested,
                TopsChanged: _moved,
            },
        ),
        LatestByKey(_TOUCH_BY_ORDER, {OrdersCancelled: _cancelled}),
    ),
)
