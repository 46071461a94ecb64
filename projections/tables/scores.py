"""scores (EM-41): a symbol's three prices, what they rest on, and its pressure.

A column is null until an engine first decides it: the RealityScore and its confidence the
reality engine, the score that prices are blended from and all else the pricing engine.
"""

from typing import Any

from projections.store.collectors import MergedByKey
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    SEQUENCE,
    TEXT,
    TEXT_OR_NULL,
    Projection,
    RowPosition,
    Table,
    upsert,
)
from schemas.events.pricing import BlendSet, PressureChanged, PriceChanged
from schemas.events.reality import ScoreChanged, ScoreOpened, ScoreTakenBack

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
        "buyers_1m": BIGINT_OR_NULL,
        "sellers_1m": BIGINT_OR_NULL,
        "buy_lots_1h": BIGINT_OR_NULL,
        "sell_lots_1h": BIGINT_OR_NULL,
        "buyers_1h": BIGINT_OR_NULL,
        "sellers_1h": BIGINT_OR_NULL,
        "changed_ns": BIGINT,
        **SEQUENCE,
    },
    key=("symbol",),
)

_UPSERT = upsert(TABLE, sparse=True)


def _blend(event: BlendSet, at: RowPosition) -> dict[str, Any]:
    return {
        "symbol": event.symbol,
        "market_weight_bp": event.market_weight_bp,
        "reality_weight_bp": event.reality_weight_bp,
        "reality_score_e2": event.reality_score_e2,
        "changed_ns": at.time_ns,
        "sequence": at.sequence,
    }


def _price(event: PriceChanged, at: RowPosition) -> dict[str, Any]:
    return {
        "symbol": event.symbol,
        "basis": event.basis,
        "market_price_e2": event.market_price_e2,
        "final_price_e2": event.final_price_e2,
        "last_trade_ticks": event.last_trade_ticks,
        "changed_ns": at.time_ns,
        "sequence": at.sequence,
    }


def _pressure(event: PressureChanged, at: RowPosition) -> dict[str, Any]:
    return {
        "symbol": event.symbol,
        "buy_lots_1m": event.buy_lots_1m,
        "sell_lots_1m": event.sell_lots_1m,
        "buyers_1m": event.buyers_1m,
        "sellers_1m": event.sellers_1m,
        "buy_lots_1h": event.buy_lots_1h,
        "sell_lots_1h": event.sell_lots_1h,
        "buyers_1h": event.buyers_1h,
        "sellers_1h": event.sellers_1h,
        "changed_ns": at.time_ns,
        "sequence": at.sequence,
    }


def _score_opened(event: ScoreOpened, at: RowPosition) -> dict[str, Any]:
    return {
        "symbol": event.symbol,
        "reality_score_e2": event.score_e2,
        "changed_ns": at.time_ns,
        "sequence": at.sequence,
    }


def _score_changed(event: ScoreChanged, at: RowPosition) -> dict[str, Any]:
    return {
        "symbol": event.symbol,
        "reality_score_e2": event.new_score_e2,
        "confidence_bp": event.confidence_bp,
        "changed_ns": at.time_ns,
        "sequence": at.sequence,
    }


PROJECTION = Projection(
    "scores",
    (TABLE,),
    (_UPSERT,),
    lambda: [
        MergedByKey(
            _UPSERT,
            {
                BlendSet: _blend,
                PriceChanged: _price,
                PressureChanged: _pressure,
                ScoreOpened: _score_opened,
                ScoreChanged: _score_changed,
                ScoreTakenBack: _score_changed,
            },
        )
    ],
)
