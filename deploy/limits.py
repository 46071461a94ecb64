"""The bounds of the venue's processes and its command line, by name."""

from typing import Final

DEFAULT_CRAWL_DELAY_S: Final = 30
"""EM-62: one request to a domain in so many seconds; the larger of it and robots' wins."""
MAX_SERVICE_SECRETS: Final = 5
"""Secrets of one service key that are accepted at once, after rotations."""
STOP_PATIENCE_S: Final = 15
"""How long a process that was told to stop may take before it is cancelled."""
LINES_PER_SECOND: Final = 20
"""Log lines that a process writes for one cause; the next line counts what was left out."""
MAX_LOG_CAUSES: Final = 256
"""Causes that are told apart within a second; all others are one."""
MAX_LOGGED_CHARS: Final = 400
"""Of one value in a log line,"""
MAX_LOGGED_TRACE_CHARS: Final = 8_000
"""and of a traceback."""
LOG_FILE_BYTES: Final = 20 * 1024 * 1024
LOG_FILES: Final = 5
"""The one that is written, and those before it."""
LOG_LOOK_MS: Final = 500
"""How often `everything up` looks whether a log file is full."""
GATEWAY_FILES: Final = 16_384
"""Open files that the gateway asks for, if it may: each connection is one."""
PULSE_EVERY_S: Final = 1
"""How often a process tells its supervisor that its event loop turns."""
SILENT_AFTER_S: Final = 20
"""A process whose loop has not turned for so long is killed and started again. What takes long is
done in threads, or in pieces between which the loop turns."""
STARTING_S: Final = 120
"""How long a process may take until its loop turns first: it imports, perhaps from a cold disk."""
UNWATCHED_S: Final = 5
"""A supervisor that has not looked for so long was held up itself, perhaps with the whole machine:
it then listens once more before it judges anyone."""
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

COUNT_JOBS_EVERY_S: Final = 5
"""How often the scheduler counts the jobs that wait."""
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
