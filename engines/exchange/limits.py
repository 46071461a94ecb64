"""The bounds of the exchange engine, by name."""

from typing import Final

from schemas.units import DAY_NS, SECOND_NS

MAX_TRADES_PER_ORDER: Final = 1_000
"""An order that would trade with more resting orders has its remainder cancelled."""
MAX_TRADES_PER_COMMAND: Final = 4_000
"""The same for all orders of one PlaceOrders together, so that a record stays in its bound."""
MAX_MINTED_CENTS: Final = 10**18
"""All credit of a venue together, so that every amount fits into 64 bits."""
STALE_AFTER_NS: Final = 120 * SECOND_NS
"""A command whose client time is further in the past than this is never executed."""
FUTURE_AFTER_NS: Final = 10 * SECOND_NS
"""A command whose client time is further ahead than this is never executed."""
REMEMBER_IDS_NS: Final = STALE_AFTER_NS + FUTURE_AFTER_NS + 1
"""How long a client id is remembered at least. By then its command is stale."""
MAX_IDS_PER_ACCOUNT: Final = 20_000_000
"""Client ids that one account may use within the memory above."""
MAX_ACCOUNTS: Final = 1_000_000
UNUSED_ACCOUNT_NS: Final = 30 * DAY_NS
"""An unused account lapses after this, and before twice this has passed."""
MAX_LAPSES: Final = 500
"""Accounts that lapse in one record; those that are left follow in the next one."""
MAX_CONFLICTED_LISTED: Final = 100
"""Accounts with a conflict of interest that one ReviewersChecked names."""
IDS_LIKE_AN_EVENT: Final = 16
"""Every 16 order ids in one event count as one extra event against MAX_GROUP_EVENTS."""
