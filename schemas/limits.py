"""Every bound of the system, by name. A bound that is not here does not exist."""

from typing import Final

from schemas.units import DAY_NS, SECOND_NS

# -- names and texts -----------------------------------------------------------------
MAX_ACCOUNT_CHARS: Final = 32
MAX_SYMBOL_CHARS: Final = 24
MAX_CLIENT_ID_CHARS: Final = 36
"""Long enough for a UUID in its usual form."""
MAX_NAME_CHARS: Final = 120
MAX_TEXT_CHARS: Final = 2_000
MAX_NESTING: Final = 64
"""Arrays and objects inside one another in a message that anyone may have written."""
MAX_INTEGER_DIGITS: Final = 640
"""What every interpreter can read, whatever PYTHONINTMAXSTRDIGITS says."""
MAX_ALIASES: Final = 50

# -- commands ------------------------------------------------------------------------
MAX_COMMAND_BYTES: Final = 64 * 1024
MAX_BATCH_ORDERS: Final = 100
"""Orders in one PlaceOrders. Also the factor in `order_id = sequence * 100 + index`."""
MAX_QUANTITY_LOTS: Final = 1_000_000_000
MAX_AMOUNT_CENTS: Final = 10**15
MAX_TRADES_PER_ORDER: Final = 1_000
"""An order that would cross more resting orders has its remainder cancelled."""
MAX_TRADES_PER_COMMAND: Final = 4_000
"""The same for all orders of one PlaceOrders together, so that a record stays in its bound."""
MAX_MINTED_CENTS: Final = 10**18
"""All credit of a venue together, so that no amount ever outgrows 64 bits."""
STALE_AFTER_NS: Final = 120 * SECOND_NS
"""A command whose client time is further in the past than this is never executed."""
FUTURE_AFTER_NS: Final = 10 * SECOND_NS
"""Nor is one whose client time is further ahead than this."""
REMEMBER_IDS_NS: Final = STALE_AFTER_NS + FUTURE_AFTER_NS + 1
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
MAX_COUNTER: Final = 2**63 - 1
"""A decision's counter; what a signed 64-bit column can hold."""
MIN_TICK_TICKS: Final = 1
MAX_TICK_TICKS: Final = 1_000
MAX_DETAIL_CHARS: Final = 300
"""What a refusal says beside its code."""
MAX_KEYS: Final = 10_000
ROTATION_OVERLAP_NS: Final = DAY_NS
"""A rotated key is still accepted for this long (EM-152)."""

# -- sources and articles --------------------------------------------------------------
MAX_SOURCES: Final = 10_000
MAX_QUARANTINE_NS: Final = 365 * DAY_NS
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
MAX_RAW_BYTES: Final = 1024 * 1024 * 1024
"""Of all that the bucket holds; with it full, nothing more is kept until some has expired.
The server sets so much of its disk aside."""
MAX_FEED_ITEMS: Final = 200
"""Items of one document that are looked at; a feed's newest come first."""
MAX_LANGUAGE_CHARS: Final = 35
"""A language tag, as RFC 5646 bounds it in practice."""

