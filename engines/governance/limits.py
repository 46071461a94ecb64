"""The bounds of the governance engine, by name."""

from typing import Final

from schemas.units import DAY_NS

MAX_TEXT_CHARS: Final = 2_000
MAX_ALIASES: Final = 50
MAX_MARKETS: Final = 100_000
MAX_DECISION_LIFE_NS: Final = 7 * DAY_NS
"""A decision that expires later than this after it is folded is refused."""
MAX_PENDING_DECISIONS: Final = 1_000
MAX_COUNTER: Final = 2**63 - 1
"""A decision's counter; what a signed 64-bit column can hold."""
MIN_TICK_TICKS: Final = 1
MAX_TICK_TICKS: Final = 1_000
MAX_KEYS: Final = 10_000
MAX_SOURCES: Final = 10_000
MAX_QUARANTINE_NS: Final = 365 * DAY_NS
