"""The bounds of the reality engine, by name."""

from typing import Final

from schemas.units import DAY_NS, SECOND_NS

REMEMBER_ARTICLES_NS: Final = 30 * DAY_NS
"""How long an article is known as seen; an older one that comes again is too old anyway."""
MAX_REMEMBERED_ARTICLES: Final = 2_000_000
MAX_CLUSTER_ARTICLES: Final = 500
"""An article that would join a fuller cluster is a duplicate of it."""
MAX_PROPOSAL_ARTICLES: Final = 20
MAX_PROPOSAL_SOURCES: Final = 20
SPIKE_STD_FLOOR_E2: Final = 50
"""A symbol that always moved alike is taken to vary by this much, or any move were a spike."""
MAX_LLM_WAITING: Final = 1_000
FORGET_EVERY_NS: Final = 600 * SECOND_NS
MAX_TIMERS_AT_ONCE: Final = 1_000
"""Timeouts and expiries that one group concludes; the rest follow with the next tick."""