# -- fetching --------------------------------------------------------------------------
MAX_FETCH_BYTES: Final = 5 * 1024 * 1024
"""Of a document, after decompression."""
MAX_ROBOTS_BYTES: Final = 500 * 1024
"""Of a robots.txt: what RFC 9309 asks to be read at least."""
ROBOTS_LIFE_S: Final = 3_600
"""How long a robots.txt that was read holds; RFC 9309 allows a day."""
MAX_ROBOTS_HOSTS: Final = 10_000
ROBOTS_RETRY_S: Final = 300
"""How long one that could not be read forbids everything before it is asked for again."""
MAX_THROTTLED_HOSTS: Final = 10_000
MAX_HELD_TURN_S: Final = 20
"""A job whose turn at its host is further off than this goes back to the queue for so long."""
MAX_HELD_REDIRECT_S: Final = 120
"""The same for a host that a redirect leads to."""
READ_DOCUMENT_S: Final = 5
"""Processor seconds that the reader may take over one document before it is ended."""
READ_WALL_S: Final = 30
"""The same by the clock, for a machine that has other things to do."""
MAX_XML_DEPTH: Final = 100
MAX_JSON_LD_NODES: Final = 10_000
MAX_READER_BYTES: Final = 1024 * 1024 * 1024
"""Memory that the reader may take."""
MAX_ITEM_CHARS: Final = 200_000
"""Of one article's text as it is read; what is longer is cut there."""
FETCH_CONNECT_S: Final = 10
FETCH_TOTAL_S: Final = 30
"""From the first byte sent to the last one read, redirects included."""
MAX_REDIRECTS: Final = 5
DEFAULT_CRAWL_DELAY_S: Final = 30
"""EM-62: one request to a domain in so many seconds; the larger of it and robots' wins."""
MAX_OBEYED_DELAY_S: Final = 3_600
"""A robots.txt that asks for longer pauses is taken at this."""
FETCHES_AT_ONCE: Final = 16
MAX_VALIDATOR_CHARS: Final = 500
"""Of an ETag or a Last-Modified that is sent back."""
BROWSER_RENDER_S: Final = 20
MAX_BROWSER_REQUESTS: Final = 200
"""Sub-resources that one page may ask for."""
MAX_DNS_ADDRESSES: Final = 16
JOB_ATTEMPTS: Final = 5
JOB_DELIVERIES: Final = 20
"""A job handed out more often than this, by crashes or with its turn far off, is given up."""
JOB_ACK_S: Final = 90
"""How long a job may go without a sign of life before another gets it."""
JOB_BACKOFF_S: Final = 5
"""Before the second attempt; it doubles with each."""
JOB_LIFE_S: Final = 86_400
MAX_JOBS: Final = 100_000
JOBS_DEDUPE_S: Final = 3_600
SERVICE_POLL_S: Final = 5
"""How long one pull of a durable consumer waits for a message."""
SERVICE_BACKOFF_MAX_S: Final = 300
"""Longest wait before a message that could not be handled comes again."""
SERVICE_GRACE_S: Final = 4
"""How long handlers under way may go on after a service was told to stop."""
CONSUMER_CHECK_S: Final = 10
"""How often a service looks whether its consumers still stand."""
MAX_ACK_PENDING: Final = 1_000
"""Messages of a consumer that are handed out, or put off, and not yet done."""
SCHEDULE_EVERY_S: Final = 1
FAILING_BACKOFF: Final = 8
"""A source that keeps failing is asked this many times more rarely, at most."""

# -- measuring -------------------------------------------------------------------------
MIN_ARTICLE_CHARS: Final = 40
"""Title and excerpt together; less is not judged."""
MEASURE_BATCH: Final = 16
"""Articles that are measured and appended together."""
MAX_SENTENCE_CHARS: Final = 500
"""A longer one is measured in parts: VADER's cost grows with the square of a sentence."""
MEASURE_LINGER_MS: Final = 50
EMBEDDING_TOKENS: Final = 256
EMBEDDING_DIMENSIONS: Final = 384
MAX_NEIGHBOURS: Final = 10
MAX_NEIGHBOURS_PER_SOURCE: Final = 2
"""So one source that floods cannot keep the others' articles out of sight."""
NEIGHBOUR_FLOOR_BP: Final = 5_000
"""Less similar articles are not recorded as neighbours."""
MAX_WINDOW_ARTICLES: Final = 200_000
"""Also how many articles are remembered as measured."""
MAX_KEYWORDS_LISTED: Final = 20
MAX_ENTITIES_LISTED: Final = 20
MAX_ENTITY_CHARS: Final = 100
MAX_MENTIONS: Final = 20
MEASURE_ATTEMPTS: Final = 3
MEASURE_ACK_S: Final = 60
"""How long a batch may go without a sign of life before another measurer gets it."""

