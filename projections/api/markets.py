"""Reads about markets, for everyone."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query

from projections.api.formatting import (
    MAX_INT64,
    PAGE,
    After,
    Before,
    Limit,
    Word,
    checked_symbol,
    decimal_or_none,
    errors,
    fraction_or_none,
    page,
    unknown_symbol,
)
from projections.api.models import (
    BarOut,
    BarsOut,
    LevelOut,
    MarketOut,
    MarketsOut,
    OneMarketOut,
    PressureOut,
    SnapshotOut,
    TradeOut,
    TradesOut,
    Volume,
)
from projections.api.search import Conditions, Recency, SourceReputation
from projections.api.store import Reading, ReadStore
from projections.limits import MAX_SNAPSHOT_LEVELS
from schemas.texts import time_of
from schemas.units import SECOND_NS, to_decimal, to_fraction

_MARKETS: Final = """
    SELECT s.*, p.market_price_e2, p.final_price_e2, p.reality_score_e2, p.confidence_bp,
        p.basis, p.last_trade_ticks, b.bid_ticks, b.ask_ticks,
        greatest(s.sequence, p.sequence, b.sequence) AS changed_by,
        (SELECT count(*) FROM reviews r
            WHERE r.symbol = s.symbol AND r.status = 'open') AS pending_reviews
    FROM stocks s LEFT JOIN scores p USING (symbol) LEFT JOIN books b USING (symbol)
"""
_LEVELS: Final = """
    SELECT price_ticks, sum(resting_lots)::bigint AS lots, count(*) AS orders FROM orders
    WHERE symbol = $1 AND side = $2 AND status = 'open'
    GROUP BY price_ticks ORDER BY price_ticks {order} LIMIT $3
"""
_BOOK: Final = """
    SELECT s.status, greatest(s.sequence, b.sequence, p.sequence) AS changed_by,
        p.market_price_e2, p.final_price_e2, p.last_trade_ticks
    FROM stocks s LEFT JOIN books b USING (symbol) LEFT JOIN scores p USING (symbol)
    WHERE s.symbol = $1
