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
MAX_NATIVE_BYTES: Final = 32 * 1024
"""One message of a stranger, headers included. A hundred orders with each field at its longest
take 22 kB; what is larger holds nothing that the exchange would carry out."""
MAX_CONNECTIONS: Final = 8_192
"""Connections that the server takes in all. Those of strangers have three quarters of it."""
MAX_TRADER_CONNECTIONS: Final = 4_096
MAX_READER_CONNECTIONS: Final = 1_984
MAX_AUDITOR_CONNECTIONS: Final = 64
MAX_STRANGERS: Final = MAX_TRADER_CONNECTIONS + MAX_READER_CONNECTIONS + MAX_AUDITOR_CONNECTIONS
CONNECTIONS_PER_ADDRESS: Final = 64
"""Strangers' connections from one address at the front, logged in or not;"""
DIALS_PER_S: Final = 10
"""and how many new ones it may begin in a second, after those."""
FRONT_BACKLOG: Final = 1_024
"""Connections that the kernel holds until the front takes them."""
ACCOUNT_CONNECTIONS: Final = 5
"""Native connections of one account, unless a quota of the venue says otherwise;"""
ACCOUNT_READERS: Final = 2
"""so many of them may listen to feeds."""
TRADER_SUBSCRIPTIONS: Final = 4
"""Subscriptions of one connection that sends orders: one hears all its answers."""
READER_SUBSCRIPTIONS: Final = 10
"""Subscriptions of one connection that hears feeds. Each is one more copy of what it matches;
wildcards are for those who follow more channels. Two readers and three traders make 32."""
MAX_CONNECTION_SUBSCRIPTIONS: Final = 256
"""Subscriptions of one connection of the venue's own."""
MAX_PENDING_BYTES: Final = 64 * 1024 * 1024
"""Bytes held for one connection that does not read; then the server drops it."""
WRITE_DEADLINE_S: Final = 5
"""A connection that takes nothing for this long is dropped, however little it was sent."""
PING_EVERY_S: Final = 20
MAX_PINGS_OUT: Final = 2
"""A connection that leaves two pings unanswered is dropped, and its account has a seat again."""
MAX_OPEN_BATCHES: Final = 16
"""Atomic batches begun and not committed, per stream. Opening one costs the server a file, an
fsync and 1 to 6 ms. Only the venue's own processes open any, a few at once; who finds all of
them open sends single messages instead."""
OPEN_BATCH_LIFE_S: Final = 1
"""The server forgets a batch that has been silent for this long (10 s by default)."""
REPLY_LIFE_S: Final = 5
"""How long the server keeps the way back for an answer that does not come."""
LOGIN_TIMEOUT_S: Final = 5
LOGIN_LIFE_S: Final = 12 * 3_600
"""The server ends a native connection after this, for good: so long may a rotated key linger."""
RENEW_AFTER_S: Final = 11 * 3_600
"""The desk ends it before, without an error, so that clients log in again by themselves."""
RENEW_LOOK_S: Final = 10
"""How often the desk looks whose login is old,"""
RENEWALS_AT_ONCE: Final = 64
"""and how many it ends then: all that logged in at once are done well before their time."""
REFUSALS_PER_S: Final = 100
REFUSALS_BURST: Final = 500
"""Refused logins that are answered; the others wait for the server's own timeout."""
LOGINS_PER_ACCOUNT_PER_HOUR: Final = 360
LOGINS_PER_ACCOUNT_BURST: Final = 100
MAX_LOGIN_ACCOUNTS: Final = 10_000
"""Accounts whose recent logins are remembered in order to bound them."""
CENSUS_WITHIN_S: Final = 1
"""How long the server may take to say which connections an account has."""
MAX_LOGINS_WAITING: Final = 1_000
MAX_LOGIN_BYTES: Final = 64 * 1024
