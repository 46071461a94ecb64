"""Everything that can go wrong, and which of three kinds it is.

    EverythingError                 has a stable `code`
    ├── InputError                  the caller's fault; refused at once, nothing is lost
    │   ├── MalformedMessage
    │   ├── UnknownMessage
    │   ├── TooLarge
    │   ├── BadSignature
    │   ├── NotFound                it does not exist
    │   │   └── UnknownChannel
    │   ├── TooFarBehind
    │   ├── OverQuota               more than one caller may have; may pass by waiting
    │   │   └── TooManyFeeds
    │   └── Refused                 carries a `Refusal`, the same codes as rejection events
    ├── OperatingError              may pass; retried with a bound
    │   ├── LogUnavailable
    │   ├── AppendFailed            known not to have landed
    │   │   └── BatchesFull         a batch; each of its messages alone would land
    │   ├── AppendUnknown           may or may not have landed: read the log to know
    │   ├── Busy                    a bound is reached; nothing was done
    │   ├── StoreUnavailable
    │   └── TablesBehind            the read models have not reached a sequence in time
    └── Halt                        a deliberate stop with its own exit code (docs/how-to/halts.md)
        ├── Fenced                  another writer has become leader
        ├── LogDiverged             the past of the log is not what it was
        ├── LogGap                  a sequence is missing
        ├── UnknownRecord           a message that this version cannot read stands on the log
        ├── BrokenInvariant         the engine's own books do not add up
        ├── ConfigDrift             the server or a stream is not set up as declared
        ├── SchemaDrift             the read models are of another version
        ├── GenesisMismatch         this log is another venue's
        ├── ModelMismatch           a model that measures is missing, or not the pinned one
        └── ArchiveDamaged          a segment of the archive is not what was written

A refusal that reached the log is not an exception but an event with a `Refusal`.
"""

from enum import StrEnum
from typing import ClassVar

from schemas.limits import RETRY_AFTER_S


class Refusal(StrEnum):
    """Why a command or decision was not carried out. Stable: never renamed or reused."""

    # any command
    MALFORMED = "malformed"
    UNKNOWN_MESSAGE = "unknown_message"
    TOO_LARGE = "too_large"
    STALE = "stale"
    FROM_THE_FUTURE = "from_the_future"
    DUPLICATE = "duplicate"
    BAD_CLIENT_ID = "bad_client_id"
    TOO_MANY_IDS = "too_many_ids"
    BAD_SIGNATURE = "bad_signature"
    BAD_TEXT = "bad_text"
    # accounts
    UNKNOWN_ACCOUNT = "unknown_account"
    ACCOUNT_EXISTS = "account_exists"
    BAD_ACCOUNT_NAME = "bad_account_name"
    TOO_MANY_ACCOUNTS = "too_many_accounts"
    RESERVED_NAME = "reserved_name"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    # orders
    UNKNOWN_SYMBOL = "unknown_symbol"
    MARKET_HALTED = "market_halted"
    MARKET_CLOSED = "market_closed"
    PRICE_OUT_OF_RANGE = "price_out_of_range"
    PRICE_OFF_GRID = "price_off_grid"
    PRICE_MISSING = "price_missing"
    PRICE_NOT_ALLOWED = "price_not_allowed"
    QUANTITY_OUT_OF_RANGE = "quantity_out_of_range"
    BAD_COMBINATION = "bad_combination"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    POSITION_LIMIT = "position_limit"
    OPEN_ORDER_LIMIT = "open_order_limit"
    WOULD_CROSS = "would_cross"
    NOT_FILLABLE = "not_fillable"
    ORDER_NOT_OPEN = "order_not_open"
    NOT_YOUR_ORDER = "not_your_order"
    TOO_MANY_ORDERS = "too_many_orders"
    NO_ORDERS = "no_orders"
    # decisions
    NO_GENESIS = "no_genesis"
    GENESIS_EXISTS = "genesis_exists"
    WRONG_VENUE = "wrong_venue"
    UNKNOWN_KEY = "unknown_key"
    KEY_REVOKED = "key_revoked"
    KEY_EXISTS = "key_exists"
    BAD_KEY = "bad_key"
    NOT_CANONICAL = "not_canonical"
    COUNTER_REUSED = "counter_reused"
    EXPIRED = "expired"
    EXPIRES_TOO_LATE = "expires_too_late"
    ROLE_TOO_LOW = "role_too_low"
    LAST_SUPER_ADMIN = "last_super_admin"
    SYMBOL_EXISTS = "symbol_exists"
    BAD_SYMBOL = "bad_symbol"
    BAD_MARKET = "bad_market"
    WRONG_MARKET_STATE = "wrong_market_state"
    VALUE_OUT_OF_RANGE = "value_out_of_range"
    BAD_POLICY = "bad_policy"
    UNKNOWN_DECISION = "unknown_decision"
    ALREADY_SIGNED = "already_signed"
    TOO_MANY_PENDING = "too_many_pending"
    HOLDS_THE_SYMBOL = "holds_the_symbol"
    TOO_MANY_KEYS = "too_many_keys"
    TOO_MANY_MARKETS = "too_many_markets"
    # sources and reviews
    BAD_SOURCE = "bad_source"
    SOURCE_EXISTS = "source_exists"
    UNKNOWN_SOURCE = "unknown_source"
    TOO_MANY_SOURCES = "too_many_sources"
    BAD_PROPOSAL = "bad_proposal"
    UNKNOWN_REVIEW = "unknown_review"


