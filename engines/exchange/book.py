"""The book: price-time priority by level, first in first out within a level.

The two sides of a book work alike, because each is ordered by cost (see the package's
docstring): the best level of either is the one with the highest cost. The orders of a level
are a doubly linked list, so an order leaves from the middle without touching the others.

Orders, levels, sides and books refer to each other, so they share this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engines.exchange.accounts import Account, Holding
from schemas.errors import BrokenInvariant
from schemas.units import PAR_TICKS

_WORD_BITS: Final = 7
_WORD_MASK: Final = (1 << _WORD_BITS) - 1
_WORDS: Final = (PAR_TICKS >> _WORD_BITS) + 1

BUY: Final = 1
SELL: Final = -1


class RestingOrder:
    """An order in a book.

    `cover` of its `lots` will close lots that its owner already holds.
    """

    __slots__ = ("cover", "id", "level", "lots", "next", "owner", "prev")

    def __init__(self, order_id: int, owner: Holding, lots: int, cover: int = 0) -> None:
        self.id = order_id
        self.owner = owner
        self.lots = lots
        self.cover = cover
        self.level: PriceLevel
        self.prev: RestingOrder | None = None
        self.next: RestingOrder | None = None


class PriceLevel:
    """The orders of one side at one cost; `lots` is their total."""

    __slots__ = ("cost", "head", "lots", "side", "tail")

    def __init__(self, side: BookSide, cost: int) -> None:
        self.side = side
        self.cost = cost
        self.lots = 0
        self.head: RestingOrder | None = None
        self.tail: RestingOrder | None = None

    def __iter__(self) -> Iterator[RestingOrder]:
        order = self.head
        while order is not None:
            yield order
            order = order.next


class BookSide:
    """One side of a book. `best` is the cost of its best level, 0 when it is empty.

    Bits in two tiers of integers say which costs have a level. So the next best level is found
    without a search, whatever the shape of the book.
    """

    __slots__ = ("_bits", "_words", "best", "book", "direction", "levels")

    def __init__(self, book: Book, direction: int) -> None:
        self.book = book
        self.direction = direction
        self.best = 0
        self.levels: dict[int, PriceLevel] = {}
        self._words = [0] * _WORDS
        self._bits = 0

    def add(self, order: RestingOrder, cost: int) -> None:
        """Put `order` behind all others at `cost`."""
        level = self.levels.get(cost)
        if level is None:
            level = self.levels[cost] = self._open(cost)
        tail = level.tail
        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.prev = tail
        level.tail = order
        level.lots += order.lots
        order.level = level

    def remove(self, order: RestingOrder) -> None:
        """Take `order` out of its level."""
        level = order.level
        level.lots -= order.lots
        before, after = order.prev, order.next
        if before is None:
            level.head = after
        else:
            before.next = after
            order.prev = None
        if after is None:
            level.tail = before
        else:
            after.prev = before
            order.next = None
        if level.head is None:
            self._close(level.cost)

    def take(self, order: RestingOrder, lots: int) -> bool:
        """Take `lots` from `order`; return True if that was all of it and the order is out."""
        if lots == order.lots:
            self.remove(order)
            return True
        order.lots -= lots
        order.level.lots -= lots
        return False

    def below(self, cost: int) -> int:
        """Return the next best cost after `cost`, 0 if there is none."""
        word = cost >> _WORD_BITS
        bits = self._words[word] & ((1 << (cost & _WORD_MASK)) - 1)
        if not bits:
            words = self._bits & ((1 << word) - 1)
            if not words:
                return 0
            word = words.bit_length() - 1
            bits = self._words[word]
        return (word << _WORD_BITS) + bits.bit_length() - 1

    def walk(self) -> Iterator[PriceLevel]:
        """Yield the levels, best first."""
        cost = self.best
        while cost:
            yield self.levels[cost]
            cost = self.below(cost)

    def clear(self) -> None:
        """Forget every level and order."""
        self.best = 0
        self.levels = {}
        self._words = [0] * _WORDS
        self._bits = 0

    def validate(self) -> None:
        """Raise BrokenInvariant unless levels, links, sums and bits agree.

        This visits every order, so only checks and tests call it.
        """
        costs = sorted(self.levels)
        if self.best != (costs[-1] if costs else 0):
            raise BrokenInvariant(f"{self._name()}: the best cost is not {self.best}")
        marked = self._marked()
        if costs != marked:
            raise BrokenInvariant(f"{self._name()}: levels at {costs}, bits at {marked}")
        for cost, level in self.levels.items():
            _validate_level(self, cost, level)
        words = sum(1 << word for word, bits in enumerate(self._words) if bits)
        if words != self._bits:
            raise BrokenInvariant(f"{self._name()}: the upper bits are not those of the words")

    def _marked(self) -> list[int]:
        """Return the costs whose bit is set, lowest first."""
        return [
            (word << _WORD_BITS) + bit
            for word, bits in enumerate(self._words)
            for bit in range(bits.bit_length())
            if bits >> bit & 1
        ]

    def _name(self) -> str:
        return f"{self.book.symbol} {'bids' if self.direction == BUY else 'asks'}"

    def _open(self, cost: int) -> PriceLevel:
        word = cost >> _WORD_BITS
        self._words[word] |= 1 << (cost & _WORD_MASK)
        self._bits |= 1 << word
        if cost > self.best:
            self.best = cost
        return PriceLevel(self, cost)

    def _close(self, cost: int) -> None:
        del self.levels[cost]
        word = cost >> _WORD_BITS
        self._words[word] ^= 1 << (cost & _WORD_MASK)
        if not self._words[word]:
            self._bits ^= 1 << word
        if cost == self.best:
            self.best = self.below(cost)


class Book:
    """One symbol's market: its two sides, and who holds what in it.

    `status` is open, halted, closed (no trading, positions wait) or settled.
    """

    __slots__ = ("asks", "bids", "holdings", "status", "symbol", "tick_ticks")

    def __init__(self, symbol: str, tick_ticks: int, status: str = "open") -> None:
        self.symbol = symbol
        self.tick_ticks = tick_ticks
        self.status = status
        self.bids = BookSide(self, BUY)
        self.asks = BookSide(self, SELL)
        self.holdings: dict[str, Holding] = {}

    def hold(self, account: Account) -> Holding:
        """Make the holding of an account that had none here."""
        holding = self.holdings[account.name] = Holding(account, self.symbol)
        return holding

    def top(self) -> tuple[int | None, int, int | None, int]:
        """Return bid ticks, bid lots, ask ticks, ask lots.

        Raises BrokenInvariant if bid and ask have met: they would have had to trade.
        """
        bid, ask = self.bids.best, self.asks.best
        if bid + ask >= PAR_TICKS:
            raise BrokenInvariant(f"{self.symbol}: bid {bid}, ask {PAR_TICKS - ask}")
        return (
            bid or None,
            self.bids.levels[bid].lots if bid else 0,
            PAR_TICKS - ask if ask else None,
            self.asks.levels[ask].lots if ask else 0,
        )

    def validate(self) -> None:
        """Raise BrokenInvariant unless the book is in order and agrees with its holdings.

        This visits every order, so only checks and tests call it.
        """
        resting: dict[tuple[str, int], int] = {}
        for side in (self.bids, self.asks):
            side.validate()
            for level in side.walk():
                for order in level:
                    key = order.owner.account.name, side.direction
                    resting[key] = resting.get(key, 0) + order.lots
        self.top()
        for name, holding in self.holdings.items():
            buying, selling = resting.pop((name, BUY), 0), resting.pop((name, SELL), 0)
            if (holding.buying, holding.selling) != (buying, selling):
                raise BrokenInvariant(f"{self.symbol}: {name} does not rest what it is said to")
        if resting:
            raise BrokenInvariant(f"{self.symbol}: orders of accounts without a holding: {resting}")


def _validate_level(side: BookSide, cost: int, level: PriceLevel) -> None:
    where = f"{side.book.symbol} at cost {cost}"
    if level.side is not side or level.cost != cost or not 0 < cost < PAR_TICKS:
        raise BrokenInvariant(f"{where}: the level is not of this side and cost")
    lots, last = 0, None
    for order in level:
        if order.prev is not last or order.level is not level:
            raise BrokenInvariant(f"{where}: order {order.id} is linked to another place")
        if order.lots <= 0 or not 0 <= order.cover <= order.lots:
            raise BrokenInvariant(f"{where}: order {order.id} has {order.lots} lots")
        lots += order.lots
        last = order
    if last is None or level.tail is not last:
        raise BrokenInvariant(f"{where}: the level's last order is not its tail")
    if lots != level.lots:
        raise BrokenInvariant(f"{where}: {level.lots} lots are stated, {lots} rest")
