"""The bounds of time travel, by name."""

from typing import Final

TRAVEL_SNAPSHOT_RECORDS: Final = 2_000
TRAVEL_SNAPSHOT_EVENTS: Final = 20_000
"""Events, or records, of an engine from one of its travel snapshots to the next. What lies
between is folded by whoever asks, so this bounds how long an answer takes."""
TRAVEL_SNAPSHOT_MESSAGES: Final = 10_000
"""Messages of the log between them where an engine says little: the server looks through what
lies between to find its records."""
TRAVEL_SNAPSHOTS_KEPT: Final = 100
"""Of one engine; when there are more, they are thinned evenly along the log."""
