"""The bounds of the venue's processes and its command line, by name."""

from typing import Final

DEFAULT_CRAWL_DELAY_S: Final = 30
"""EM-62: one request to a domain in so many seconds; the larger of it and robots' wins."""
MAX_SERVICE_SECRETS: Final = 5
"""Secrets of one service key that are accepted at once, after rotations."""
STOP_PATIENCE_S: Final = 15
"""How long a process that was told to stop may take before it is cancelled."""
NEWS_LOOK_S: Final = 5
"""From one look whether the extra `news` is installed by now to the next."""
NEWS_PROGRESS_S: Final = 5
"""Between two lines that say how its installation goes."""
UPGRADE_LOOK_MS: Final = 500
"""How often `everything upgrade` looks how far the tables are that the venue builds,"""
UPGRADE_PATIENCE_S: Final = 60
"""and how long they may stand still before it gives up."""
UPGRADE_NOTE_S: Final = 5
"""How often `everything up` looks whether they are built, to say so."""
SCRUB_PAUSE_S: Final = 10
"""From the end of one walk along the log to the next."""

MAX_STATUS_PROCESSES: Final = 256
"""Processes whose heartbeats are remembered."""
TRAVEL_MOMENTS_KEPT: Final = 1_000
"""Answers that the gateway remembers. They never change, since the log's past does not."""
MAX_TRAVEL_WAITING: Final = 16
"""Questions for states that are not remembered and wait for their turn; one more is refused at
once. Anyone may ask, and each costs a fold."""
MAX_TRAVEL_WAITING_OF_ONE: Final = 4
"""Of these of one caller's network (/24 or /64); callers are answered in turn."""
TRAVEL_ANSWER_S: Final = 20
"""How long the gateway waits for a state hash that has to be folded first."""
