"""The bounds of sources, fetching, measuring and asking, by name."""

from typing import Final

from schemas.units import HOUR_NS, MINUTE_NS

# -- fetching --------------------------------------------------------------------------
MAX_FEED_ITEMS: Final = 200
"""Items that are read of one document. A feed has its newest first."""
MAX_REMEMBERED_ITEMS: Final = 4_000
"""Items of one source's document that are known again, each of its versions counted,"""
MAX_ITEMS_IN_MEMORY: Final = 100_000
"""and of all sources together; what a source has beyond is read from the log again."""
FREE_VERSIONS: Final = 3
"""Times that an item's words may change before later changes have to wait."""
VERSION_PAUSE_NS: Final = 15 * MINUTE_NS
"""How long the next one waits. It doubles with each,"""
MAX_VERSION_PAUSE_NS: Final = 12 * HOUR_NS
"""up to this."""
MIN_REWRITTEN_ITEMS: Final = 10
"""Of so many known items or more, most do not change their words at once of themselves."""
MIN_MOVED_ITEMS: Final = 3
"""So many items or more do not change their links at once and keep their words of themselves."""
MAX_SITEMAP_PARTS: Final = 3
"""Sitemaps that are fetched of an index at each poll. Each takes a turn at the host."""
MAX_FETCH_BYTES: Final = 5 * 1024 * 1024
"""Size of a document after decompression."""
UNPACK_STEP_BYTES: Final = 64 * 1024
"""How much of a packed body is unpacked at once."""
MAX_GZIP_MEMBERS: Final = 1_000
"""Parts that a packed body may consist of. In blocks of 64 KiB the largest document has 80."""
MAX_ROBOTS_BYTES: Final = 512 * 1024
"""Size of a robots.txt. RFC 9309 asks for at least 500 KiB; what is beyond is ignored."""
MAX_ROBOTS_RULES: Final = 10_000
"""Rules for one robot in a robots.txt."""
MAX_ROBOTS_WILDCARD_OCTETS: Final = 64 * 1024
"""Octets of all its rules with wildcards together: a url is held against each of them."""
ROBOTS_LIFE_S: Final = 3_600
"""How long a robots.txt is cached; RFC 9309 allows a day."""
MAX_ROBOTS_HOSTS: Final = 10_000
"""Origins whose robots.txt is remembered,"""
MAX_REMEMBERED_ROBOTS_RULES: Final = 200_000
"""and the rules of all of them together; the oldest are forgotten first."""
ROBOTS_RETRY_S: Final = 300
"""How long an unreadable robots.txt forbids everything before it is fetched again."""
MAX_THROTTLED_HOSTS: Final = 10_000
MAX_TURNS_AHEAD: Final = 4
"""Turns in a row at a host that sources' documents and own pages may take from those who wait."""
MAX_HELD_TURN_S: Final = 20
"""A job whose turn at its host is further off goes back to the queue until then."""
MAX_HELD_REDIRECT_S: Final = 120
"""The same for the host that a redirect leads to, and for the parts of a document."""
READ_S: Final = 2
"""Processor seconds that the reader may use for one document or robots.txt before it is killed."""
READ_WALL_S: Final = 30
"""The same in wall-clock time, for a busy machine."""
MAX_XML_DEPTH: Final = 100
MAX_XML_ENTITY_CHARS: Final = 64
"""Length of what an entity of a feed may stand for. A longer one is refused."""
MAX_MENDED_PARTS: Final = 200_000
"""Tags, attributes and faulty references in a broken feed. One with more is not mended."""
MAX_JSON_LD_NODES: Final = 10_000
MAX_JSON_LD_CHARS: Final = 1024 * 1024
"""Length of one script of JSON-LD; a longer one is not looked at."""
MAX_EXTRACTED_CHARS: Final = 2 * 1024 * 1024
"""Length of a page's HTML without scripts that trafilatura is given,"""
MAX_EXTRACTED_TAGS: Final = 20_000
"""and how many tags it may have. A larger page is read the simple way."""
MAX_READER_BYTES: Final = 256 * 1024 * 1024
"""Address space of the reader, with all that it has loaded: it starts with 70 MB."""
MAX_READER_KEPT_BYTES: Final = 32 * 1024 * 1024
"""A reader that has grown by more after a document is replaced."""
MAX_ITEM_CHARS: Final = 200_000
"""Length of one article's text as it is read. A longer text is cut."""
FETCH_CONNECT_S: Final = 10
FETCH_TOTAL_S: Final = 30
"""From the first byte sent to the last one read, redirects included."""
MAX_REDIRECTS: Final = 5
MAX_OBEYED_DELAY_S: Final = 3_600
"""The longest pause that is obeyed when a robots.txt or a Retry-After asks for more."""
FETCHES_AT_ONCE: Final = 16
MAX_VALIDATOR_CHARS: Final = 500
"""Length of an ETag or a Last-Modified that is sent back."""
BROWSER_RENDER_S: Final = 20
MAX_BROWSER_REQUESTS: Final = 200
"""Sub-resources that one page may ask for."""
MAX_DNS_ADDRESSES: Final = 16

