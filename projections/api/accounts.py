"""Reads about one's own account: whose it is the session says, never the request."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query

from projections.api.formatting import (
    MAX_INT64,
    PAGE,
    After,
    Before,
    Limit,
    checked_symbol,
    decimal_or_none,
    errors,
    page,
)
from projections.api.models import (
    AccountOut,
    FillOut,
    OneOrderOut,
    OrderOut,
    OrdersOut,
    PositionOut,
    PositionsOut,
)
from projections.api.store import ReadStore
from schemas.errors import NotFound, Refusal, Refused
from schemas.limits import MAX_BATCH_ORDERS, MAX_PAGE_ROWS
from schemas.texts import time_of
from schemas.units import to_decimal

_ORDERS: Final = """
    SELECT * FROM orders
    WHERE account = $1 AND order_id < coalesce($2, 9223372036854775807)
        {filters}
    ORDER BY order_id DESC LIMIT $3
"""
_FILLS: Final = """
    (SELECT *, 'taker' AS role FROM trade_history WHERE taker_order_id = $1)
    UNION ALL
    (SELECT *, 'maker' AS role FROM trade_history WHERE maker_order_id = $1)
    ORDER BY trade_id DESC LIMIT $2
"""
_POSITIONS: Final = """
    SELECT p.symbol, p.lots, p.sequence, s.status, c.market_price_e2
    FROM positions p LEFT JOIN stocks s USING (symbol) LEFT JOIN scores c USING (symbol)
    WHERE p.account = $1 AND p.lots <> 0 AND p.symbol COLLATE "C" > $2
    ORDER BY p.symbol COLLATE "C" LIMIT $3
"""
_ACCOUNT: Final = """
    SELECT a.*, (SELECT count(*) FROM orders o
        WHERE o.account = a.account AND o.status = 'open') AS open_orders
    FROM accounts a WHERE a.account = $1
"""

Status = Annotated[
    Literal["open", "filled", "cancelled", "rejected"] | None,
    Query(description="Only orders that stand like this."),
]


def create_own_router(
    store: ReadStore, current_account: Callable[..., Awaitable[str]]
) -> APIRouter:
    """Return the routes on which everyone reads only what is his or her own."""
    router = APIRouter(tags=["account"])
    own = Depends(current_account)

    @router.get("/orders", summary="Own orders", responses=errors(401))
    async def orders(
        account: Annotated[str, own],
        symbol: Annotated[str | None, Query(max_length=64)] = None,
        status: Status = None,
        limit: Limit = PAGE,
        before: Before = None,
    ) -> OrdersOut:
        """List one's orders, the newest first; the cursor is an order id."""
        if symbol is not None:
            checked_symbol(symbol)
        async with store.reading() as reading:
            # What is not asked for is left out, so that Postgres sees which index will do.
            filters = "AND symbol = $4" if symbol is not None else ""
            if status is not None:
                filters += f" AND status = '{status}'"
            params = (account, before, limit + 1, *([symbol] if symbol is not None else []))
            found = await reading.all(_ORDERS.format(filters=filters), params)
            rows, more = page(found, limit)
            return OrdersOut(
                sequence=reading.sequence,
                orders=[_order(row) for row in rows],
                next=str(rows[-1]["order_id"]) if more else None,
            )

    @router.get("/orders/{order_id}", summary="One order", responses=errors(401, 404))
    async def order(
        account: Annotated[str, own], order_id: Annotated[int, Path(ge=0, le=MAX_INT64)]
    ) -> OneOrderOut:
        """Return one of one's own orders, with its latest fills."""
        async with store.reading() as reading:
            query = "SELECT * FROM orders WHERE order_id = $1 AND account = $2"
            row = await reading.one(query, (order_id, account))
            if row is None:
                raise NotFound(f"{account} has no order {order_id}")
            fills = await reading.all(_FILLS, (order_id, MAX_PAGE_ROWS))
            return OneOrderOut(
                sequence=reading.sequence,
                order=_order(row),
                fills=[_fill(fill) for fill in fills],
            )

    @router.get("/positions", summary="Own positions", responses=errors(401))
    async def positions(
        account: Annotated[str, own], limit: Limit = PAGE, after: After = None
    ) -> PositionsOut:
        """List what one holds, by symbol."""
        async with store.reading() as reading:
            found = await reading.all(_POSITIONS, (account, after or "", limit + 1))
            rows, more = page(found, limit)
            return PositionsOut(
                sequence=reading.sequence,
                account=account,
                positions=[
                    PositionOut(
                        symbol=row["symbol"],
                        quantity=row["lots"],
                        status=row["status"],
                        market_price=decimal_or_none(row["market_price_e2"]),
                        sequence=row["sequence"],
                    )
                    for row in rows
                ],
                next=rows[-1]["symbol"] if more else None,
            )

    @router.get("/account", summary="Own account", responses=errors(401, 404))
    async def account_(account: Annotated[str, own]) -> AccountOut:
        """Return one's credits."""
        async with store.reading() as reading:
            row = await reading.one(_ACCOUNT, (account,))
            if row is None:
                raise Refused(Refusal.UNKNOWN_ACCOUNT, f"{account} is not projected yet")
            return AccountOut(
                sequence=reading.sequence,
                account=account,
                public_key=row["public_key"],
                cash=to_decimal(row["cash_cents"]),
                reserved=to_decimal(row["reserved_cents"]),
                open_orders=row["open_orders"],
                opened_at=time_of(row["opened_ns"]),
                cause=row["cause"],
            )

    return router


def _order(row: dict[str, Any]) -> OrderOut:
    return OrderOut(
        order_id=row["order_id"],
        client_order_id=row["client_order_id"],
        symbol=row["symbol"],
        side=row["side"],
        type=row["order_type"],
        time_in_force=row["time_in_force"],
        price=decimal_or_none(row["price_ticks"]),
        quantity=row["quantity_lots"],
        filled=row["filled_lots"],
        resting=row["resting_lots"],
        cancelled=row["cancelled_lots"],
        status=row["status"],
        reason=row["reason"],
        related_order_id=row["related_order_id"],
        placed_at=time_of(row["placed_ns"]),
        cause=row["order_id"] // MAX_BATCH_ORDERS,
        sequence=row["sequence"],
    )


def _fill(row: dict[str, Any]) -> FillOut:
    return FillOut(
        trade_id=row["trade_id"],
        price=to_decimal(row["price_ticks"]),
        quantity=row["quantity_lots"],
        role=row["role"],
        time=time_of(row["time_ns"]),
        sequence=row["sequence"],
    )
