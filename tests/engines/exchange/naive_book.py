"""The oracle: a book as the rules say it, with one list and no thought of speed.

It knows nothing of money. It takes an order and says what the engine should have said.
"""

from dataclasses import dataclass


@dataclass
class NaiveOrder:
    order_id: int
    account: str
    side: str
    price: int
    lots: int


@dataclass(frozen=True)
class Outcome:
    """`trades` are (maker id, lots, price)."""

    trades: list[tuple[int, int, int]]
    resting: int
    reason: str
    own: int | None = None


class NaiveBook:
    """Every resting order of one symbol, in the order in which they came."""

    def __init__(self) -> None:
        self.orders: list[NaiveOrder] = []

    def place(
        self,
        order_id: int,
        account: str,
        side: str,
        lots: int,
        price: int | None,
        time_in_force: str,
        post_only: bool,
    ) -> Outcome | str:
        """Return what happens, or the code of the refusal; then the book has not changed."""
        makers = self._makers(side, price)
        if post_only and makers:
            return "would_cross"
        trades, left, reason, own = [], lots, "", None
        for maker in makers:
            if left == 0:
                break
            if maker.account == account:
                reason, own = "self_trade", maker.order_id
                break
            lots_given = min(left, maker.lots)
            trades.append((maker.order_id, lots_given, maker.price))
            left -= lots_given
        if left and time_in_force == "fok":
            return "not_fillable"
        if left and not reason:
            if price is None:
                reason = "no_liquidity"
            elif time_in_force != "gtc":
                reason = "ioc"
        resting = left if not reason else 0
        for maker_id, given, _ in trades:
            self._order(maker_id).lots -= given
        self.orders = [order for order in self.orders if order.lots]
        if resting and price is not None:
            self.orders.append(NaiveOrder(order_id, account, side, price, resting))
        return Outcome(trades, resting, reason, own)

    def cancel(self, order_id: int) -> None:
        self.orders = [order for order in self.orders if order.order_id != order_id]

    def levels(self, side: str) -> dict[int, list[tuple[int, int]]]:
        """Return (order id, lots) in the order of time, by price, best price first."""
        prices = sorted({o.price for o in self.orders if o.side == side}, reverse=side == "buy")
        return {
            price: [
                (o.order_id, o.lots) for o in self.orders if o.side == side and o.price == price
            ]
            for price in prices
        }

    def _makers(self, side: str, price: int | None) -> list[NaiveOrder]:
        """Return the other side's orders that cross, best first; sorting keeps time's order."""
        if side == "buy":
            found = [o for o in self.orders if o.side == "sell"]
            found = [o for o in found if price is None or o.price <= price]
            return sorted(found, key=lambda o: o.price)
        found = [o for o in self.orders if o.side == "buy"]
        found = [o for o in found if price is None or o.price >= price]
        return sorted(found, key=lambda o: -o.price)

    def _order(self, order_id: int) -> NaiveOrder:
        return next(order for order in self.orders if order.order_id == order_id)