"""

Symbol = Annotated[str, Path(max_length=64, examples=["RAIN-OSLO"])]
Interval = Annotated[Literal["1m", "1h", "1d"], Query(description="How long a bar is.")]


def create_market_router(store: ReadStore) -> APIRouter:
    """Return the routes that anyone may read."""
    router = APIRouter(tags=["markets"])

    @router.get("/markets", summary="All markets", responses=errors())
    async def markets(limit: Limit = PAGE, after: After = None) -> MarketsOut:
        """List the markets by symbol."""
        async with store.reading() as reading:
            return await _select(reading, Conditions(after), limit)

    @router.get("/search", summary="Search markets", responses=errors())
    async def search(
        q: Word = None,
        type: Word = None,  # noqa: A002 - the public name
        region: Word = None,
        risk: Word = None,
        status: Word = None,
        recency: Recency = None,
        source_reputation: SourceReputation = None,
        limit: Limit = PAGE,
        after: After = None,
    ) -> MarketsOut:
        """Find markets by words in symbol, name or aliases, by what they are about, and by
        how recent their events are and how far the sources of these are trusted.
        """
        conditions = Conditions(after)
        wanted = {"market_type": type, "region": region, "risk_level": risk, "status": status}
        conditions.equal(wanted)
        conditions.words(q)
        async with store.reading() as reading:
            await conditions.events(reading, recency, source_reputation)
            return await _select(reading, conditions, limit)

    @router.get("/market/{symbol}", summary="One market", responses=errors(404))
    async def market(symbol: Symbol) -> OneMarketOut:
        async with store.reading() as reading:
            query = f"{_MARKETS} WHERE s.symbol = $1"
            row = await reading.one(query, (checked_symbol(symbol),))
            if row is None:
                raise unknown_symbol(symbol)
            return OneMarketOut(sequence=reading.sequence, market=_market(row))

    @router.get("/market/{symbol}/snapshot", summary="The best levels", responses=errors(404))
    async def snapshot(
        symbol: Symbol,
        depth: Annotated[
            int, Query(ge=1, le=MAX_SNAPSHOT_LEVELS, description="Levels per side.")
        ] = 10,
        since: Annotated[
            int | None, Query(ge=0, description="A `last_sequence` that was seen before.")
        ] = None,
    ) -> SnapshotOut:
        """Return the book's top, or `changed: false` if nothing changed after `since`."""
        async with store.reading() as reading:
            book = await reading.one(_BOOK, (checked_symbol(symbol),))
            if book is None:
                raise unknown_symbol(symbol)
            if since is not None and book["changed_by"] <= since:
                return SnapshotOut(symbol=symbol, changed=False, last_sequence=reading.sequence)
            return SnapshotOut(
                symbol=symbol,
                changed=True,
                last_sequence=reading.sequence,
                status=book["status"],
                bids=await _levels(reading, symbol, "buy", depth),
                asks=await _levels(reading, symbol, "sell", depth),
                market_price=decimal_or_none(book["market_price_e2"]),
                final_price=decimal_or_none(book["final_price_e2"]),
                last_trade=decimal_or_none(book["last_trade_ticks"]),
            )

    @router.get("/market/{symbol}/pressure", summary="Taker volume", responses=errors(404))
    async def pressure(symbol: Symbol) -> PressureOut:
        """Return what takers bought and sold in the last minute and hour of log time."""
        async with store.reading() as reading:
            await require_market(reading, symbol)
            query = "SELECT * FROM scores WHERE symbol = $1"
            row = await reading.one(query, (symbol,)) or {}
            return PressureOut(
                symbol=symbol,
                last_minute=_volume(row, "1m"),
                last_hour=_volume(row, "1h"),
                sequence=reading.sequence,
            )

    @router.get("/market/{symbol}/trades", summary="Trades", responses=errors(404))
    async def trades(symbol: Symbol, limit: Limit = PAGE, before: Before = None) -> TradesOut:
        """List trades, the newest first; the cursor is a trade id."""
        async with store.reading() as reading:
            await require_market(reading, symbol)
            query = (
                "SELECT * FROM trade_history WHERE symbol = $1 AND trade_id < coalesce($2, "
                "9223372036854775807) ORDER BY trade_id DESC LIMIT $3"
            )
            rows, more = page(await reading.all(query, (symbol, before, limit + 1)), limit)
            return TradesOut(
                sequence=reading.sequence,
                symbol=symbol,
                trades=[_trade(row) for row in rows],
                next=str(rows[-1]["trade_id"]) if more else None,
            )

    @router.get("/market/{symbol}/bars", summary="Bars (OHLCV)", responses=errors(404))
    async def bars(
        symbol: Symbol, interval: Interval = "1m", limit: Limit = PAGE, before: Before = None
    ) -> BarsOut:
        """List bars, the newest first; the cursor is a start in seconds since 1970 UTC.

        There is a bar only where there was a trade; the newest one is still growing.
        """
        ends_ns = None if before is None else min(before * SECOND_NS, MAX_INT64)
        async with store.reading() as reading:
            await require_market(reading, symbol)
            query = (
                "SELECT * FROM bars WHERE symbol = $1 AND span = $2 AND start_ns < coalesce("
                "$3, 9223372036854775807) ORDER BY start_ns DESC LIMIT $4"
            )
            found = await reading.all(query, (symbol, interval, ends_ns, limit + 1))
            rows, more = page(found, limit)
            return BarsOut(
                sequence=reading.sequence,
                symbol=symbol,
                interval=interval,
                bars=[_bar(row) for row in rows],
                next=str(rows[-1]["start_ns"] // SECOND_NS) if more else None,
            )

    return router


async def require_market(reading: Reading, symbol: str) -> None:
    """Raise Refused unless `symbol` is listed."""
    query = "SELECT 1 FROM stocks WHERE symbol = $1"
    if await reading.one(query, (checked_symbol(symbol),)) is None:
        raise unknown_symbol(symbol)


async def _select(reading: Reading, conditions: Conditions, limit: int) -> MarketsOut:
    limited = conditions.parameter(limit + 1)
    query = f'{_MARKETS} WHERE {conditions.text} ORDER BY s.symbol COLLATE "C" LIMIT {limited}'
    found = await reading.all(query, conditions.params)
    rows, more = page(found, limit)
    return MarketsOut(
        sequence=reading.sequence,
        markets=[_market(row) for row in rows],
        next=rows[-1]["symbol"] if more else None,
    )


async def _levels(reading: Reading, symbol: str, side: str, depth: int) -> list[LevelOut]:
    query = _LEVELS.format(order="DESC" if side == "buy" else "ASC")
    return [
        LevelOut(price=to_decimal(row["price_ticks"]), quantity=row["lots"], orders=row["orders"])
        for row in await reading.all(query, (symbol, side, depth))
    ]


def _market(row: dict[str, Any]) -> MarketOut:
    return MarketOut(
        symbol=row["symbol"],
        name=row["name"],
        description=row["description"],
        type=row["market_type"],
        subtype=row["subtype"],
        region=row["region"],
        risk=row["risk_level"],
        aliases=row["aliases"],
        status=row["status"],
        status_reason=row["status_reason"],
        resolved_at_price=decimal_or_none(row["value_ticks"]),
        tick=to_decimal(row["tick_ticks"]),
        min_price=row["min_price"],
        max_price=row["max_price"],
        market_weight=to_fraction(row["market_weight_bp"]),
        reality_weight=to_fraction(row["reality_weight_bp"]),
        market_price=decimal_or_none(row["market_price_e2"]),
        reality_score=decimal_or_none(row["reality_score_e2"]),
        final_price=decimal_or_none(row["final_price_e2"]),
        confidence=fraction_or_none(row["confidence_bp"]),
        pending_reviews=row["pending_reviews"],
        basis=row["basis"],
        last_trade=decimal_or_none(row["last_trade_ticks"]),
        best_bid=decimal_or_none(row["bid_ticks"]),
        best_ask=decimal_or_none(row["ask_ticks"]),
        listed_at=time_of(row["listed_ns"]),
        sequence=row["changed_by"],
    )


def _volume(row: dict[str, Any], window: str) -> Volume:
    buy, sell = row.get(f"buy_lots_{window}") or 0, row.get(f"sell_lots_{window}") or 0
    return Volume(buy=buy, sell=sell, net=buy - sell)


def _trade(row: dict[str, Any]) -> TradeOut:
    return TradeOut(
        trade_id=row["trade_id"],
        price=to_decimal(row["price_ticks"]),
        quantity=row["quantity_lots"],
        taker_side=row["taker_side"],
        time=time_of(row["time_ns"]),
        cause=row["cause"],
        sequence=row["sequence"],
    )


def _bar(row: dict[str, Any]) -> BarOut:
    return BarOut(
        start=time_of(row["start_ns"]),
        start_s=row["start_ns"] // SECOND_NS,
        open=to_decimal(row["open_ticks"]),
        high=to_decimal(row["high_ticks"]),
        low=to_decimal(row["low_ticks"]),
        close=to_decimal(row["close_ticks"]),
        volume=row["volume_lots"],
        turnover=to_decimal(row["turnover_cents"]),
        trades=row["trades"],
        sequence=row["sequence"],
    )