# -- the reality engine ----------------------------------------------------------------
REMEMBER_ARTICLES_NS: Final = 30 * DAY_NS
"""How long an article is known as seen; an older one that comes again is too old anyway."""
MAX_REMEMBERED_ARTICLES: Final = 2_000_000
MAX_CLUSTER_ARTICLES: Final = 500
"""An article that would join a fuller cluster is a duplicate of it."""
MAX_OPEN_REVIEWS: Final = 10_000
"""One more, and the oldest one of the source that has most of them expires."""
MAX_BARRED_LISTED: Final = 100
"""Accounts by which those who approved a review are barred that one event names."""
MAX_PROPOSAL_ARTICLES: Final = 20
MAX_PROPOSAL_SOURCES: Final = 20
SPIKE_STD_FLOOR_E2: Final = 50
"""A symbol that always moved alike is taken to vary by this much, or any move were a spike."""
MAX_REQUEST_ID_CHARS: Final = 48
"""`<cluster>-<symbol>`, the id of an event and of a request to the LLM."""
MAX_LLM_WAITING: Final = 1_000
FORGET_EVERY_NS: Final = 600 * SECOND_NS
MAX_DUES_AT_ONCE: Final = 1_000
"""Timeouts and expiries that one group concludes; the rest follow with the next tick."""

# -- asking the LLM --------------------------------------------------------------------
MAX_LLM_ARTICLES: Final = 5
MAX_LLM_ARTICLE_CHARS: Final = 600
MAX_LLM_TOKENS: Final = 512
LLM_CONTEXT_TOKENS: Final = 2_048
MAX_RAW_OUTPUT_CHARS: Final = 8_000
MAX_SUMMARY_CHARS: Final = 1_000
"""EM-33."""
MAX_RATIONALE_CHARS: Final = 1_000
LLM_TEXT_CHARS: Final = 400
"""Of a summary or rationale that the grammar lets the model write, so that it comes to an end."""
LEAST_LLM_ARTICLE_CHARS: Final = 75
"""Articles are halved down to this until the prompt fits; below it nothing is asked."""
LLM_ID_CHARS: Final = 16
"""Of a snapshot_id in the prompt and the answer: in full, five would fill half of it."""
MAX_NUMBER_CHARS: Final = 40
"""Of a number in an answer."""
LLM_THREADS: Final = 2
LLM_BATCH_TOKENS: Final = 256
LLM_ACK_S: Final = 30
"""How long a question may go without a sign of life: shorter than its deadline, so that after
a crash there is time to ask again."""
LLM_CUT_S: Final = 5
"""How much later than its deadline a call may come back before it is given up."""
MAX_REMEMBERED_ANSWERS: Final = 100_000
"""Requests known to have an answer; an older one is past its deadline anyway."""

# -- the door for programs -------------------------------------------------------------
MAX_INGEST_BYTES: Final = 64 * 1024
"""A pushed article or a request to fetch; EM-34 allows up to 10 MB, an excerpt needs less."""
MAX_PUSHED_TEXT_CHARS: Final = 20_000
NONCE_LIFE_S: Final = 600
MAX_NONCES: Final = 1_000_000
SERVICE_CLOCK_S: Final = 120
"""How far a signed request's time may be from ours (EM-34)."""
MAX_KEY_ID_CHARS: Final = 64
MAX_EVENT_ID_CHARS: Final = 64
"""A source's own id of what it pushes, and a program's key of what it wants fetched."""
MAX_REMEMBERED_PUSHES: Final = 100_000
"""Pushes whose answer the door gives again; what is older the engine knows as repeated."""
PUSHES_PER_MINUTE: Final = 120
"""Of one source at the door; how many of them count the policy says."""
FETCHES_ASKED_PER_MINUTE: Final = 600
"""By one service key, so that no one program fills the queue of jobs."""
MAX_SERVICE_SECRETS: Final = 5
"""Secrets of one service key that are accepted at once, after rotations."""
MIN_NONCE_CHARS: Final = 8
MAX_NONCE_CHARS: Final = 64

