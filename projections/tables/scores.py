"""scores (EM-41): a symbol's three prices, what they rest on, and its pressure.

A column is null until an engine first decides it: the RealityScore and its confidence the
reality engine, the score that prices are blended from and all else the pricing engine.
"""

from collections.abc import Mapping
from typing import Any, Final

from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    SEQUENCE,
    TEXT,
    TEXT_OR_NULL,
    Change,
    Handler,
    Place,
    Projection,
    Table,
    upsert,
)
from schemas.codec import Message
from schemas.events.pricing import BlendSet, PressureChanged, PriceChanged
from schemas.events.reality import ScoreChanged, ScoreOpened

TABLE = Table(
    name="scores",
    columns={
        "symbol": TEXT,
        "basis": TEXT_OR_NULL,
        "market_price_e2": BIGINT_OR_NULL,
        "final_price_e2": BIGINT_OR_NULL,
        "last_trade_ticks": BIGINT_OR_NULL,
        "reality_score_e2": BIGINT_OR_NULL,
        "confidence_bp": BIGINT_OR_NULL,
        "market_weight_bp": BIGINT_OR_NULL,
        "reality_weight_bp": BIGINT_OR_NULL,
        "buy_lots_1m": BIGINT_OR_NULL,
        "sell_lots_1m": BIGINT_OR_NULL,
        "buy_lots_1h": BIGINT_OR_NULL,
        "sell_lots_1h": BIGINT_OR_NULL,
        "changed_ns": BIGINT,
        **SEQUENCE,
    },
    key=("symbol",),
)

_UPSERT = upsert(TABLE, sparse=True)
_AT: Final = {name: index for index, name in enumerate(TABLE.columns)}
_BASIS, _LAST = _AT["basis"], _AT["last_trade_ticks"]
_MARKET, _FINAL = _AT["market_price_e2"], _AT["final_price_e2"]
_REALITY, _CONFIDENCE = _AT["reality_score_e2"], _AT["confidence_bp"]
_MARKET_WEIGHT, _REALITY_WEIGHT = _AT["market_weight_bp"], _AT["reality_weight_bp"]
_PRESSURE: Final = slice(_AT["buy_lots_1m"], _AT["sell_lots_1h"] + 1)
_CHANGED: Final = slice(_AT["changed_ns"], _AT["sequence"] + 1)


class _Gatherer:
    def __init__(self) -> None:
        self._rows: dict[str, list[Any]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            BlendSet: self._blend,
            PriceChanged: self._price,
            PressureChanged: self._pressure,
            ScoreOpened: self._score_opened,
            ScoreChanged: self._score_changed,
        }

    def changes(self) -> list[Change]:
        return [Change(_UPSERT, list(self._rows.values()))]

    def _row(self, symbol: str, at: Place) -> list[Any]:
        row = self._rows.get(symbol)
        if row is None:
            row = self._rows[symbol] = [symbol, *(None for _ in range(len(_AT) - 1))]
        row[_CHANGED] = at.time_ns, at.sequence
        return row

    def _blend(self, event: BlendSet, at: Place) -> None:
        row = self._row(event.symbol, at)
        row[_MARKET_WEIGHT] = event.market_weight_bp
        row[_REALITY_WEIGHT] = event.reality_weight_bp
        row[_REALITY] = event.reality_score_e2

    def _price(self, event: PriceChanged, at: Place) -> None:
        row = self._row(event.symbol, at)
        row[_BASIS] = event.basis
        row[_MARKET] = event.market_price_e2
        row[_FINAL] = event.final_price_e2
        row[_LAST] = event.last_trade_ticks

    def _pressure(self, event: PressureChanged, at: Place) -> None:
        row = self._row(event.symbol, at)
        row[_PRESSURE] = (
            event.buy_lots_1m,
            event.sell_lots_1m,
            event.buy_lots_1h,
            event.sell_lots_1h,
        )

    def _score_opened(self, event: ScoreOpened, at: Place) -> None:
        self._row(event.symbol, at)[_REALITY] = event.score_e2

    def _score_changed(self, event: ScoreChanged, at: Place) -> None:
        row = self._row(event.symbol, at)
        row[_REALITY] = event.new_score_e2
        row[_CONFIDENCE] = event.confidence_bp


PROJECTION = Projection("scores", (TABLE,), (_UPSERT,), _Gatherer)
