"""The bounds of what gateway and relay know of accounts, by name."""

from typing import Final

TAIL_BATCH: Final = 50
"""Records folded before other work of the gateway or the relay gets a turn."""
SESSION_LIFE_S: Final = 12 * 3600
CHALLENGE_LIFE_S: Final = 60
MAX_KNOWN_TOKENS: Final = 10_000
"""Session tokens whose signature need not be checked again."""
LAPSED_NAME_KEPT_S: Final = 2 * SESSION_LIFE_S
"""The name of a lapsed account is free again after this: by then no session or login is left."""
MAX_LIMITED_NAMES: Final = 50_000
"""Accounts, networks or keys whose last requests are remembered in order to bound them."""
OPEN_ORDERS_KNOWN_S: Final = 1
"""How long a count of open orders is good enough to refuse by."""
