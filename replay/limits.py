"""The bounds of verify, archive, bundles, time travel, why and what-if, by name."""

from typing import Final

from schemas.units import SECOND_NS

# -- verify ----------------------------------------------------------------------------
MAX_FINDINGS: Final = 100
"""`verify` stops looking once it has found this many things wrong."""
MAX_FINDINGS_ALIKE: Final = 5
"""Findings of one kind about one engine that are told one by one."""
MAX_VERIFY_WAITING_BYTES: Final = 256 * 1024 * 1024
"""Inputs of one record that are held at once; beyond it those that led to nothing go."""
MAX_FINDING_CHARS: Final = 300
"""Of a value that a finding quotes."""

OTHER_RELEASE_TIMEOUT_S: Final = 3_600
"""Seconds that another release may take to decide again what a bundle holds."""

# -- archive and bundles ---------------------------------------------------------------
SEGMENT_MESSAGES: Final = 250_000
"""A segment ends at the first seal at which it holds this many messages,"""
SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""or this many bytes before they are packed,"""
SEGMENT_AFTER_NS: Final = 60 * SECOND_NS
"""or is this old. What is younger goes with the disk of the log."""
ARCHIVE_ATTEMPTS: Final = 10
"""Times in a row that another archiver may be quicker before this one gives up."""
MAX_ARCHIVE_LINE_BYTES: Final = 512 * 1024
"""Of a line that says what a segment or a bundle holds; a genesis or a seal is in it."""
RESTORE_BATCH_BYTES: Final = 8 * 1024 * 1024
MAX_BUNDLE_MESSAGES: Final = 1_000_000
"""Messages in one evidence bundle, which is checked in memory,"""
MAX_BUNDLE_BYTES: Final = 512 * 1024 * 1024
"""and their bytes."""

# -- why and what-if -------------------------------------------------------------------
MAX_WHY_TRADES: Final = 200
"""Trades behind a price that are told one by one; those before them are summed."""
WHY_TRADE_WEIGHT_BP: Final = 10
"""Trades are told until all before them weigh less than this in MarketPrice; those are summed."""
MAX_WHY_CHANGES: Final = 100
"""Score changes that are told with all that led to them; those before them are summed."""
MAX_WHY_ARTICLES: Final = 20
"""Articles of one story that are told, the newest."""
MAX_WHY_STORIES: Final = 10_000
"""Stories of one symbol, and reviews, that are held while a log is walked."""
MAX_MOVED_NODES: Final = 1_000
"""Effects of one message that are told; the first ones."""
MAX_SVG_NODES: Final = 250
MAX_SVG_LINE_CHARS: Final = 120
MAX_WHATIF_WAITING: Final = 1_000
"""Inputs that an engine of a fork has not decided before those that lead to nothing go."""
MAX_WHATIF_ROWS: Final = 1_000
"""Reviews and clusters that a comparison lists one by one; symbols are all listed."""
MAX_PLOT_POINTS: Final = 500
"""Of one history in a plot; more are thinned evenly."""
MAX_PLOT_PANELS: Final = 8
