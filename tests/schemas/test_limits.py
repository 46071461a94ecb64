"""Limits of all rooms rest on one another: what must hold between them, and why."""

from collections import Counter
from typing import Final

import pytest

from schemas.units import PAR_TICKS, SECOND_NS
from tests.support.limits import bounds, limits_modules, names

KIB: Final = 1024
LIMITS: Final = {**bounds(), "PAR_TICKS": PAR_TICKS, "SECOND_NS": SECOND_NS, "KIB": KIB}

SIZES: Final = [
    (
        "MAX_RECORD_BYTES + KIB < MAX_PAYLOAD_BYTES",
        "the server takes the largest record, headers included",
    ),
    (
        "MAX_NATIVE_BYTES <= MAX_COMMAND_BYTES < MAX_PAYLOAD_BYTES",
        "what comes in natively the exchange reads, and the server carries",
    ),
    (
        "MAX_PAYLOAD_BYTES <= 8 * KIB * KIB",
        "NATS advises against larger messages",
    ),
    ("MAX_PAYLOAD_BYTES <= MAX_PULL_BYTES", "one pull can bring the largest message"),
    (
        "MAX_PULL_BYTES <= MAX_WAITING_BYTES",
        "one pull does not overfill the host's input buffer",
    ),
    (
        "MAX_PAYLOAD_BYTES <= MAX_PENDING_BYTES",
        "the server does not drop a reader for the first large message",
    ),
    ("MAX_RECORD_BYTES <= RECENT_RECORD_BYTES", "the gateway can keep at least one record"),
    ("MAX_RECORD_BYTES <= SEGMENT_BYTES", "a segment can hold at least one record"),
    ("MAX_PAYLOAD_BYTES <= RESTORE_BATCH_BYTES", "a restore batch can hold any one message"),
    ("SEGMENT_BYTES <= MAX_BUNDLE_BYTES", "a bundle can hold what a segment holds"),
    ("SEGMENT_MESSAGES <= MAX_BUNDLE_MESSAGES", "a bundle can hold what a segment holds"),
    (
        "2 * MAX_DECISION_BYTES + 2 * KIB < MAX_ARCHIVE_LINE_BYTES",
        "an archive's head quotes the genesis, as base64",
    ),
    ("MAX_COMMAND_BYTES <= MAX_BODY_BYTES", "the HTTP door takes every command"),
    ("MAX_DECISION_BYTES <= MAX_BODY_BYTES", "the HTTP door takes every decision"),
    ("MAX_INGEST_BYTES <= MAX_BODY_BYTES", "the HTTP door takes every push"),
    (
        "4 * (MAX_TITLE_CHARS + MAX_EXCERPT_CHARS) < MAX_INGEST_BYTES",
        "title and excerpt fit a push in any script (4 bytes a character)",
    ),
    (
        "MAX_EXCERPT_CHARS <= MAX_PUSHED_TEXT_CHARS <= MAX_ITEM_CHARS",
        "the log keeps part of a pushed text, which is no longer than a read one",
    ),
    (
        "MIN_ARTICLE_CHARS < MAX_TITLE_CHARS",
        "a title alone can be enough to be measured",
    ),
    ("500 * KIB <= MAX_ROBOTS_BYTES", "RFC 9309 asks for at least 500 KiB"),
    ("MAX_ROBOTS_BYTES <= MAX_FETCH_BYTES", "a robots.txt is fetched like any document"),
    (
        "10 * MAX_FETCH_BYTES <= MAX_READER_BYTES",
        "the reader has memory for the tree of the largest document",
    ),
    (
        "MAX_READER_KEPT_BYTES < MAX_READER_BYTES / 2",
        "a reader that kept the most has room for as much again",
    ),
    ("MAX_EXTRACTED_CHARS < MAX_FETCH_BYTES", "what trafilatura gets is less than the most"),
    ("MAX_FETCH_BYTES < MAX_RAW_BYTES", "the bucket can hold the largest document"),
    (
        "MAX_GROUP_INPUTS * MAX_COMMAND_BYTES <= MAX_VERIFY_WAITING_BYTES",
        "verify can hold all inputs of the fullest record",
    ),
    ("MAX_LOGIN_BYTES < MAX_PAYLOAD_BYTES", "a login is one message"),
]