# -- records and the engine host -----------------------------------------------------
MAX_GROUP_INPUTS: Final = 2_000
"""Inputs that one record may cover."""
MAX_GROUP_EVENTS: Final = 6_000
"""The group closes once it holds this many events."""
IDS_LIKE_AN_EVENT: Final = 16
"""So many order ids listed in one event weigh as one event more."""
MAX_RECORD_BYTES: Final = 7 * 1024 * 1024
MAX_PAYLOAD_BYTES: Final = 8 * 1024 * 1024
"""nats.conf max_payload; the server advises against more."""
STATE_HASH_EVERY_RECORDS: Final = 1_000
MAX_RECORDS_IN_FLIGHT: Final = 2
"""Records of an engine not yet known to be on the log: one sent, one decided behind it."""
READ_BATCH: Final = 500
"""Messages asked for by one pull."""
READ_PULLS: Final = 4
"""Pulls outstanding at once."""
SNAPSHOT_EVERY_RECORDS: Final = 20_000
SNAPSHOT_EVERY_EVENTS: Final = 250_000
"""Records grow under load, so events bound how long the fold behind a snapshot takes: some
seconds at most. A host then waits for a record with a state hash, so at full speed it saves
every STATE_HASH_EVERY_RECORDS, which is some millions of events."""
SNAPSHOTS_KEPT: Final = 2
FILL_GROUP_INPUTS: Final = 1_000
"""While a record is in flight, the next one waits for this many inputs: few, full records."""
MAX_WAITING_INPUTS: Final = 20_000
"""Inputs that a host holds undecided before it stops reading."""
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
HOST_ATTEMPTS: Final = 60
"""How often in a row a host takes office again without having got anywhere."""
HOST_BACKOFF_MS: Final = 50
"""The first wait between two attempts; it doubles up to the next bound."""
HOST_BACKOFF_MAX_MS: Final = 2_000
OFFICE_SETTLED_NS: Final = 10 * SECOND_NS
"""An office held this long was a success: attempts are counted anew."""
GENESIS_POLL_MS: Final = 100
FOLD_POLL_S: Final = 1
FOLD_PATIENCE: Final = 30
"""Empty polls in a row after which a host stops waiting for records it knows to be there."""
EMPTY_TICK_PAUSE_NS: Final = SECOND_NS
"""How long a host waits after a tick that brought about nothing."""
COLLECT_EVERY_RECORDS: Final = 500
"""Records between two passes over the young garbage of an engine's process."""
STATUS_EVERY_S: Final = 1
STOP_PATIENCE_S: Final = 15
"""How long a process that was told to stop may take before it is cancelled."""

# -- appending -----------------------------------------------------------------------
MAX_ATOMIC_BATCH: Final = 1_000
"""Messages in one atomic batch (the server's own bound)."""
MAX_APPENDS_IN_FLIGHT: Final = 4
MAX_APPEND_QUEUE: Final = 20_000
APPEND_SINGLES: Final = 16
"""Up to this many waiting appends go out one by one, which is sooner than as a batch."""
APPEND_TIMEOUT_S: Final = 5
APPEND_ATTEMPTS: Final = 5
CONNECT_ATTEMPTS: Final = 60

# -- the connection to the log --------------------------------------------------------
CONNECT_TIMEOUT_S: Final = 2
CONNECT_PAUSE_S: Final = 1
"""Longest pause between two of the CONNECT_ATTEMPTS; the first are shorter."""
WIRE_PING_S: Final = 10
"""A connection that leaves three pings in a row unanswered counts as lost."""
LOG_REQUEST_TIMEOUT_S: Final = 5
LOG_REQUEST_ATTEMPTS: Final = 5
MAX_SENDS_IN_FLIGHT: Final = 1_000
"""Unanswered appends on one connection; the server acks only after draining its input."""
RESOLVE_WITHIN_S: Final = 30
"""How long an append without an answer is looked for on the log."""
READ_PULL_LIFE_S: Final = 30
READ_HEARTBEAT_S: Final = 5
"""The server says this often that a pull still stands; after three silences it does not."""
MAX_PULL_BYTES: Final = 2 * MAX_PAYLOAD_BYTES
"""Bytes that one pull may bring, so that large records do not fill the memory."""
READER_IDLE_S: Final = 60
"""The server forgets a reader that has not pulled for this long."""

