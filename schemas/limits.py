"""The bounds that the wire, the engines or more than one room rely on, by name."""

from typing import Final

from schemas.units import DAY_NS

# -- names and texts -------------------------------------------------------------------
MAX_SYMBOL_CHARS: Final = 24
MAX_CLIENT_ID_CHARS: Final = 36
"""Long enough for a UUID in its usual form."""
MAX_NAME_CHARS: Final = 120
MAX_NESTING: Final = 64
"""Arrays and objects inside one another in a message that anyone may have written."""
MAX_INTEGER_DIGITS: Final = 640
"""What every interpreter can read, whatever PYTHONINTMAXSTRDIGITS says."""

# -- commands --------------------------------------------------------------------------
MAX_COMMAND_BYTES: Final = 64 * 1024
MAX_BATCH_ORDERS: Final = 100
"""Orders in one PlaceOrders. Also the factor in `order_id = sequence * 100 + index`."""
MAX_QUANTITY_LOTS: Final = 1_000_000_000
MAX_AMOUNT_CENTS: Final = 10**15

# -- decisions -------------------------------------------------------------------------
MAX_DECISION_BYTES: Final = 64 * 1024
MAX_DETAIL_CHARS: Final = 300
"""What a refusal says beside its code."""
ROTATION_OVERLAP_NS: Final = DAY_NS
"""A rotated key is still accepted for this long (EM-152)."""

# -- sources and articles --------------------------------------------------------------
MAX_URL_CHARS: Final = 2_048
MAX_SELECTOR_CHARS: Final = 200
MIN_CRAWL_DELAY_S: Final = 1
MAX_CRAWL_DELAY_S: Final = 86_400
MIN_POLL_INTERVAL_S: Final = 30
MAX_POLL_INTERVAL_S: Final = 7 * 86_400
MAX_TITLE_CHARS: Final = 300
MAX_EXCERPT_CHARS: Final = 2_000
"""Of an article's text on the log (EM-33)."""
MAX_KEEP_RAW_DAYS: Final = 30
"""Also the life of the bucket that holds raw bytes."""
MAX_LANGUAGE_CHARS: Final = 35
"""A language tag, as RFC 5646 bounds it in practice."""
JOBS_DEDUPE_S: Final = 3_600

EMBEDDING_DIMENSIONS: Final = 384
"""Signed bytes of an embedding, which stands on the log as their base64."""

# -- search by meaning -----------------------------------------------------------------
MAX_QUESTION_CHARS: Final = 500
"""Length of a question in words."""
MAX_SIMILAR: Final = 50
"""Things that one answer lists."""
MAX_ASK_BYTES: Final = 8 * 1024
"""Size of a question between processes."""

# -- the reality engine ----------------------------------------------------------------
MAX_NEIGHBOURS: Final = 10
MAX_WINDOW_ARTICLES: Final = 200_000
"""Also how many articles are remembered as measured."""
MAX_MENTIONS: Final = 20
MAX_OPEN_REVIEWS: Final = 10_000
"""One more, and the oldest one of the source that has most of them expires."""
MAX_LLM_ARTICLES: Final = 5

# -- the entry point for programs ------------------------------------------------------
MAX_INGEST_BYTES: Final = 64 * 1024
"""A pushed article or a request to fetch; EM-34 allows up to 10 MB, an excerpt needs less."""
MAX_PUSHED_TEXT_CHARS: Final = 20_000
SERVICE_CLOCK_S: Final = 120
"""How far a signed request's time may be from ours (EM-34)."""
MAX_KEY_ID_CHARS: Final = 64
MAX_EVENT_ID_CHARS: Final = 64
"""A source's own id of what it pushes, and a program's key of what it wants fetched."""
MIN_NONCE_CHARS: Final = 8
MAX_NONCE_CHARS: Final = 64

MAX_REPORT_ITEMS: Final = 200
"""Links that a runner reports of one document,"""
MAX_REPORT_BYTES: Final = 256 * 1024
"""and what all of a report may come to, as any body of a request."""

# -- records and the engine host -------------------------------------------------------
MAX_GROUP_INPUTS: Final = 2_000
"""Inputs that one record may cover."""
MAX_GROUP_EVENTS: Final = 6_000
"""The group closes once it holds this many events."""
MAX_PAYLOAD_BYTES: Final = 8 * 1024 * 1024
"""nats.conf max_payload; the server advises against more."""
STATE_HASH_EVERY_RECORDS: Final = 1_000
STATUS_EVERY_S: Final = 1

MAX_BALANCE_ROWS: Final = 10_000
"""Balances, and positions, in one BalancesChanged; tops in one TopsChanged."""

# -- the connection to the log ---------------------------------------------------------
READ_BATCH: Final = 500
"""Messages asked for by one pull."""
GENESIS_POLL_MS: Final = 100
MAX_ATOMIC_BATCH: Final = 1_000
"""Messages in one atomic batch (the server's own bound)."""
APPEND_TIMEOUT_S: Final = 5
CONNECT_ATTEMPTS: Final = 60
CONNECT_TIMEOUT_S: Final = 2
CONNECT_PAUSE_S: Final = 1
"""Longest pause between two of the CONNECT_ATTEMPTS; the first are shorter."""
WIRE_PING_S: Final = 10
"""A connection that leaves three pings in a row unanswered counts as lost."""
LOG_REQUEST_TIMEOUT_S: Final = 5
LOG_REQUEST_ATTEMPTS: Final = 5

# -- seals -----------------------------------------------------------------------------
SEAL_EVERY_MESSAGES: Final = 10_000
MAX_UNSEALED_MESSAGES: Final = 4_000_000
"""Chain hashes, of 32 bytes, held until a seal says which of them to compare."""

# -- the public entry point ------------------------------------------------------------
MAX_PAGE_ROWS: Final = 1_000
MAX_CURSOR_CHARS: Final = 40
MAX_AT_CHARS: Final = 40
"""A sequence, or a time in ISO 8601."""
RETRY_AFTER_S: Final = 1
"""What a refused caller is told to wait before it tries again."""
MIN_SECRET_BYTES: Final = 32