COUNTS: Final = [
    ("MAX_BATCH_ORDERS == 100", "order ids on the log are sequence * 100 + index, for ever"),
    ("MAX_BATCH_ORDERS < MAX_TRADES_PER_ORDER", "every order of a batch may trade"),
    ("MAX_TRADES_PER_ORDER <= MAX_TRADES_PER_COMMAND", "one order is a command too"),
    (
        "MAX_TRADES_PER_COMMAND < MAX_GROUP_EVENTS",
        "the largest command does not fill a record by itself",
    ),
    ("FILL_GROUP_INPUTS <= MAX_GROUP_INPUTS", "no record waits for more than it can cover"),
    ("MAX_GROUP_INPUTS <= MAX_WAITING_INPUTS", "the input buffer can fill a record"),
    (
        "READ_PULLS * READ_BATCH <= MAX_WAITING_INPUTS",
        "the input buffer takes what the outstanding pulls may bring",
    ),
    ("MAX_ATOMIC_BATCH <= 1_000", "the server refuses larger batches"),
    ("APPEND_SINGLES < MAX_ATOMIC_BATCH <= MAX_APPEND_QUEUE", "the queue can fill a batch"),
    (
        "STATE_HASH_EVERY_RECORDS <= SNAPSHOT_EVERY_RECORDS",
        "a snapshot is taken at a record with a state hash",
    ),
    (
        "STATE_HASH_EVERY_RECORDS <= TRAVEL_SNAPSHOT_RECORDS < SNAPSHOT_EVERY_RECORDS",
        "time travel folds less than a start does",
    ),
    (
        "MAX_GROUP_EVENTS <= TRAVEL_SNAPSHOT_EVENTS < SNAPSHOT_EVERY_EVENTS",
        "one record does not skip a travel snapshot",
    ),
    ("2 <= SNAPSHOTS_KEPT", "if the newest is damaged, one is left"),
    ("2 <= READ_MODELS_KEPT", "the model before the live one is left, for a rollback"),
    ("2 <= HISTORIES_KEPT", "the history before the live one is left"),
    ("2 <= MAX_SERVICE_SECRETS", "a rotation needs two"),
    ("MAX_GROUP_EVENTS <= PROJECT_BATCH_EVENTS", "a projector's batch can hold any one record"),
    ("SEAL_EVERY_MESSAGES <= SEGMENT_MESSAGES", "a segment ends at a seal"),
    (
        "10 * SEAL_EVERY_MESSAGES <= MAX_UNSEALED_MESSAGES",
        "verify holds hashes until a seal, which may come late",
    ),
    (
        "FEED_SNAPSHOT_EVERY <= MAX_FEED_BACKLOG <= FEED_MAX_PER_CHANNEL",
        "a reader that may be behind finds what it missed, from a full snapshot on",
    ),
    ("FEED_DEPTH_LEVELS <= MAX_SNAPSHOT_LEVELS", "a book asked for shows what the feed shows"),
    (
        "MAX_FEED_READERS < MAX_HTTP_CONNECTIONS * OPEN_PERCENT // 100",
        "open feeds leave connections for orders",
    ),
    ("OPEN_PERCENT + NEWCOMER_PERCENT < 100", "places are kept for signed-in people"),
    (
        "2 <= MAX_ADDRESS_CONNECTIONS * NEWCOMER_PERCENT // 100",
        "also of one address somebody can always ask",
    ),
    (
        "MAX_KEPT_REQUESTS"
        " <= MAX_ADDRESS_CONNECTIONS * (100 - NEWCOMER_PERCENT - OPEN_PERCENT) // 100",
        "an account's part of what is kept fits into one address's",
    ),
    ("MAX_HTTP_CONNECTIONS < GATEWAY_FILES // 2", "connections leave files for all else"),
    ("MAX_HTTP_TARGET_BYTES < MAX_HTTP_HEADER_BYTES", "a long target leaves room for headers"),
    (
        "6 * MAX_BODY_BYTES + MAX_HTTP_HEADER_BYTES <= MAX_HTTP_REQUEST_BYTES",
        "the largest body in chunks of one byte is read",
    ),
    ("BODY_TIMEOUT_S < UNSENT_TIMEOUT_S", "an answer is larger than a body"),
    ("2 <= LOG_FILES", "what a full log file said is kept"),
    ("MAX_LOGGED_CHARS < MAX_LOGGED_TRACE_CHARS", "a traceback says more than a value"),
    (
        "4 * (MAX_TRADER_CONNECTIONS + MAX_READER_CONNECTIONS + MAX_AUDITOR_CONNECTIONS)"
        " <= 4 * MAX_STRANGERS <= 3 * MAX_CONNECTIONS",
        "full doors leave a quarter of the connections for the venue's own processes",
    ),
    (
        "(ACCOUNT_CONNECTIONS - ACCOUNT_READERS) * TRADER_SUBSCRIPTIONS"
        " + ACCOUNT_READERS * READER_SUBSCRIPTIONS <= 32",
        "an account has 32 subscriptions, however it divides its connections",
    ),
    ("TRADER_SUBSCRIPTIONS < READER_SUBSCRIPTIONS", "a trader's connection hears less"),
    ("ACCOUNT_CONNECTIONS <= CONNECTIONS_PER_ADDRESS", "an account fits one address"),
    ("ACCOUNT_CONNECTIONS <= LOGINS_PER_ACCOUNT_BURST", "all of them may log in at once"),
    ("MAX_FEED_READERS < MAX_STREAM_CONSUMERS", "readers leave consumers for the venue's own"),
    (
        "CENSUS_WITHIN_S < LOGIN_TIMEOUT_S <= WRITE_DEADLINE_S < PING_EVERY_S",
        "a login waits for the census; the slow are dropped before the silent",
    ),
    ("REFUSALS_PER_S <= REFUSALS_BURST", "a second's refusals fit the burst"),
    ("MAX_FINDINGS_ALIKE < MAX_FINDINGS", "one kind of finding does not hide the others"),
    ("JOB_ATTEMPTS <= JOB_DELIVERIES", "a job may use up its attempts"),
    ("FETCHES_AT_ONCE <= MAX_ACK_PENDING", "the server hands out as much as is fetched at once"),
    ("MEASURE_BATCH <= MAX_ACK_PENDING", "the server hands out a whole batch"),
    ("FETCHES_ASKED_PER_MINUTE < MAX_JOBS", "one program cannot fill the queue in a minute"),
    ("RETRIES_PER_MINUTE < MAX_JOBS", "nor one person"),
    (
        "SERVICE_CLOCK_S * 2 < NONCE_LIFE_S",
        "a signature is stale before its nonce is gone",
    ),
    ("MAX_REPORT_BYTES <= MAX_BODY_BYTES", "the gateway takes the largest report"),
    ("MAX_FEED_ITEMS <= MAX_REPORT_ITEMS", "a runner reports as many items as are read here"),
    (
        "MAX_HELD_TURN_S + BROWSER_RENDER_S < RUNNER_ANSWER_S",
        "a runner may wait for its turn and render",
    ),
    ("MAX_NEIGHBOURS_PER_SOURCE < MAX_NEIGHBOURS", "one source cannot be all neighbours"),
    (
        "MAX_LLM_ARTICLES <= MAX_PROPOSAL_ARTICLES <= MAX_CLUSTER_ARTICLES",
        "what the model is shown, a proposal can cite, and a cluster holds",
    ),
    (
        "MAX_WINDOW_ARTICLES <= MAX_REMEMBERED_ARTICLES",
        "the engine knows every article that the measurer compares",
    ),
    (
        "MAX_LLM_TOKENS < LLM_CONTEXT_TOKENS and LLM_BATCH_TOKENS <= LLM_CONTEXT_TOKENS",
        "the context has room for a prompt beside the answer",
    ),
    ("LEAST_LLM_ARTICLE_CHARS < MAX_LLM_ARTICLE_CHARS", "an article can be halved"),
    (
        "LLM_TEXT_CHARS <= min(MAX_SUMMARY_CHARS, MAX_RATIONALE_CHARS)",
        "the grammar lets the model write only what is accepted",
    ),
    (
        "MAX_SUMMARY_CHARS + MAX_RATIONALE_CHARS < MAX_RAW_OUTPUT_CHARS",
        "a raw answer is not cut before its texts end",
    ),
    (
        "MAX_SYMBOL_CHARS + 1 + 19 <= MAX_REQUEST_ID_CHARS",
        "a request id is <cluster>-<symbol>, and a cluster a 64-bit sequence",
    ),
    ("READ_POOL_CONNECTIONS < 100", "Postgres takes 100 connections by default"),
]

