"""The exchange's whole state: a function of its own events alone."""

from engines.exchange.accounts import Account, Holding
from engines.exchange.book import Book, RestingOrder
from engines.exchange.client_ids import ClientIds
from engines.exchange.unused import UnusedAccounts
from schemas.policy import ExchangePolicy


class State:
    """Accounts, books, resting orders by id, what is remembered, and what is to be stated.

    `touched_*` holds what events changed since BalancesChanged or TopsChanged last stated it,
    in the order in which it was first touched. `venue_id` is empty before the
    genesis. `minted_cents` is all the credit there is.
    """

    __slots__ = (
        "accounts",
        "books",
        "ids",
        "last_cause",
        "last_trade_id",
        "minted_cents",
        "orders",
        "policy",
        "touched_accounts",
        "touched_books",
        "touched_holdings",
        "unused",
        "venue_id",
    )

    def __init__(self) -> None:
        self.venue_id = ""
        self.policy = ExchangePolicy()
        self.minted_cents = 0
        self.last_trade_id = 0
        self.last_cause = 0
        self.accounts: dict[str, Account] = {}
        self.books: dict[str, Book] = {}
        self.orders: dict[int, RestingOrder] = {}
        self.ids = ClientIds()
        self.unused = UnusedAccounts()
        self.touched_accounts: dict[str, Account] = {}
        self.touched_holdings: dict[Holding, None] = {}
        self.touched_books: dict[str, Book] = {}
