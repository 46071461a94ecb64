"""books: whether a symbol trades, its best prices, and when its book last changed.

The levels themselves are an aggregate over the open orders. Runs after `orders`, from
which it learns in which book a cancelled order rested.
"""

from collections.abc import Mapping
from typing import Any

from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    SEQUENCE,
    TEXT,
    Change,
    Handler,
    Place,
    Projection,
    Step,
    Table,
    insert,
    patch,
)
from schemas.codec import Message
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
_TOUCH = Step(
    "books_touch",
    TABLE,
    {"symbol": TEXT, **SEQUENCE},
    "UPDATE books b SET sequence = greatest(b.sequence, s.sequence) "
    "FROM stage_books_touch s WHERE b.symbol = s.symbol",
)
_TOUCH_BY_ORDER = Step(
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


class _Gatherer:
    """Each kind of change keeps the last of a symbol; a touch then moves the sequence."""

    def __init__(self) -> None:
        self._opened: list[tuple[Any, ...]] = []
        self._status: dict[str, tuple[str, str, int | None]] = {}
        self._tops: dict[str, tuple[Any, ...]] = {}
        self._touched: dict[str, int] = {}
        self._cancelled: dict[int, int] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            BookOpened: self._on_opened,
            BookHalted: self._on_halted,
            BookResumed: self._on_resumed,
            BookClosed: self._on_closed,
            BookSettled: self._on_settled,
            OrderPlaced: self._on_placed,
            Traded: self._on_traded,
            OrdersCancelled: self._on_cancelled,
            TopsChanged: self._on_tops,
        }

    def changes(self) -> list[Change]:
        return [
            Change(_OPEN, self._opened),
            Change(_STATUS, list(self._status.values())),
            Change(_TOPS, list(self._tops.values())),
            Change(_TOUCH, list(self._touched.items())),
            Change(_TOUCH_BY_ORDER, list(self._cancelled.items())),
        ]

    def _on_opened(self, event: BookOpened, at: Place) -> None:
        row = (event.symbol, event.tick_ticks, "open", None, None, 0, None, 0, at.sequence)
        self._opened.append(row)

    def _on_halted(self, event: BookHalted, at: Place) -> None:
        self._set_status(event.symbol, "halted", None, at)

    def _on_resumed(self, event: BookResumed, at: Place) -> None:
        self._set_status(event.symbol, "open", None, at)

    def _on_closed(self, event: BookClosed, at: Place) -> None:
        self._set_status(event.symbol, "closed", None, at)

    def _on_settled(self, event: BookSettled, at: Place) -> None:
        self._set_status(event.symbol, "settled", event.value_ticks, at)

    def _set_status(self, symbol: str, status: str, value: int | None, at: Place) -> None:
        self._status[symbol] = (symbol, status, value)
        self._touched[symbol] = at.sequence

    def _on_placed(self, event: OrderPlaced, at: Place) -> None:
        if event.resting_lots:
            self._touched[event.symbol] = at.sequence

    def _on_traded(self, event: Traded, at: Place) -> None:
        self._touched[event.symbol] = at.sequence

    def _on_cancelled(self, event: OrdersCancelled, at: Place) -> None:
        for order_id in event.order_ids:
            self._cancelled[order_id] = at.sequence

    def _on_tops(self, event: TopsChanged, at: Place) -> None:
        for top in event.tops:
            self._tops[top.symbol] = (
                top.symbol,
                top.bid_ticks,
                top.bid_lots,
                top.ask_ticks,
                top.ask_lots,
            )
            self._touched[top.symbol] = at.sequence


PROJECTION = Projection(
    "books", (TABLE,), (_OPEN, _STATUS, _TOPS, _TOUCH, _TOUCH_BY_ORDER), _Gatherer
)
