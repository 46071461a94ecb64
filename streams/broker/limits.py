"""The bounds of the broker and of native connections, by name."""

from typing import Final

# -- streams ---------------------------------------------------------------------------
SERVER_READY_S: Final = 30
"""How long nats-server may take to start, reading its store included."""
SERVER_STOP_S: Final = 15
MAX_CONF_BYTES: Final = 1024 * 1024
MAX_CONF_DIFFERENCES: Final = 10
"""So many differences are named; then it is said how many more there are."""
MAX_CONF_DEPTH: Final = 4
"""Files that include one another, at most so deep."""

# -- the broker and native connections -------------------------------------------------
MAX_HEADER_BYTES: Final = 4 * 1024
"""Headers that a trader's message may carry on top of MAX_COMMAND_BYTES."""
MAX_CONNECTIONS: Final = 8_192
"""Connections that the server takes in all; the bounds of each NATS account are below it."""
MAX_TRADER_CONNECTIONS: Final = 4_096
MAX_READER_CONNECTIONS: Final = 2_048
MAX_AUDITOR_CONNECTIONS: Final = 64
MAX_CONNECTION_SUBSCRIPTIONS: Final = 256
"""Subscriptions of one connection."""
MAX_PENDING_BYTES: Final = 64 * 1024 * 1024
"""Bytes held for one connection that does not read; then the server drops it."""
MAX_OPEN_BATCHES: Final = 100
"""Atomic batches begun and not committed, per stream. Opening one costs the server a file
and 1 to 6 ms: a higher bound would let a flood of them hold up everything else for longer,
a lower one would let fewer of them stop the batches of others."""
OPEN_BATCH_LIFE_S: Final = 1
"""The server forgets a batch that has been silent for this long (10 s by default)."""
REPLY_LIFE_S: Final = 5
"""How long the server keeps the way back for an answer that does not come."""
LOGIN_TIMEOUT_S: Final = 5
LOGIN_LIFE_S: Final = 3_600
"""A native connection must log in again after this; so long may a rotated key linger."""
REFUSALS_PER_S: Final = 100
REFUSALS_BURST: Final = 500
"""Refused logins that are answered; the others wait for the server's own timeout."""
LOGINS_PER_ACCOUNT_PER_HOUR: Final = 360
LOGINS_PER_ACCOUNT_BURST: Final = 100
"""With LOGIN_LIFE_S this also bounds the connections of one account: 460."""
MAX_LOGIN_ACCOUNTS: Final = 10_000
"""Accounts whose recent logins are remembered in order to bound them."""
MAX_LOGINS_WAITING: Final = 1_000
MAX_LOGIN_BYTES: Final = 64 * 1024
