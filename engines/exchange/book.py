"""The book: price-time priority by level, first in first out within a level.

A book has two halves that work alike, because each is ordered by cost (see the package's
docstring): the best level of either is the one with the highest cost. Orders of a level
are a doubly linked list, so that one leaves from the middle without touching the others.
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


class Order:
    """A resting order. `cover` of its `lots` will close lots that its owner already holds."""

    __slots__ = ("cover", "id", "level", "lots", "next", "owner", "prev")

    def __init__(self, order_id: int, owner: Holding, lots: int, cover: int = 0) -> None:
        self.id = order_id
        self.owner = owner
        self.lots = lots
        self.cover = cover
        self.level: Level
        self.prev: Order | None = None
        self.next: Order | None = None


class Level:
    """The orders of one half at one cost; `lots` is their total."""

    __slots__ = ("cost", "half", "head", "lots", "tail")

    def __init__(self, half: Half, cost: int) -> None:
        self.half = half
        self.cost = cost
        self.lots = 0
        self.head: Order | None = None
        self.tail: Order | None = None

    def __iter__(self) -> Iterator[Order]:
        order = self.head
        while order is not None:
            yield order
            order = order.next


class Half:
    """One side of a book. `best` is the cost of its best level, 0 when it is empty.

    Which costs have a level is kept as bits in two tiers of integers, so that the next
    best one is found without a search whatever the shape of the book.
    """

    __slots__ = ("_bits", "_words", "best", "book", "direction", "levels")

    def __init__(self, book: Book, direction: int) -> None:
        self.book = book
        self.direction = direction
        self.best = 0
        self.levels: dict[int, Level] = {}
        self._words = [0] * _WORDS
        self._bits = 0

    def add(self, order: Order, cost: int) -> None:
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

    def remove(self, order: Order) -> None:
        """Take `order` out, wherever it stands."""
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

    def take(self, order: Order, lots: int) -> bool:
        """Take `lots` from `order`; tell whether that was all, and the order is out."""
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

    def walk(self) -> Iterator[Level]:
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

    def _open(self, cost: int) -> Level:
        word = cost >> _WORD_BITS
        self._words[word] |= 1 << (cost & _WORD_MASK)
        self._bits |= 1 << word
        if cost > self.best:
            self.best = cost
        return Level(self, cost)

    def _close(self, cost: int) -> None:
        del self.levels[cost]
        word = cost >> _WORD_BITS
        self._words[word] ^= 1 << (cost & _WORD_MASK)
        if not self._words[word]:
            self._bits ^= 1 << word
        if cost == self.best:
            self.best = self.below(cost)


class Book:
    """One symbol's market: its two halves, and who holds what in it.

    `status` is open, halted, closed (no trading, positions wait) or settled.
    """

    __slots__ = ("asks", "bids", "holdings", "status", "symbol", "tick_ticks")

    def __init__(self, symbol: str, tick_ticks: int, status: str = "open") -> None:
        self.symbol = symbol
        self.tick_ticks = tick_ticks
        self.status = status
        self.bids = Half(self, BUY)
        self.asks = Half(self, SELL)
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
