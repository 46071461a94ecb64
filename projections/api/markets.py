"""Queries about markets, for everyone."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query

from projections.api.context import AsOf, Reads
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
from projections.api.page import Conditions, NamePage, NumberPage, Page
from projections.api.search import Recency, SourceReputation, Word, about_events, with_words
from projections.api.store import ReadView, Row
from projections.api.symbols import Symbol, checked_symbol, unknown_symbol
from projections.limits import MAX_SNAPSHOT_LEVELS
from schemas.http import MAX_INT64, QUERY_ERRORS, errors
from schemas.units import SECOND_NS

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

Interval = Annotated[Literal["1m", "1h", "1d"], Query(description="How long a bar is.")]
Depth = Annotated[int, Query(ge=1, le=MAX_SNAPSHOT_LEVELS, description="Levels per side.")]
Since = Annotated[int | None, Query(ge=0, description="A `last_sequence` that was seen before.")]

router: Final = APIRouter(tags=["markets"])


@router.get("/markets", summary="All markets", responses=errors(*QUERY_ERRORS))
async def markets(reads: Reads, page: NamePage) -> MarketsOut:
    """List the markets by symbol."""
    async with reads.view(page.at) as view:
        return await _select(view, page, Conditions())


@router.get("/search", summary="Search markets", responses=errors(*QUERY_ERRORS))
async def search(
    reads: Reads,
    page: NamePage,
    q: Word = None,
    type: Word = None,  # noqa: A002 - the public name
    region: Word = None,
    risk: Word = None,
    status: Word = None,
    recency: Recency = None,
    source_reputation: SourceReputation = None,
) -> MarketsOut:
    """Find markets by words in symbol, name or aliases, by what they are about, and by
    how recent their events are and how far the sources of these are trusted.
    """
    where = Conditions().equal("s.market_type", type).equal("s.region", region)
    where.equal("s.risk_level", risk).equal("s.status", status)
    with_words(where, q)
    async with reads.view(page.at) as view:
        await about_events(where, view, recency, source_reputation)
        return await _select(view, page, where)


@router.get("/market/{symbol}", summary="One market", responses=errors(*QUERY_ERRORS))
async def market(reads: Reads, at: AsOf, symbol: Symbol) -> OneMarketOut:
    async with reads.view(at) as view:
        row = await view.one(f"{_MARKETS} WHERE s.symbol = $1", (checked_symbol(symbol),))
        if row is None:
            raise unknown_symbol(symbol)
        return OneMarketOut(sequence=view.sequence, market=MarketOut.from_row(row))


@router.get("/market/{symbol}/snapshot", summary="The best levels", responses=errors(*QUERY_ERRORS))
async def snapshot(
    reads: Reads, at: AsOf, symbol: Symbol, depth: Depth = 10, since: Since = None
) -> SnapshotOut:
    """Return the book's top, or `changed: false` if nothing changed after `since`."""
    async with reads.view(at) as view:
        book = await view.one(_BOOK, (checked_symbol(symbol),))
        if book is None:
            raise unknown_symbol(symbol)
        if since is not None and book["changed_by"] <= since:
            return SnapshotOut(symbol=symbol, changed=False, last_sequence=view.sequence)
        return SnapshotOut.from_row(
            book,
            symbol=symbol,
            changed=True,
            last_sequence=view.sequence,
            bids=await _levels(view, symbol, "buy", depth),
            asks=await _levels(view, symbol, "sell", depth),
        )


@router.get("/market/{symbol}/pressure", summary="Taker volume", responses=errors(*QUERY_ERRORS))
async def pressure(reads: Reads, at: AsOf, symbol: Symbol) -> PressureOut:
    """Return what takers bought and sold in the last minute and hour of log time.

    `buyers` and `sellers` count distinct accounts, so that one can see whose volume it is.
    """
    async with reads.view(at) as view:
        await require_market(view, symbol)
        row = await view.one("SELECT * FROM scores WHERE symbol = $1", (symbol,)) or {}
        return PressureOut(
            symbol=symbol,
            last_minute=_volume(row, "1m"),
            last_hour=_volume(row, "1h"),
            sequence=view.sequence,
        )


@router.get("/market/{symbol}/trades", summary="Trades", responses=errors(*QUERY_ERRORS))
async def trades(reads: Reads, page: NumberPage, symbol: Symbol) -> TradesOut:
    """List trades, the newest first; the cursor is a trade id."""
    where = Conditions().add("symbol = {} AND trade_id < {}", symbol, page.cursor)
    async with reads.view(page.at) as view:
        await require_market(view, symbol)
        found = await page.read(view, "SELECT * FROM trade_history", where, "trade_id DESC")
        return TradesOut(
            sequence=view.sequence,
            symbol=symbol,
            trades=[TradeOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: str(row["trade_id"])),
        )


@router.get("/market/{symbol}/bars", summary="Bars (OHLCV)", responses=errors(*QUERY_ERRORS))
async def bars(
    reads: Reads, page: NumberPage, symbol: Symbol, interval: Interval = "1m"
) -> BarsOut:
    """List bars, the newest first; the cursor is a start in seconds since 1970 UTC.

    There is a bar only where there was a trade; the newest one is still growing.
    """
    ends_ns = min(page.cursor * SECOND_NS, MAX_INT64)
    where = Conditions().add("symbol = {} AND span = {}", symbol, interval)
    where.add("start_ns < {}", ends_ns)
    async with reads.view(page.at) as view:
        await require_market(view, symbol)
        found = await page.read(view, "SELECT * FROM bars", where, "start_ns DESC")
        return BarsOut(
            sequence=view.sequence,
            symbol=symbol,
            interval=interval,
            bars=[BarOut.from_row(row, start_s=row["start_ns"] // SECOND_NS) for row in found.rows],
            next=found.next(lambda row: str(row["start_ns"] // SECOND_NS)),
        )


async def require_market(view: ReadView, symbol: str) -> None:
    """Raise Refused unless `symbol` is listed."""
    query = "SELECT 1 FROM stocks WHERE symbol = $1"
    if await view.one(query, (checked_symbol(symbol),)) is None:
        raise unknown_symbol(symbol)


async def _select(view: ReadView, page: Page[str], where: Conditions) -> MarketsOut:
    where.add('s.symbol COLLATE "C" > {}', page.cursor)
    found = await page.read(view, _MARKETS, where, 's.symbol COLLATE "C"')
    return MarketsOut(
        sequence=view.sequence,
        markets=[MarketOut.from_row(row) for row in found.rows],
        next=found.next(lambda row: str(row["symbol"])),
    )


async def _levels(view: ReadView, symbol: str, side: str, depth: int) -> list[LevelOut]:
    query = _LEVELS.format(order="DESC" if side == "buy" else "ASC")
    return [LevelOut.from_row(row) for row in await view.all(query, (symbol, side, depth))]


def _volume(row: Row, window: str) -> Volume:
    buy, sell = row.get(f"buy_lots_{window}") or 0, row.get(f"sell_lots_{window}") or 0
    buyers, sellers = row.get(f"buyers_{window}"), row.get(f"sellers_{window}")
    return Volume(buy=buy, sell=sell, net=buy - sell, buyers=buyers, sellers=sellers)
