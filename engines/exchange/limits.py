"""The bounds of the exchange engine, by name."""

from typing import Final

from schemas.units import SECOND_NS

MAX_TRADES_PER_ORDER: Final = 1_000
"""An order that would cross more resting orders has its remainder cancelled."""
MAX_TRADES_PER_COMMAND: Final = 4_000
"""The same for all orders of one PlaceOrders together, so that a record stays in its bound."""
MAX_MINTED_CENTS: Final = 10**18
"""All credit of a venue together, so that no amount ever outgrows 64 bits."""
STALE_AFTER_NS: Final = 120 * SECOND_NS
"""A command whose client time is further in the past than this is never executed."""
FUTURE_AFTER_NS: Final = 10 * SECOND_NS
"""Nor is one whose client time is further ahead than this."""
REMEMBER_IDS_NS: Final = STALE_AFTER_NS + FUTURE_AFTER_NS + 1
"""How long a client id is remembered at least: until its command is stale for sure."""
MAX_IDS_PER_ACCOUNT: Final = 20_000_000
"""Client ids that one account may use within the memory above."""
MAX_ACCOUNTS: Final = 1_000_000
MAX_BARRED_LISTED: Final = 100
"""Accounts by which those who approved a review are barred that one event names."""
