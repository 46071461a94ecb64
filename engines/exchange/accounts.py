"""Accounts and holdings: money and lots, and whose they are."""

from __future__ import annotations

from typing import Protocol


class PricedAt(Protocol):
    """The price level of a resting order: what one lot of it costs."""

    cost: int


class OwnOrder(Protocol):
    """A resting order, as far as its owner's money follows from it.

    `book.RestingOrder` is one. This protocol lets the book import accounts, but not the other
    way round.
    """

    id: int
    lots: int
    cover: int

    @property
    def owner(self) -> Holding: ...

    @property
    def level(self) -> PricedAt: ...


class Account:
    """One account's money, resting orders and client ids.

    `reserved` cents back the opening part of the resting orders; `cash` cents are free.
    `ids_now` and `ids_before` are the generations of `client_ids`. `index` is the account's
    place, from 0, in the dump that is being written.
    """

    __slots__ = (
        "cash",
        "ids_before",
        "ids_now",
        "index",
        "name",
        "orders",
        "public_key",
        "reserved",
    )

    def __init__(self, name: str, public_key: str) -> None:
        self.index = 0
        self.name = name
        self.public_key = public_key
        self.cash = 0
        self.reserved = 0
        self.orders: dict[int, OwnOrder] = {}
        self.ids_now: dict[str, int] = {}
        self.ids_before: dict[str, int] = {}


class Holding:
    """The lots of one account in one book, held and resting.

    `lots` is the net position, long above zero. `covered` of them are committed: resting
    orders on the other side will close them and reserve nothing for them. `covering` holds
    those orders, oldest first. `buying` and `selling` are the account's resting lots.
    """

    __slots__ = ("account", "buying", "covered", "covering", "lots", "selling", "symbol")

    def __init__(self, account: Account, symbol: str, lots: int = 0) -> None:
        self.account = account
        self.symbol = symbol
        self.lots = lots
        self.covered = 0
        self.covering: dict[int, OwnOrder] = {}
        self.buying = 0
        self.selling = 0

    def uncommitted(self, direction: int) -> int:
        """Return the lots that an order in `direction` would close and no order covers yet."""
        opposite = -direction * self.lots
        return opposite - self.covered if opposite > 0 else 0

    def exposure(self, direction: int) -> int:
        """Return the position, counted in `direction`, if all that rests there is filled."""
        return self.lots + self.buying if direction > 0 else self.selling - self.lots