AMOUNTS: Final = [
    ("MAX_AMOUNT_CENTS <= MAX_MINTED_CENTS < 2**63", "amounts fit signed 64-bit columns"),
    ("MAX_COUNTER == 2**63 - 1", "a counter fits a signed 64-bit column"),
    ("MAX_QUANTITY_LOTS * PAR_TICKS < 2**63", "the cost of one order fits 64 bits"),
    ("0 < MIN_TICK_TICKS <= MAX_TICK_TICKS", "a tick exists"),
    ("0 < NEIGHBOUR_FLOOR_BP < 10_000", "a similarity in basis points"),
    ("0 < MIN_NONCE_CHARS <= MAX_NONCE_CHARS", "a nonce exists"),
]

TIMES: Final = [
    (
        "REMEMBER_IDS_NS > STALE_AFTER_NS + FUTURE_AFTER_NS",
        "an id is forgotten only once its command is stale by any clock",
    ),
    (
        "WAIT_OUTCOME_S * SECOND_NS < STALE_AFTER_NS",
        "who waited for an outcome in vain may send the same command again",
    ),
    (
        "2 * SERVICE_CLOCK_S < NONCE_LIFE_S",
        "a nonce is remembered for as long as its request is accepted, early or late",
    ),
    (
        "DEDUPE_WINDOW_NS < APPEND_TIMEOUT_S * SECOND_NS",
        "an append is repeated only once the server has forgotten its id",
    ),
    (
        "OPEN_BATCH_LIFE_S < APPEND_TIMEOUT_S",
        "the server has forgotten a torn batch before it is sent again",
    ),
    (
        "APPEND_TIMEOUT_S < RESOLVE_WITHIN_S",
        "an append without an answer is looked for longer than it was waited for",
    ),
    ("APPEND_TIMEOUT_S < WAIT_OUTCOME_S", "an outcome takes an append and a decision"),
    (
        "CONNECT_TIMEOUT_S < LOG_REQUEST_TIMEOUT_S",
        "a request's time allows a connection to be made anew",
    ),
    (
        "SERVER_READY_S <= CONNECT_ATTEMPTS * CONNECT_PAUSE_S",
        "clients dial for as long as the server may take to start",
    ),
    (
        "SERVER_READY_S <= REOPEN_ATTEMPTS * REOPEN_PAUSE_S",
        "a reader of the log waits for as long as the server may take to start",
    ),
    (
        "SERVER_READY_S <= STORE_ATTEMPTS * STORE_BACKOFF_S",
        "a projector waits for Postgres as long as for the log",
    ),
    (
        "3 * READ_HEARTBEAT_S < READ_PULL_LIFE_S < READER_IDLE_S",
        "a lost pull is noticed before it ends, and the server forgets no reader that waits",
    ),
    ("HOST_BACKOFF_MS <= HOST_BACKOFF_MAX_MS", "pauses grow"),
    (
        "HOST_BACKOFF_MAX_MS * 1_000_000 < LEADERSHIP_SETTLED_NS",
        "an office that counts as a success was longer than any pause before it",
    ),
    ("SEAL_AFTER_NS < SEGMENT_AFTER_NS", "a quiet segment is sealed before it is due"),
    (
        "10 * FEED_RENEW_S * SECOND_NS < FEED_MAX_AGE_NS",
        "the writer's message is renewed long before the feed drops it",
    ),
    (
        "FEED_HEARTBEAT_S < FEED_SEND_S",
        "a feed reader without news is asked before it is disconnected",
    ),
    ("HTTP_GRACE_S < STOP_PATIENCE_S", "the door ends by itself before it is cancelled"),
    ("SERVICE_GRACE_S < STOP_PATIENCE_S", "a service ends by itself before it is cancelled"),
    ("SERVICE_POLL_S < STOP_PATIENCE_S", "a pull ends before its process is cancelled"),
    ("CHALLENGE_LIFE_S < SESSION_LIFE_S", "a login is shorter than what it opens"),
    (
        "LOGIN_LIFE_S * SECOND_NS <= ROTATION_OVERLAP_NS",
        "a native connection outlives its key's rotation no longer than the key does",
    ),
    ("LOGIN_TIMEOUT_S < LOGIN_LIFE_S", "a login is shorter than what it opens"),
    (
        "RENEW_AFTER_S + 2 * MAX_STRANGERS * RENEW_LOOK_S / RENEWALS_AT_ONCE < LOGIN_LIFE_S",
        "even if all logged in at once, each login is renewed before it ends",
    ),
    ("HELD_S < REPLY_LIFE_S", "who is told that a command waited too long still listens"),
    (
        "MAX_NATIVE_BYTES < TURN_BYTES < LINE_BYTES < QUEUE_BYTES",
        "a turn has room for the largest command, a line for many turns, the queue for many lines",
    ),
    ("READ_WAIT_S < READ_STATEMENT_S", "a read spends its time in Postgres, not in a queue"),
    (
        "HISTORY_LOOK_MS < HISTORY_WAIT_S * 1_000 and READ_POLL_S < HISTORY_WAIT_S",
        "a read that waits for the historian looks often, and outlasts its idle pause",
    ),
    (
        "FETCH_CONNECT_S < FETCH_TOTAL_S and READ_S < READ_WALL_S",
        "the part is shorter than the whole",
    ),
    (
        "FETCH_TOTAL_S + BROWSER_RENDER_S + READ_WALL_S < JOB_ACK_S",
        "no second worker gets a job that the first still does",
    ),
    ("MAX_HELD_TURN_S < JOB_ACK_S", "a job that is held at its host is not handed out again"),
    (
        "JOB_BACKOFF_S * 2**JOB_ATTEMPTS < JOB_LIFE_S",
        "a job lives through all its attempts",
    ),
    ("JOBS_DEDUPE_S <= JOB_LIFE_S", "what is remembered as asked for is still in the queue"),
    ("JOB_BACKOFF_S <= SERVICE_BACKOFF_MAX_S", "pauses grow"),
    ("LLM_CUT_S < LLM_ACK_S", "a cut call has ended before another worker gets its question"),
    ("ROBOTS_RETRY_S < ROBOTS_LIFE_S <= 86_400", "RFC 9309 allows a day"),
    (
        "MIN_CRAWL_DELAY_S <= DEFAULT_CRAWL_DELAY_S <= MAX_OBEYED_DELAY_S <= MAX_CRAWL_DELAY_S",
        "the default may be asked for, and so may what a robots.txt is taken at",
    ),
    ("MIN_POLL_INTERVAL_S <= MAX_POLL_INTERVAL_S", "an interval exists"),
    ("SCHEDULE_EVERY_S < MIN_POLL_INTERVAL_S", "no look at a source is skipped"),
]

RELATIONS: Final = [*SIZES, *COUNTS, *AMOUNTS, *TIMES]


def holds(relation: str) -> bool:
    """Tell whether `relation` is true of the limits; raise NameError if one is not there."""
    return bool(eval(relation, {"__builtins__": {"min": min}}, LIMITS))


@pytest.mark.parametrize(("relation", "why"), RELATIONS, ids=[words for words, _ in RELATIONS])
def test_relation(relation: str, why: str) -> None:
    assert holds(relation), why


def test_a_relation_that_does_not_hold_is_noticed() -> None:
    assert not holds("MAX_PAYLOAD_BYTES < MAX_RECORD_BYTES")
    with pytest.raises(NameError):
        holds("MAX_UNKNOWN < MAX_PAYLOAD_BYTES")


def test_every_limit_is_a_positive_whole_number() -> None:
    assert {name: value for name, value in bounds().items() if type(value) is not int} == {}
    assert {name: value for name, value in bounds().items() if value <= 0} == {}


def test_no_limit_stands_in_two_rooms() -> None:
    count = Counter(name for module in limits_modules() for name in names(module))
    assert len(count) > 250
    assert [name for name, times in count.items() if times > 1] == []