# -- streams ---------------------------------------------------------------------------
FEED_MAX_AGE_NS: Final = 7 * DAY_NS
FEED_MAX_PER_CHANNEL: Final = 100_000
DEDUPE_WINDOW_NS: Final = SECOND_NS
"""JetStream's own; nothing here relies on it. Short, as the server keeps every id that a
trader cares to send for this long, and one trader's id shadows another's."""
SERVER_READY_S: Final = 30
"""How long nats-server may take to start, reading its store included."""
SERVER_STOP_S: Final = 15
MONITOR_TIMEOUT_S: Final = 5

# -- seals ---------------------------------------------------------------------------
SEAL_EVERY_MESSAGES: Final = 10_000
SEAL_AFTER_NS: Final = 5 * SECOND_NS
"""A quiet log is sealed this long after its first unsealed message."""

MAX_BALANCE_ROWS: Final = 10_000
"""Balances, and positions, in one BalancesChanged; tops in one TopsChanged."""

SCRUB_MESSAGES_PER_S: Final = 20_000
"""How fast the notary's process reads the log again, at most."""
SCRUB_PAUSE_S: Final = 10
"""From the end of one walk along the log to the next."""
SCRUB_POLL_S: Final = 1
SCRUB_PATIENCE: Final = 30
"""Polls without a message, although there are some, before a walk is given up."""

# -- projections ---------------------------------------------------------------------
PROJECT_BATCH_RECORDS: Final = 200
PROJECT_BATCH_EVENTS: Final = 20_000
PROJECT_IDLE_S: Final = 1
"""How long a projector waits for records before it looks whether it is still the live one."""
STORE_TIMEOUT_S: Final = 10
STORE_ATTEMPTS: Final = 60
"""Times in a row that a projector tries to reach Postgres, a second apart at most."""
STORE_BACKOFF_S: Final = 1
READ_POOL_CONNECTIONS: Final = 8
READ_WAIT_S: Final = 2
"""How long a read waits for a connection of the pool."""
READ_STATEMENT_S: Final = 10
"""How long one read of the API may keep Postgres busy."""
READ_MODELS_KEPT: Final = 2
"""The live one and the one before it, for a rollback; older ones are dropped by a rebuild."""
CATCH_UP_ROUNDS: Final = 20
"""Times that a rebuild runs after the live model before it asks that to hold still."""
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

# -- the public door -----------------------------------------------------------------
MAX_BODY_BYTES: Final = 256 * 1024
MAX_PAGE_ROWS: Final = 1_000
MAX_SNAPSHOT_LEVELS: Final = 500
WAIT_OUTCOME_S: Final = 10
SESSION_LIFE_S: Final = 12 * 3600
CHALLENGE_LIFE_S: Final = 60
MAX_FEED_BACKLOG: Final = 10_000
"""A feed reader that is more messages behind on a channel than this is disconnected."""
MAX_HTTP_CONNECTIONS: Final = 2_000
HTTP_GRACE_S: Final = 2
"""How long requests under way, and open feeds, may go on after the door was told to stop."""
BODY_TIMEOUT_S: Final = 10
"""A request body that has not arrived by then is refused."""
RETRY_AFTER_S: Final = 1
"""What a refused caller is told to wait before it tries again."""
READY_TIMEOUT_S: Final = 2
MAX_CORRELATION_CHARS: Final = 64
MAX_OUTCOME_WAITERS: Final = 20_000
"""Requests that may wait for an outcome at once."""
RECENT_RECORDS: Final = 4_096
RECENT_RECORD_BYTES: Final = 16 * 1024 * 1024
"""What the gateway keeps of an engine's last records, for those who ask for an outcome late."""
TAIL_BATCH: Final = 50
"""Records folded before the door's other work gets a turn."""
TAIL_POLL_S: Final = 1
TAIL_ATTEMPTS: Final = 60
"""Times in a row that the gateway opens the log again, RETRY_AFTER_S apart, before it ends."""
MAX_USED_CHALLENGES: Final = 100_000
MAX_KNOWN_TOKENS: Final = 10_000
"""Session tokens whose signature need not be checked again."""
MIN_SECRET_BYTES: Final = 32
ACCOUNT_OPENINGS_PER_MINUTE: Final = 600
"""Nobody in particular asks for an account, so the door bounds how many reach the log."""

