"""The bounds of sources, fetching, measuring and asking, by name."""

from typing import Final

# -- fetching --------------------------------------------------------------------------
MAX_FEED_ITEMS: Final = 200
"""Items of one document that are looked at; a feed's newest come first."""
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
MAX_OBEYED_DELAY_S: Final = 3_600
"""A robots.txt that asks for longer pauses is taken at this."""
FETCHES_AT_ONCE: Final = 16
MAX_VALIDATOR_CHARS: Final = 500
"""Of an ETag or a Last-Modified that is sent back."""
BROWSER_RENDER_S: Final = 20
MAX_BROWSER_REQUESTS: Final = 200
"""Sub-resources that one page may ask for."""
MAX_DNS_ADDRESSES: Final = 16

# -- jobs and services -----------------------------------------------------------------
JOB_ATTEMPTS: Final = 5
JOB_DELIVERIES: Final = 20
"""A job handed out more often than this, by crashes or with its turn far off, is given up."""
JOB_ACK_S: Final = 90
"""How long a job may go without a sign of life before another gets it."""
JOB_BACKOFF_S: Final = 5
"""Before the second attempt; it doubles with each."""
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
SCHEDULE_ATTEMPTS: Final = 60
"""Times in a row that asking for what is due may fail before the scheduler ends."""
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
MAX_NEIGHBOURS_PER_SOURCE: Final = 2
"""So one source that floods cannot keep the others' articles out of sight."""
NEIGHBOUR_FLOOR_BP: Final = 5_000
"""Less similar articles are not recorded as neighbours."""
MAX_KEYWORDS_LISTED: Final = 20
MAX_ENTITIES_LISTED: Final = 20
MAX_ENTITY_CHARS: Final = 100
MEASURE_ATTEMPTS: Final = 3
MEASURE_ACK_S: Final = 60
"""How long a batch may go without a sign of life before another measurer gets it."""

# -- asking the LLM --------------------------------------------------------------------
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
