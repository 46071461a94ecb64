"""Queries about one's own account: the session says whose it is, never the request."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query

from projections.api.context import AsOf, OwnAccount, Reads
from projections.api.models import (
    AccountOut,
    FillOut,
    OneOrderOut,
    OrderOut,
    OrdersOut,
    PositionOut,
    PositionsOut,
)
from projections.api.page import Conditions, NamePage, NumberPage
from projections.api.store import Row
from projections.api.symbols import SymbolFilter, checked_symbol
from schemas.errors import NotFound, Refusal, Refused
from schemas.http import MAX_INT64, QUERY_ERRORS, errors
from schemas.limits import MAX_BATCH_ORDERS, MAX_PAGE_ROWS

_FILLS: Final = """
    (SELECT *, 'taker' AS role FROM trade_history WHERE taker_order_id = $1)
    UNION ALL
    (SELECT *, 'maker' AS role FROM trade_history WHERE maker_order_id = $1)
    ORDER BY trade_id DESC LIMIT $2
"""
_POSITIONS: Final = """
    SELECT p.symbol, p.lots, p.sequence, s.status, c.market_price_e2
    FROM positions p LEFT JOIN stocks s USING (symbol) LEFT JOIN scores c USING (symbol)
"""
_ACCOUNT: Final = """
    SELECT a.*, (SELECT count(*) FROM orders o
        WHERE o.account = a.account AND o.status = 'open') AS open_orders
    FROM accounts a WHERE a.account = $1 AND a.lapsed_ns = 0
"""

OrderStatusFilter = Annotated[
    Literal["open", "filled", "cancelled", "rejected"] | None,
    Query(description="Only orders that stand like this."),
]
OrderId = Annotated[int, Path(ge=0, le=MAX_INT64)]

_ERRORS: Final = errors(*QUERY_ERRORS, 401)

router: Final = APIRouter(tags=["account"])


@router.get("/orders", summary="Own orders", responses=_ERRORS)
async def orders(
    reads: Reads,
    account: OwnAccount,
    page: NumberPage,
    symbol: SymbolFilter = None,
    status: OrderStatusFilter = None,
) -> OrdersOut:
    """List one's orders, the newest first; the cursor is an order id."""
    where = Conditions().add("account = {} AND order_id < {}", account, page.cursor)
    where.status(status)
    if symbol is not None:
        where.equal("symbol", checked_symbol(symbol))
    async with reads.view(page.at) as view:
        found = await page.read(view, "SELECT * FROM orders", where, "order_id DESC")
        return OrdersOut(
            sequence=view.sequence,
            orders=[_order(row) for row in found.rows],
            next=found.next(lambda row: str(row["order_id"])),
        )


@router.get("/orders/{order_id}", summary="One order", responses=_ERRORS)
async def order(reads: Reads, account: OwnAccount, at: AsOf, order_id: OrderId) -> OneOrderOut:
    """Return one of one's own orders, with its latest fills."""
    async with reads.view(at) as view:
        query = "SELECT * FROM orders WHERE order_id = $1 AND account = $2"
        row = await view.one(query, (order_id, account))
        if row is None:
            raise NotFound(f"{account} has no order {order_id}")
        fills = await view.all(_FILLS, (order_id, MAX_PAGE_ROWS))
        return OneOrderOut(
            sequence=view.sequence,
            order=_order(row),
            fills=[FillOut.from_row(fill) for fill in fills],
        )


@router.get("/positions", summary="Own positions", responses=_ERRORS)
async def positions(reads: Reads, account: OwnAccount, page: NamePage) -> PositionsOut:
    """List what one holds, by symbol."""
    where = Conditions().add("p.account = {} AND p.lots <> 0", account)
    where.add('p.symbol COLLATE "C" > {}', page.cursor)
    async with reads.view(page.at) as view:
        found = await page.read(view, _POSITIONS, where, 'p.symbol COLLATE "C"')
        return PositionsOut(
            sequence=view.sequence,
            account=account,
            positions=[PositionOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: str(row["symbol"])),
        )


@router.get("/account", summary="Own account", responses=_ERRORS)
async def account_(reads: Reads, account: OwnAccount, at: AsOf) -> AccountOut:
    """Return one's credits."""
    async with reads.view(at) as view:
        row = await view.one(_ACCOUNT, (account,))
        if row is None:
            raise Refused(Refusal.UNKNOWN_ACCOUNT, f"{account} is not projected yet")
        return AccountOut.from_row(row, sequence=view.sequence)


def _order(row: Row) -> OrderOut:
    return OrderOut.from_row(row, cause=row["order_id"] // MAX_BATCH_ORDERS)