# -- jobs and services -----------------------------------------------------------------
JOB_ATTEMPTS: Final = 5
JOB_DELIVERIES: Final = 20
"""A job that is handed out more often, after crashes or for far turns, is given up."""
JOB_ACK_S: Final = 90
"""How long a job may go without a sign of life before another gets it."""
JOB_BACKOFF_S: Final = 5
"""Wait before the second attempt. It doubles with each attempt."""
SERVICE_POLL_S: Final = 5
"""How long one pull of a durable consumer waits for a message."""
SERVICE_BACKOFF_MAX_S: Final = 300
"""The longest wait before a message that could not be handled comes again."""
SERVICE_GRACE_S: Final = 4
"""How long handlers under way may go on after a service was told to stop."""
CONSUMER_CHECK_S: Final = 10
"""How often a service checks that its consumers still exist."""
MAX_ACK_PENDING: Final = 1_000
"""Messages of a consumer that are handed out or postponed, and not yet done."""
SCHEDULE_EVERY_S: Final = 1
SCHEDULE_ATTEMPTS: Final = 60
"""Times in a row that asking for what is due may fail before the scheduler ends."""
FAILING_BACKOFF: Final = 8
"""The poll interval of a failing source grows at most by this factor."""

# -- runners elsewhere -----------------------------------------------------------------
RUNNERS_ASKING: Final = 32
"""Runners that may ask for work at once."""
RUNNER_ASK_S: Final = 20
"""How long one that asks is kept waiting before it is told that there is nothing."""
RUNNER_WAIT_S: Final = 30
"""How long a job waits for a runner to ask, its turn at the host in hand;"""
RUNNER_ABSENT_S: Final = 60
"""then it goes back to the queue for so long."""
RUNNER_ANSWER_S: Final = 60
"""How long a runner may take for a job. Its own bounds end it before."""
RUNNER_PAUSE_S: Final = 5
"""How long a runner waits before it asks again after a failure. It doubles with each,"""
RUNNER_MAX_PAUSE_S: Final = 60
"""up to this."""

# -- measuring -------------------------------------------------------------------------
MIN_ARTICLE_CHARS: Final = 40
"""Length of title and excerpt together. Shorter articles are not measured."""
MEASURE_BATCH: Final = 16
"""Articles that are measured and appended together."""
MAX_SENTENCE_CHARS: Final = 500
"""A longer sentence is measured in parts: VADER's cost grows with the square of its length."""
SENTENCES_KEPT: Final = 64
"""Sentences whose clauses are kept: tone and keywords both read an article's 2,000 characters."""
MEASURE_LINGER_MS: Final = 50
EMBEDDING_TOKENS: Final = 256
MAX_NEIGHBOURS_PER_SOURCE: Final = 2
"""With this bound a source that floods cannot hide the articles of the others."""
OPPOSITE_FLOOR_BP: Final = 7_500
"""Less similar articles are not looked at for contrary outcomes: they are no copies anyway."""
MAX_REMEMBERED_WORDINGS: Final = 20_000
"""Articles whose title and first sentence are held for that."""
MAX_WORDING_CHARS: Final = 300
"""Length of each of the two."""
NEIGHBOUR_FLOOR_BP: Final = 5_000
"""Less similar articles are not recorded as neighbours."""
MAX_KEYWORDS_LISTED: Final = 20
MAX_ENTITIES_LISTED: Final = 20
MAX_ENTITY_CHARS: Final = 100
MEASURE_ATTEMPTS: Final = 3
TEXT_BATCH: Final = 4
"""Texts of markets and events that are measured and appended together: articles wait meanwhile."""
TEXTS_EVERY_S: Final = 2
"""How often it is looked for new texts once all are measured."""
EMBEDS_WAITING: Final = 8
"""Questions that wait for the model; one more is told that it is busy."""
EMBED_WAIT_S: Final = 2
"""How long a question may wait for its turn. The asker has given up by then."""
MEASURE_ACK_S: Final = 60
"""How long a batch may go without a sign of life before another measurer gets it."""

# -- asking the LLM --------------------------------------------------------------------
MAX_LLM_ARTICLE_CHARS: Final = 600
MAX_LLM_TOKENS: Final = 512
LLM_CONTEXT_TOKENS: Final = 2_048
MAX_RAW_OUTPUT_CHARS: Final = 8_000
MAX_SUMMARY_CHARS: Final = 1_000
MAX_RATIONALE_CHARS: Final = 1_000
LLM_TEXT_CHARS: Final = 400
"""Length of a summary or rationale in the grammar, so that the model comes to an end."""
LEAST_LLM_ARTICLE_CHARS: Final = 75
"""Articles are halved until the prompt fits, but not below this: then nothing is asked."""
LLM_ID_CHARS: Final = 16
"""Length of a snapshot_id in prompt and answer: five full ones would fill half of it."""
MAX_NUMBER_CHARS: Final = 40
"""Length of a number in an answer."""
LLM_THREADS: Final = 2
LLM_BATCH_TOKENS: Final = 256
LLM_ACK_S: Final = 30
"""How long a question may go without a sign of life. It is shorter than the deadline of a
request, so that after a crash there is time to ask again."""
LLM_CUT_S: Final = 5
"""How long after its deadline a call may return before it is given up."""
MAX_REMEMBERED_ANSWERS: Final = 100_000
"""Requests that are known to have an answer. Older ones are past their deadline."""
