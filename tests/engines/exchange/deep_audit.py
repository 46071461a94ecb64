"""All that must be true of a state, checked the slow way."""

from engines.exchange.audit import audit
from engines.exchange.book import BookSide
from engines.exchange.state import State
from schemas.units import PAR_TICKS


def deep_audit(state: State) -> None:
    """Assert every invariant of accounts, holdings, levels and orders."""
    audit(state)
    seen: dict[int, int] = {}
    reserved: dict[str, int] = dict.fromkeys(state.accounts, 0)
    for book in state.books.values():
        bid, _, ask, _ = book.top()
        assert bid is None or ask is None or bid < ask
        resting: dict[tuple[str, int], int] = {}
        covered: dict[str, int] = {}
        for side in (book.bids, book.asks):
            for cost, order_id, owner, lots, cover in _orders(side):
                seen[order_id] = lots
                assert 0 <= cover <= lots
                reserved[owner] += (lots - cover) * cost
                key = (owner, side.direction)
                resting[key] = resting.get(key, 0) + lots
                covered[owner] = covered.get(owner, 0) + cover
                assert not cover or book.holdings[owner].lots * side.direction < 0
        for name, holding in book.holdings.items():
            assert holding.buying == resting.get((name, 1), 0)
            assert holding.selling == resting.get((name, -1), 0)
            assert holding.covered == covered.get(name, 0) <= abs(holding.lots)
            ids = [order_id for order_id, order in holding.covering.items() if order.cover]
            assert ids == sorted(holding.covering)
    assert seen.keys() == state.orders.keys()
    for name, account in state.accounts.items():
        assert account.reserved == reserved[name]
        assert account.cash >= 0
        assert all(order.owner.account is account for order in account.orders.values())
    assert sum(len(account.orders) for account in state.accounts.values()) == len(seen)


def _orders(side: BookSide) -> list[tuple[int, int, str, int, int]]:
    rows = []
    costs = []
    for level in side.walk():
        costs.append(level.cost)
        orders = list(level)
        assert orders, "an empty level"
        assert level.lots == sum(order.lots for order in orders)
        assert [o.prev for o in orders[1:]] == orders[:-1]
        assert level.tail is orders[-1]
        for order in orders:
            assert order.lots > 0
            assert order.level is level
            rows.append((level.cost, order.id, order.owner.account.name, order.lots, order.cover))
    assert costs == sorted(side.levels, reverse=True)
    assert side.best == (costs[0] if costs else 0)
    assert all(0 < cost < PAR_TICKS for cost in costs)
    return rows