MAX_STATUS_PROCESSES: Final = 256
"""Processes whose heartbeats are remembered."""

# -- the broker and its native door --------------------------------------------------
MAX_HEADER_BYTES: Final = 4 * 1024
"""Headers that a trader's message may carry on top of MAX_COMMAND_BYTES."""
MAX_CONNECTIONS: Final = 8_192
"""Connections that the server takes in all; the doors' own bounds are below it."""
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
"""How long the door keeps the way back for an answer that does not come."""
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

# -- verify --------------------------------------------------------------------------
MAX_FINDINGS: Final = 100
"""`verify` stops looking once it has found this many things wrong."""
MAX_FINDINGS_ALIKE: Final = 5
"""Findings of one kind about one engine that are told one by one."""
MAX_VERIFY_WAITING_BYTES: Final = 256 * 1024 * 1024
"""Inputs of one record that are held at once; beyond it those that led to nothing go."""
MAX_UNSEALED_MESSAGES: Final = 4_000_000
"""Chain hashes, of 32 bytes, held until a seal says which of them to compare."""
MAX_FINDING_CHARS: Final = 300
"""Of a value that a finding quotes."""

# -- archive and bundles ---------------------------------------------------------------
SEGMENT_MESSAGES: Final = 250_000
"""A segment ends at the first seal at which it holds this many messages,"""
SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""or this many bytes before they are packed,"""
SEGMENT_AFTER_NS: Final = 60 * SECOND_NS
"""or is this old. What is younger goes with the disk of the log."""
ARCHIVE_POLL_S: Final = 1
ARCHIVE_PATIENCE: Final = 30
"""Polls without a message, although there are some, before the archiver gives up."""
ARCHIVE_ATTEMPTS: Final = 10
"""Times in a row that another archiver may be quicker before this one gives up."""
MAX_ARCHIVE_LINE_BYTES: Final = 512 * 1024
"""Of a line that says what a segment or a bundle holds; a genesis or a seal is in it."""
RESTORE_BATCH_BYTES: Final = 8 * 1024 * 1024
MAX_BUNDLE_MESSAGES: Final = 1_000_000
"""Messages in one evidence bundle, which is checked in memory,"""
MAX_BUNDLE_BYTES: Final = 512 * 1024 * 1024
"""and their bytes."""

# -- why and what-if -----------------------------------------------------------------
MAX_WHY_TRADES: Final = 200
"""Trades behind a price that are told one by one; those before them are summed."""
WHY_TRADE_WEIGHT_BP: Final = 10
"""A trade that weighs less than this in MarketPrice is summed with those before it."""
MAX_WHY_CHANGES: Final = 100
"""Score changes that are told with all that led to them; those before them are summed."""
MAX_WHY_ARTICLES: Final = 20
"""Articles of one story that are told, the newest."""
MAX_WHY_STORIES: Final = 10_000
"""Stories of one symbol, and reviews, that are held while a log is walked."""
MAX_MOVED_NODES: Final = 1_000
"""Effects of one message that are told; the first ones."""
MAX_SVG_NODES: Final = 250
MAX_SVG_LINE_CHARS: Final = 120
MAX_WHATIF_WAITING: Final = 1_000
"""Inputs that an engine of a fork has not decided before those that lead to nothing go."""
MAX_WHATIF_ROWS: Final = 1_000
"""Reviews and clusters that a comparison lists one by one; symbols are all listed."""
MAX_PLOT_POINTS: Final = 500
"""Of one history in a plot; more are thinned evenly."""
MAX_PLOT_PANELS: Final = 8