class EverythingError(Exception):
    """Root of the tree. `code` is stable and safe to show to anyone."""

    code: ClassVar[str] = "error"


class InputError(EverythingError):
    code = "bad_input"


class MalformedMessage(InputError):
    code = "malformed"


class UnknownMessage(InputError):
    """A well-formed message whose type or version this code does not know."""

    code = "unknown_message"

    def __init__(self, tag: str) -> None:
        super().__init__(f"unknown message type {tag!r}")
        self.tag = tag


class TooLarge(InputError):
    code = "too_large"


class BadSignature(InputError):
    code = "bad_signature"


class NotFound(InputError):
    """It does not exist, or it is not the caller's."""

    code = "not_found"


class UnknownChannel(NotFound):
    """The feed has no channel of that name."""

    code = "unknown_channel"


class TooFarBehind(InputError):
    """A feed reader has missed more than it can still be told: take a snapshot."""

    code = "too_far_behind"


class OverQuota(InputError):
    """More than one account or network may have; nothing was done.

    `retry_after_s` is how long it takes until the same may be asked again.
    """

    code = "over_quota"

    def __init__(self, problem: str, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


class TooManyFeeds(OverQuota):
    """An account follows as many feeds or channels as it may: end one."""

    code = "feed_quota"


class Refused(InputError):
    """A command or decision that an engine refused, or that an entry point knows it would."""

    code = "refused"

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__(f"{refusal.value}: {detail}" if detail else refusal.value)
        self.refusal = refusal
        self.detail = detail


class OperatingError(EverythingError):
    code = "unavailable"


class LogUnavailable(OperatingError):
    code = "log_unavailable"


class AppendFailed(OperatingError):
    code = "append_failed"


class BatchesFull(AppendFailed):
    """The log has as many batches open as it takes; one message needs none."""

    code = "batches_full"


class AppendUnknown(OperatingError):
    code = "append_unknown"


class Busy(OperatingError):
    """A bound is reached, and nothing was done: try again after `retry_after_s`."""

    code = "busy"

    def __init__(self, problem: str, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


class StoreUnavailable(OperatingError):
    code = "store_unavailable"


class TablesBehind(OperatingError):
    """The tables did not reach a sequence in time; they may a moment later."""

    code = "tables_behind"


class Halt(EverythingError):
    """A deliberate stop. The process exits with `exit_code` and does not restart itself."""

    code = "halt"
    exit_code: ClassVar[int] = 70


class Fenced(Halt):
    code = "fenced"
    exit_code = 71


class LogDiverged(Halt):
    code = "log_diverged"
    exit_code = 72


class LogGap(Halt):
    code = "log_gap"
    exit_code = 73


class UnknownRecord(Halt):
    code = "unknown_record"
    exit_code = 74


class BrokenInvariant(Halt):
    code = "broken_invariant"
    exit_code = 75


class ConfigDrift(Halt):
    code = "config_drift"
    exit_code = 76


class SchemaDrift(Halt):
    code = "schema_drift"
    exit_code = 77


class GenesisMismatch(Halt):
    code = "genesis_mismatch"
    exit_code = 78


class ModelMismatch(Halt):
    code = "model_mismatch"
    exit_code = 79


class ArchiveDamaged(Halt):
    code = "archive_damaged"
    exit_code = 80
