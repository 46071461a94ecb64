"""What `Book.validate` finds: every way in which a book can disagree with itself."""

from collections.abc import Callable

import pytest

from engines.exchange.book import Book
from schemas.commands import PlaceOrder, Side
from schemas.errors import BrokenInvariant
from tests.engines.exchange.venue import START_NS, ExchangeVenue


@pytest.fixture
def book() -> Book:
    """Return a book with two levels on each side, two orders on the best one."""
    venue = ExchangeVenue()
    venue.open("anna", 10**9)
    venue.markets("RAIN")
    rows: list[tuple[Side, int]] = [("buy", 40), ("buy", 40), ("buy", 30), ("sell", 60)]
    for number, (side, price) in enumerate(rows):
        order = PlaceOrder(f"o{number}", START_NS, "RAIN", side, 5, price_ticks=price * 100)
        venue.order("anna", order)
    return venue.state.books["RAIN"]


def _unlink(book: Book) -> None:
    first = book.bids.levels[book.bids.best].head
    assert first is not None
    assert first.next is not None
    first.next.prev = None


def _cross(book: Book) -> None:
    (order,) = book.asks.levels[book.asks.best]
    book.asks.remove(order)
    book.asks.add(order, 7_000)


def _lose_lots(book: Book) -> None:
    book.bids.levels[book.bids.best].lots -= 1


def _lose_bit(book: Book) -> None:
    book.bids._words[3_000 >> 7] = 0


def _lose_upper_bit(book: Book) -> None:
    book.bids._bits ^= 1 << (3_000 >> 7)


def _lose_best(book: Book) -> None:
    book.bids.best = 3_000


def _lose_tail(book: Book) -> None:
    level = book.bids.levels[book.bids.best]
    level.tail = level.head


def _empty_order(book: Book) -> None:
    order = book.bids.levels[3_000].head
    assert order is not None
    order.lots = 0


def _move_order(book: Book) -> None:
    order = book.bids.levels[3_000].head
    assert order is not None
    order.level = book.asks.levels[book.asks.best]


def _forget_resting(book: Book) -> None:
    book.holdings["anna"].buying -= 5


def _forget_holding(book: Book) -> None:
    del book.holdings["anna"]


def test_a_sound_book_is_valid(book: Book) -> None:
    book.validate()


@pytest.mark.parametrize(
    "damage",
    [
        _unlink, _cross, _lose_lots, _lose_bit, _lose_upper_bit, _lose_best, _lose_tail,
        _empty_order, _move_order, _forget_resting, _forget_holding,
    ],
)  # fmt: skip
def test_planted_damage_is_found(book: Book, damage: Callable[[Book], None]) -> None:
    damage(book)
    with pytest.raises(BrokenInvariant):
        book.validate()
