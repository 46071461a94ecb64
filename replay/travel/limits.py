"""The bounds of time travel, by name."""

from typing import Final

TRAVEL_SNAPSHOT_RECORDS: Final = 2_000
TRAVEL_SNAPSHOT_EVENTS: Final = 20_000
"""Events, or records, of an engine from one of its travel snapshots to the next. A query folds
the records after the nearest snapshot, so this bounds its latency."""
TRAVEL_SNAPSHOT_MESSAGES: Final = 10_000
"""Messages of the log from one travel snapshot of a quiet engine to the next. The server searches
them for the engine's records, so this bounds that search."""
TRAVEL_SNAPSHOTS_KEPT: Final = 100
"""Travel snapshots of one engine. When there are more, they are thinned evenly along the log."""
