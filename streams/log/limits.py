"""The bounds of the log's clients, by name."""

from typing import Final

from schemas.limits import MAX_PAYLOAD_BYTES
from schemas.units import DAY_NS, SECOND_NS

# -- streams ---------------------------------------------------------------------------
MAX_RAW_BYTES: Final = 1024 * 1024 * 1024
"""Of all objects in the bucket. A full bucket keeps nothing more until objects expire. The
server reserves this much of its disk."""
MAX_NONCE_BYTES: Final = 64 * 1024 * 1024
"""Of all nonces in the bucket, each some 200 bytes. A full bucket lets nobody in until some
expire."""
MAX_NONCE_MESSAGE_BYTES: Final = 1_024
"""A nonce is a subject without a payload; its headers count."""
JOB_LIFE_S: Final = 86_400
MAX_JOBS: Final = 100_000
FEED_MAX_AGE_NS: Final = 7 * DAY_NS
FEED_MAX_PER_CHANNEL: Final = 100_000
DEDUPE_WINDOW_NS: Final = SECOND_NS
"""JetStream's own; nothing here relies on it. It is short because the server keeps every id
that a trader sends for this long, and one trader's id shadows another's."""
MAX_STREAM_CONSUMERS: Final = 1_500
"""On one stream: a thousand readers of feeds, and as many again as a half for the venue's own
processes and checks of it. nats.conf says so; a server left to itself refuses the 1,001st."""
MONITOR_TIMEOUT_S: Final = 5

# -- records and the engine host -------------------------------------------------------
READ_PULLS: Final = 4
"""Pulls outstanding at once."""

# -- appending -------------------------------------------------------------------------
MAX_APPENDS_IN_FLIGHT: Final = 4
MAX_APPEND_QUEUE: Final = 20_000
APPEND_SINGLES: Final = 16
"""Up to this many waiting appends go out one by one, which is faster than a batch."""

# -- the connection to the log ---------------------------------------------------------
MAX_SENDS_IN_FLIGHT: Final = 1_000
"""Unanswered appends on one connection; the server acks only after draining its input."""
RESOLVE_WITHIN_S: Final = 30
"""How long an append without an answer is looked for on the log."""
READ_PULL_LIFE_S: Final = 30
READ_HEARTBEAT_S: Final = 5
"""The server says this often that a pull is alive. After three silences it counts as dead."""
MAX_PULL_BYTES: Final = 2 * MAX_PAYLOAD_BYTES
"""Bytes that one pull may bring, so that large records do not fill the memory."""
READER_IDLE_S: Final = 60
"""The server deletes the consumer of a reader that has not pulled for this long."""

# -- the cursor ------------------------------------------------------------------------
READ_POLL_S: Final = 1
"""How long a cursor waits for the next message before it says that none came."""
READ_PATIENCE: Final = 30
"""Empty polls in a row after which a cursor stops waiting for a message that is on the log."""
REOPEN_ATTEMPTS: Final = 60
"""Times in a row that a follower opens the log again,"""
REOPEN_PAUSE_S: Final = 1
"""with this pause before each."""
