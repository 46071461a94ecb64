"""bars: open, high, low, close and volume of every symbol by minute, hour and day (UTC).

A bar exists only where there was a trade.
"""

from collections.abc import Mapping
from typing import Any, Final

from projections.store.projection import (
    BIGINT,
    SEQUENCE,
    TEXT,
    Change,
    Handler,
    Projection,
    RowPosition,
    Statement,
    Table,
)
from schemas.codec import Message
from schemas.events.exchange import Traded
from schemas.units import DAY_NS, HOUR_NS, MINUTE_NS

SPANS: Final = {"1m": MINUTE_NS, "1h": HOUR_NS, "1d": DAY_NS}

TABLE = Table(
    name="bars",
    columns={
        "symbol": TEXT,
        "span": TEXT,
        "start_ns": BIGINT,
        "open_ticks": BIGINT,
        "high_ticks": BIGINT,
        "low_ticks": BIGINT,
        "close_ticks": BIGINT,
        "volume_lots": BIGINT,
        "turnover_cents": BIGINT,
        "trades": BIGINT,
        **SEQUENCE,
    },
    key=("symbol", "span", "start_ns"),
)

_NAMES = ", ".join(TABLE.columns)
_MERGE = Statement(
    "bars_merge",
    TABLE,
    TABLE.columns,
    f"""
    INSERT INTO bars AS b ({_NAMES}) SELECT {_NAMES} FROM stage_bars_merge
    ON CONFLICT (symbol, span, start_ns) DO UPDATE SET
        high_ticks = greatest(b.high_ticks, excluded.high_ticks),
        low_ticks = least(b.low_ticks, excluded.low_ticks),
        close_ticks = excluded.close_ticks,
        volume_lots = b.volume_lots + excluded.volume_lots,
        turnover_cents = b.turnover_cents + excluded.turnover_cents,
        trades = b.trades + excluded.trades,
        sequence = excluded.sequence
    """,
)

_HIGH: Final = 4
_LOW: Final = 5
_CLOSE: Final = 6
_VOLUME: Final = 7
_TURNOVER: Final = 8
_TRADES: Final = 9
_SEQUENCE: Final = 10


class _BarMerger:
    """Merges the trades of each symbol, span and start into one bar."""

    def __init__(self) -> None:
        self._bars: dict[tuple[str, str, int], list[Any]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {Traded: self._traded}

    def changes(self) -> list[Change]:
        return [Change(_MERGE, list(self._bars.values()))]

    def _traded(self, event: Traded, at: RowPosition) -> None:
        price, lots = event.price_ticks, event.quantity_lots
        for span, length_ns in SPANS.items():
            start = at.time_ns - at.time_ns % length_ns
            key = (event.symbol, span, start)
            bar = self._bars.get(key)
            if bar is None:
                prices = (price, price, price, price)
                self._bars[key] = [*key, *prices, lots, price * lots, 1, at.sequence]
                continue
            if price > bar[_HIGH]:
                bar[_HIGH] = price
            if price < bar[_LOW]:
                bar[_LOW] = price
            bar[_CLOSE] = price
            bar[_VOLUME] += lots
            bar[_TURNOVER] += price * lots
            bar[_TRADES] += 1
            bar[_SEQUENCE] = at.sequence


PROJECTION = Projection(
    "bars",
    (TABLE,),
    (_MERGE,),
    lambda: [_BarMerger()],
)
