"""Every bound of the system, by name. A bound that is not here does not exist."""

from typing import Final

from everything.schemas.units import DAY_NS, SECOND_NS

# -- names and texts -----------------------------------------------------------------
MAX_ACCOUNT_CHARS: Final = 32
MAX_SYMBOL_CHARS: Final = 24
MAX_CLIENT_ID_CHARS: Final = 36
"""Long enough for a UUID in its usual form."""
MAX_NAME_CHARS: Final = 120
MAX_TEXT_CHARS: Final = 2_000
MAX_ALIASES: Final = 50

# -- commands ------------------------------------------------------------------------
MAX_COMMAND_BYTES: Final = 64 * 1024
MAX_BATCH_ORDERS: Final = 100
"""Orders in one PlaceOrders. Also the factor in `order_id = sequence * 100 + index`."""
MAX_QUANTITY_LOTS: Final = 1_000_000_000
MAX_AMOUNT_CENTS: Final = 10**15
MAX_TRADES_PER_ORDER: Final = 1_000
"""An order that would cross more resting orders has its remainder cancelled."""
STALE_AFTER_NS: Final = 120 * SECOND_NS
"""A command whose client time is further in the past than this is never executed."""
FUTURE_AFTER_NS: Final = 10 * SECOND_NS
"""Nor is one whose client time is further ahead than this."""
REMEMBER_IDS_NS: Final = STALE_AFTER_NS + FUTURE_AFTER_NS
"""How long a client id is remembered at least: until its command is stale for sure."""
MAX_IDS_PER_ACCOUNT: Final = 20_000_000
"""Client ids that one account may use within the memory above."""
MAX_ACCOUNTS: Final = 1_000_000
MAX_MARKETS: Final = 100_000

# -- decisions -----------------------------------------------------------------------
MAX_DECISION_BYTES: Final = 64 * 1024
MAX_DECISION_LIFE_NS: Final = 7 * DAY_NS
"""A decision that expires later than this after it is folded is refused."""
MAX_PENDING_DECISIONS: Final = 1_000
MAX_KEYS: Final = 10_000
ROTATION_OVERLAP_NS: Final = DAY_NS
"""A rotated key is still accepted for this long (EM-152)."""

# -- records and the engine host -----------------------------------------------------
MAX_GROUP_INPUTS: Final = 2_000
"""Inputs that one record may cover."""
MAX_GROUP_EVENTS: Final = 6_000
"""The group closes once it holds this many events."""
MAX_RECORD_BYTES: Final = 7 * 1024 * 1024
MAX_PAYLOAD_BYTES: Final = 8 * 1024 * 1024
"""nats.conf max_payload; the server advises against more."""
STATE_HASH_EVERY_RECORDS: Final = 1_000
MAX_RECORDS_IN_FLIGHT: Final = 2
READ_BATCH: Final = 500
"""Messages asked for by one pull."""
READ_PULLS: Final = 2
"""Pulls outstanding at once."""
SNAPSHOT_EVERY_RECORDS: Final = 20_000
SNAPSHOTS_KEPT: Final = 2

# -- appending -----------------------------------------------------------------------
MAX_ATOMIC_BATCH: Final = 1_000
"""Messages in one atomic batch (the server's own bound)."""
MAX_APPENDS_IN_FLIGHT: Final = 4
MAX_APPEND_QUEUE: Final = 20_000
APPEND_TIMEOUT_S: Final = 5
APPEND_ATTEMPTS: Final = 5
CONNECT_ATTEMPTS: Final = 60

# -- seals ---------------------------------------------------------------------------
SEAL_EVERY_MESSAGES: Final = 10_000
SEAL_AFTER_NS: Final = 5 * SECOND_NS
"""A quiet log is sealed this long after its first unsealed message."""

MAX_BALANCE_ROWS: Final = 10_000
"""Balances, and positions, in one BalancesChanged."""

# -- projections ---------------------------------------------------------------------
PROJECT_BATCH_RECORDS: Final = 200
PROJECT_BATCH_EVENTS: Final = 20_000
FEED_DEPTH_LEVELS: Final = 50

# -- the public door -----------------------------------------------------------------
MAX_BODY_BYTES: Final = 256 * 1024
MAX_PAGE_ROWS: Final = 1_000
MAX_SNAPSHOT_LEVELS: Final = 500
WAIT_OUTCOME_S: Final = 10
SESSION_LIFE_S: Final = 12 * 3600
CHALLENGE_LIFE_S: Final = 60
MAX_FEED_BACKLOG: Final = 10_000
"""Feed messages held for one slow reader before it is disconnected."""
