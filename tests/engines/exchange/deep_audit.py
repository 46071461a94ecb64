"""All that must be true of a state, checked the slow way."""

from engines.exchange.audit import audit
from engines.exchange.book import BookSide
from engines.exchange.state import State


def deep_audit(state: State) -> None:
    """Assert every invariant of accounts, holdings, levels and orders."""
    audit(state)
    seen: dict[int, int] = {}
    reserved: dict[str, int] = dict.fromkeys(state.accounts, 0)
    for book in state.books.values():
        book.validate()
        covered: dict[str, int] = {}
        for side in (book.bids, book.asks):
            for cost, order_id, owner, lots, cover in _orders(side):
                seen[order_id] = lots
                reserved[owner] += (lots - cover) * cost
                covered[owner] = covered.get(owner, 0) + cover
                assert not cover or book.holdings[owner].lots * side.direction < 0
        for name, holding in book.holdings.items():
            assert holding.covered == covered.get(name, 0) <= abs(holding.lots)
            ids = [order_id for order_id, order in holding.covering.items() if order.cover]
            assert ids == sorted(holding.covering)
    assert seen.keys() == state.orders.keys()
    for name, account in state.accounts.items():
        assert account.reserved == reserved[name]
        assert account.cash >= 0
        assert all(order.owner.account is account for order in account.orders.values())
    assert sum(len(account.orders) for account in state.accounts.values()) == len(seen)
    unused = {**state.unused.opened, **state.unused.scheduled}
    assert len(unused) == len(state.unused.opened) + len(state.unused.scheduled)
    for name, account in unused.items():
        assert account is state.accounts[name]
        assert not account.orders
        assert not any(name in book.holdings for book in state.books.values())


def _orders(side: BookSide) -> list[tuple[int, int, str, int, int]]:
    return [
        (level.cost, order.id, order.owner.account.name, order.lots, order.cover)
        for level in side.walk()
        for order in level
    ]
