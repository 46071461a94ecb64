"""The bounds of the read models and their API, by name."""

from typing import Final

# -- the API ---------------------------------------------------------------------------
MAX_REQUEST_ID_CHARS: Final = 48
"""`<cluster>-<symbol>`, the id of an event and of a request to the LLM."""
READ_POOL_CONNECTIONS: Final = 8
READ_WAIT_S: Final = 2
"""How long a read waits for its turn, and then for a connection of the pool."""
MAX_READS_WAITING: Final = 2_048
"""Reads that wait for a turn or have it; callers take turns, so many wait only for themselves."""
MAX_READS_WAITING_OF_ONE: Final = 64
"""The same, of one address."""
READ_STATEMENT_S: Final = 10
"""How long one read of the API may keep Postgres busy."""
MAX_SNAPSHOT_LEVELS: Final = 500
TABLES_WAIT_S: Final = 3
"""How long a read with `wait_for` waits for the projector to get there,"""
TABLES_LOOK_MS: Final = 20
"""and how often it looks, once for all that wait."""

# -- feeds -----------------------------------------------------------------------------
APPEND_ATTEMPTS: Final = 5
FEED_DEPTH_LEVELS: Final = 50
"""Price levels per side that the depth channel shows."""
FEED_SNAPSHOT_EVERY: Final = 100
"""Messages of a depth channel from one full snapshot to the next."""
FEED_RENEW_S: Final = 3_600
"""A feeds process renews its writer message this often, long before the FEED drops it."""
MAX_FEED_CHANNELS: Final = 20
"""Channels that one reader may follow over one connection."""
MAX_FEED_READERS: Final = 1_000
FEED_HEARTBEAT_S: Final = 15
FEED_SEND_S: Final = 30
"""A feed reader that takes nothing for so long is disconnected."""
MAX_FEED_BACKLOG: Final = 10_000
"""A feed reader that is more messages behind on a channel than this is disconnected."""

# -- the store -------------------------------------------------------------------------
PROJECT_BATCH_RECORDS: Final = 200
PROJECT_BATCH_EVENTS: Final = 20_000
STORE_TIMEOUT_S: Final = 10
STORE_ATTEMPTS: Final = 60
"""Times in a row that a projector tries to reach Postgres, a second apart at most."""
STORE_BACKOFF_S: Final = 1
READ_MODELS_KEPT: Final = 2
"""The live one and the one before it, for a rollback; older ones are dropped by a rebuild."""
CATCH_UP_ROUNDS: Final = 20
"""Times that a rebuild runs after the live model before it asks that to hold still."""
BESIDE_LOOK_S: Final = 1
"""How often the projector looks whether the tables that it built beside others are live now."""

# -- history ---------------------------------------------------------------------------
HISTORY_BATCH_MESSAGES: Final = 200
HISTORY_BATCH_EVENTS: Final = 5_000
"""Messages and events that the historian writes in one transaction, each on its own."""
HISTORY_WAIT_S: Final = 3
"""How long a read of a moment waits for the historian to get there,"""
HISTORY_LOOK_MS: Final = 50
"""and how often it looks."""
HISTORIES_KEPT: Final = 2
"""The live one and the one before it."""

# -- search by meaning -----------------------------------------------------------------
SEARCH_FORMAT: Final = 1
"""The version of the index's files. Files of another version are built again."""
SEARCH_EXACT_ROWS: Final = 4_096
"""So many things of one kind are compared one by one; beyond that a graph is searched."""
SEARCH_GRAPH_LINKS: Final = 16
SEARCH_GRAPH_BUILD: Final = 120
"""Candidates looked at for each thing that is added,"""
SEARCH_GRAPH_LOOK: Final = 160
"""and for each question. The more, the better the graph and the slower."""
SEARCH_CHUNK_ROWS: Final = 64
"""Things that are added at once: a question waits for so many at most."""
SEARCH_SAVE_ROWS: Final = 2_000
SEARCH_SAVE_SHARE: Final = 10
"""Saved again after SEARCH_SAVE_ROWS more things, but not below a tenth of all."""
SEARCHES_WAITING: Final = 16
"""Questions that wait for the index; one more is told that it is busy."""
SEARCH_WAIT_S: Final = 2
"""How long a question may wait for its turn,"""
SEARCH_EMBED_S: Final = 2
"""then for its embedding,"""
SEARCH_ANSWER_S: Final = 5
"""and how long the gateway waits for all of it before it goes by words alone."""
SEARCHES_PER_MINUTE: Final = 30
"""Questions of one network."""
SEARCH_WORD_ROWS: Final = 100
"""Things of one kind that match by words and are ranked."""
SEARCH_RANK_CONSTANT: Final = 60
"""Of reciprocal rank fusion: the first places differ little."""
SEARCH_FLOOR_BP: Final = 2_000
"""Less similar things are not like it."""
