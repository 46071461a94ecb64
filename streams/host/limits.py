"""The bounds of the engine host, by name."""

from typing import Final

from schemas.units import SECOND_NS

# -- records and the engine host -------------------------------------------------------
MAX_RECORD_BYTES: Final = 7 * 1024 * 1024
MAX_RECORDS_IN_FLIGHT: Final = 2
"""Records of an engine not yet known to be on the log: one sent, one decided behind it."""
SNAPSHOT_EVERY_RECORDS: Final = 20_000
SNAPSHOT_EVERY_EVENTS: Final = 250_000
"""Records grow under load, so this bounds the fold behind a snapshot to a few seconds. The
host then waits for a record with a state hash. At full speed it therefore saves every
STATE_HASH_EVERY_RECORDS, which is some millions of events."""
SNAPSHOTS_KEPT: Final = 2
FILL_GROUP_INPUTS: Final = 1_000
"""While a record is in flight, the next one waits for this many inputs. This keeps records
few and full."""
MAX_WAITING_INPUTS: Final = 20_000
"""Inputs that a host holds undecided before it stops reading."""
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
HOST_ATTEMPTS: Final = 60
"""How often in a row a host acquires leadership again without committing anything."""
HOST_BACKOFF_MS: Final = 50
"""The first wait between two attempts; it doubles up to the next bound."""
HOST_BACKOFF_MAX_MS: Final = 2_000
LEADERSHIP_SETTLED_NS: Final = 10 * SECOND_NS
"""A leadership that lasted this long was a success: attempts are counted from 0 again."""
EMPTY_TICK_PAUSE_NS: Final = SECOND_NS
"""How long a host waits after a tick that led to no event."""
COLLECT_EVERY_RECORDS: Final = 500
"""Records between two passes over the young garbage of an engine's process."""

# -- seals -----------------------------------------------------------------------------
SCRUB_MESSAGES_PER_S: Final = 20_000
"""How fast the notary's process reads the log again, at most."""
