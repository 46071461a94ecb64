"""Price levels, folded from what orders rest: the top FEED_DEPTH_LEVELS of each side.

A reader of the depth channel holds exactly the levels that are in view here. A level
that comes into view because a better one went is sent like any other change.
"""

from collections.abc import Iterable
from heapq import nlargest, nsmallest

from projections.limits import FEED_DEPTH_LEVELS
from schemas.commands import Side
from schemas.errors import BrokenInvariant
from schemas.events.exchange import OrderPlaced, Traded

Levels = dict[int, int]
"""Lots by price in ticks, best price first where it is a view."""


class RestingLots:
    """What is left of one order in its book."""

    __slots__ = ("account", "lots", "price_ticks", "side", "symbol")

    def __init__(self, account: str, symbol: str, side: Side, price_ticks: int, lots: int) -> None:
        self.account = account
        self.symbol = symbol
        self.side: Side = side
        self.price_ticks = price_ticks
        self.lots = lots


class DepthView:
    """One symbol's levels, and the part of them that readers have seen."""

    __slots__ = ("asks", "asks_seen", "bids", "bids_seen")

    def __init__(self) -> None:
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.bids_seen: Levels = {}
        self.asks_seen: Levels = {}

    def refresh(self) -> tuple[Levels, Levels]:
        """Bring the view up to date and return its changes; 0 lots is a level out of view."""
        bids = {p: self.bids[p] for p in nlargest(FEED_DEPTH_LEVELS, self.bids)}
        asks = {p: self.asks[p] for p in nsmallest(FEED_DEPTH_LEVELS, self.asks)}
        changes = _changes(self.bids_seen, bids), _changes(self.asks_seen, asks)
        self.bids_seen, self.asks_seen = bids, asks
        return changes


def _changes(before: Levels, after: Levels) -> Levels:
    changed = {p: lots for p, lots in after.items() if before.get(p) != lots}
    for price in before:
        if price not in after:
            changed[price] = 0
    return changed


class Depth:
    """The resting orders of all books, as the exchange's events leave them."""

    def __init__(self) -> None:
        self._orders: dict[int, RestingLots] = {}
        self._views: dict[str, DepthView] = {}
        self._touched: dict[str, None] = {}

    def place(self, event: OrderPlaced) -> None:
        """Take in an order that rests; market orders never do."""
        if not event.resting_lots:
            return
        if event.price_ticks is None:
            raise BrokenInvariant(f"order {event.order_id} rests without a price")
        order = RestingLots(
            event.account, event.symbol, event.side, event.price_ticks, event.resting_lots
        )
        self._orders[event.order_id] = order
        self._add(order, event.resting_lots)

    def trade(self, event: Traded) -> None:
        """Leave the maker what the trade left of it."""
        order = self._order(event.maker_order_id)
        self._add(order, event.maker_resting_lots - order.lots)
        order.lots = event.maker_resting_lots
        if not order.lots:
            del self._orders[event.maker_order_id]

    def cancel(self, order_ids: Iterable[int]) -> None:
        for order_id in order_ids:
            order = self._order(order_id)
            self._add(order, -order.lots)
            del self._orders[order_id]

    def end(self, symbol: str) -> dict[str, list[int]]:
        """Empty a book that was closed or settled; return the order ids by account."""
        ended: dict[str, list[int]] = {}
        for order_id, order in self._orders.items():
            if order.symbol == symbol:
                ended.setdefault(order.account, []).append(order_id)
        for order_ids in ended.values():
            self.cancel(order_ids)
        return ended

    def take_touched(self) -> list[str]:
        """Return the symbols touched since the last call, the first touched first."""
        touched = list(self._touched)
        self._touched.clear()
        return touched

    def view(self, symbol: str) -> DepthView:
        view = self._views.get(symbol)
        if view is None:
            view = self._views[symbol] = DepthView()
        return view

    def _order(self, order_id: int) -> RestingLots:
        order = self._orders.get(order_id)
        if order is None:
            raise BrokenInvariant(f"order {order_id} does not rest in any book")
        return order

    def _add(self, order: RestingLots, lots: int) -> None:
        view = self.view(order.symbol)
        levels = view.bids if order.side == "buy" else view.asks
        total = levels.get(order.price_ticks, 0) + lots
        if total:
            levels[order.price_ticks] = total
        else:
            levels.pop(order.price_ticks, None)
        self._touched[order.symbol] = None
