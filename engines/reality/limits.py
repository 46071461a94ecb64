"""The bounds of the reality engine, by name."""

from typing import Final

from schemas.units import DAY_NS, SECOND_NS

REMEMBER_ARTICLES_NS: Final = 30 * DAY_NS
"""How long an article counts as seen; when it comes again later, it is too old anyway."""
MAX_REMEMBERED_ARTICLES: Final = 2_000_000
MAX_CLUSTER_ARTICLES: Final = 500
"""An article that would join a fuller cluster is a duplicate of it."""
MAX_PROPOSAL_ARTICLES: Final = 20
MAX_PROPOSAL_SOURCES: Final = 20
SPIKE_STD_FLOOR_E2: Final = 50
"""The least deviation of moves. Without it, any move after equal ones would be a spike."""
MAX_LLM_WAITING: Final = 1_000
FORGET_EVERY_NS: Final = 600 * SECOND_NS
MAX_TIMERS_AT_ONCE: Final = 1_000
"""Timers that fire at the end of one group; the rest follow with the next tick."""
