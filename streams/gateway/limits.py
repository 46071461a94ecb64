"""The bounds of the gateway, by name."""

from typing import Final

# -- people ----------------------------------------------------------------------------
MAX_ACCOUNT_CHARS: Final = 32
MAX_BODY_BYTES: Final = 256 * 1024
WAIT_OUTCOME_S: Final = 10
SESSION_LIFE_S: Final = 12 * 3600
CHALLENGE_LIFE_S: Final = 60
MAX_HTTP_CONNECTIONS: Final = 2_000
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
TAIL_BATCH: Final = 50
"""Records folded before the gateway's other work gets a turn."""
MAX_USED_CHALLENGES: Final = 100_000
MAX_KNOWN_TOKENS: Final = 10_000
"""Session tokens whose signature need not be checked again."""
WRONG_FOUNDING_CODES_PER_MINUTE: Final = 10
"""Beyond these a wrong code is not even told to be wrong."""
MAX_FOUNDING_CODE_CHARS: Final = 64
ACCOUNT_OPENINGS_PER_MINUTE: Final = 600
"""Anyone may ask for an account, so the gateway bounds how many requests reach the log."""

# -- programs --------------------------------------------------------------------------
NONCE_LIFE_S: Final = 600
MAX_NONCES: Final = 1_000_000
MAX_REMEMBERED_PUSHES: Final = 100_000
"""Pushes whose answer the gateway gives again; the engine recognizes older ones."""
PUSHES_PER_MINUTE: Final = 120
"""Of one source at the gateway; the policy says how many of them count."""
FETCHES_ASKED_PER_MINUTE: Final = 600
"""By one service key, so that no one program fills the queue of jobs."""
