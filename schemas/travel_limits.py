"""The bounds of time travel, by name; all others are in `limits`, which is as long as it may be."""

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
TRAVEL_MOMENTS_KEPT: Final = 1_000
"""Answers that the door remembers. They never change, since the log's past does not."""
MAX_TRAVEL_WAITING: Final = 16
"""Questions for states that are not remembered and wait for their turn; one more is refused at
once. Anyone may ask, and each costs a fold."""
TRAVEL_ANSWER_S: Final = 20
"""How long the door waits for a state hash that has to be folded first."""

HISTORY_BATCH_MESSAGES: Final = 200
HISTORY_BATCH_EVENTS: Final = 5_000
"""Messages and events that the historian writes in one transaction, each on its own."""
HISTORY_WAIT_S: Final = 3
"""How long a read of a moment waits for the historian to get there,"""
HISTORY_LOOK_MS: Final = 50
"""and how often it looks."""
HISTORIES_KEPT: Final = 2
"""The live one and the one before it."""
HISTORY_IDLE_S: Final = 1
"""How long a historian waits for messages before it looks whether it is still in office."""
MAX_AT_CHARS: Final = 40
