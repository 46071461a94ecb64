"""The bounds of the gateway, by name."""

from typing import Final

# -- people ----------------------------------------------------------------------------
MAX_ACCOUNT_CHARS: Final = 32
MAX_BODY_BYTES: Final = 256 * 1024
WAIT_OUTCOME_S: Final = 10
MAX_HTTP_CONNECTIONS: Final = 2_000
MAX_ADDRESS_CONNECTIONS: Final = 64
"""Of one IPv4 address or IPv6 /64."""
OPEN_PERCENT: Final = 75
"""Of these connections, the share in which anyone may have a request under way; the rest is for
signed-in people and for health."""
NEWCOMER_PERCENT: Final = 5
"""The share in which nobody may, so that a newcomer can at least ask."""
MAX_KEPT_REQUESTS: Final = 10
"""Requests that one account may have under way in what is kept for signed-in people."""
HEADER_TIMEOUT_S: Final = 5
"""A connection whose headers have not arrived is closed after so long."""
IDLE_TIMEOUT_S: Final = 75
"""So long one waits for its next request, unless its place is needed. Clients let go of theirs
after 5 to 60 s; a server that does so first cuts off the request that is on its way."""
MAX_HTTP_HEADERS: Final = 100
MAX_HTTP_HEADER_BYTES: Final = 32 * 1024
"""Of all headers of a request and its target together."""
MAX_HTTP_TARGET_BYTES: Final = 8 * 1024
"""Of a request's path and query."""
MAX_HTTP_REQUEST_BYTES: Final = 2 * 1024 * 1024
"""Of a request as it is sent: a body of MAX_BODY_BYTES in chunks of one byte is not longer."""
MAX_PIPELINED: Final = 8
"""Requests that wait on a connection for the answer before theirs."""
UNSENT_TIMEOUT_S: Final = 30
"""How long a client may take to read an answer that is too large for its buffers,"""
MAX_UNSENT_BYTES: Final = 64 * 1024 * 1024
"""and what all who read so slowly may hold together."""
CONNECTIONS_LOOK_S: Final = 1
"""How often the gateway looks which connections have outlived their time."""
HTTP_GRACE_S: Final = 2
"""How long requests under way, and open feeds, may go on after the gateway was told to stop."""
BODY_TIMEOUT_S: Final = 10
"""A request body that has not arrived by then is refused."""
READY_TIMEOUT_S: Final = 2
MAX_CORRELATION_CHARS: Final = 64
MAX_OUTCOME_WAITERS: Final = 20_000
"""Requests that may wait for an outcome at once."""
RECENT_RECORDS: Final = 4_096
RECENT_RECORD_BYTES: Final = 16 * 1024 * 1024
"""What the gateway keeps of an engine's last records, for those who ask for an outcome late."""
SIGN_INS_PER_MINUTE: Final = 30
"""Of one network, as are the two below: a /24 of IPv4, a /64 of IPv6."""
ACCOUNTS_PER_MINUTE: Final = 5
ACCOUNTS_PER_DAY: Final = 50
WRONG_FOUNDING_CODES_PER_MINUTE: Final = 10
"""Beyond these a wrong code is not even told to be wrong."""
MAX_FOUNDING_CODE_CHARS: Final = 64
ACCOUNT_OPENINGS_PER_MINUTE: Final = 600
"""By all networks together: the gateway bounds how many requests of strangers reach the log."""
ACCOUNT_OPENINGS_PER_DAY: Final = 10_000
"""By all networks together. Unused accounts live for two months at most: those that are opened
in that time at this rate leave room in the exchange."""

# -- programs --------------------------------------------------------------------------
NONCE_LIFE_S: Final = 600
MAX_REMEMBERED_PUSHES: Final = 100_000
"""Pushes whose answer the gateway gives again; the engine recognizes older ones."""
PUSHES_PER_MINUTE: Final = 120
"""Of one source at the gateway; the policy says how many of them count."""
RUNNER_REQUESTS_PER_MINUTE: Final = 600
"""By one runner: it asks and reports, each job of which takes seconds."""
RETRIES_PER_MINUTE: Final = 120
"""Of jobs that were given up, by one person's key: each is a message and a fetch more."""
FETCHES_ASKED_PER_MINUTE: Final = 600
"""By one service key, so that no one program fills the queue of jobs."""
