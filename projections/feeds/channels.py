"""The channels of the feed: their names, and who may read them.

| channel                  | kinds                                          | who         |
|--------------------------|------------------------------------------------|-------------|
| `market.<SYMBOL>.trades` | `trades`                                       | anyone      |
| `market.<SYMBOL>.top`    | `top`                                          | anyone      |
| `market.<SYMBOL>.depth`  | `depth_update`, `snapshot`                     | anyone      |
| `market.<SYMBOL>.price`  | `market_update`, `final_update`, `pressure_update` | anyone  |
| `market.<SYMBOL>.reality` | `reality_update`                              | anyone      |
| `account.<account>.orders` | `account_update`                             | the account |
| `public.markets`         | `market_listed`, `market_halted`, …            | anyone      |
| `public.audit`           | `audit_event`                                  | anyone      |
"""

from typing import Final

from schemas.errors import UnknownChannel
from schemas.subjects import is_account, is_symbol

MARKETS: Final = "public.markets"
AUDIT: Final = "public.audit"
MARKET_TOPICS: Final = ("trades", "top", "depth", "price", "reality")

WRITER: Final = "writer"
"""Not a channel: where a feeds process acquires the lease. Its last sequence fences the others."""
PROGRESS: Final = "progress"
"""Not a channel: how far along the log the FEED is."""


def market(symbol: str, topic: str) -> str:
    return f"market.{symbol}.{topic}"


def orders_of(account: str) -> str:
    """Return the private channel of `account`."""
    return f"account.{account}.orders"


def owner(channel: str) -> str | None:
    """Return the account that alone may read `channel`, None when anyone may.

    Raises UnknownChannel when there can be no such channel.
    """
    if channel in (MARKETS, AUDIT):
        return None
    match channel.split("."):
        case ["market", symbol, topic] if is_symbol(symbol) and topic in MARKET_TOPICS:
            return None
        case ["account", account, "orders"] if is_account(account):
            return account
        case _:
            raise UnknownChannel(channel)
