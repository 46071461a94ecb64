"""The bodies of requests to the gateway, and of its answers, as JSON.

Decimals are strings ("62.50"), quantities are integers, field names have no units. What a
model cannot say in its types (known symbol, range, grid) is judged where it is translated.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, StrictInt, Tag

from schemas.commands import OrderType, Side, TimeInForce
from schemas.http import MAX_INT64, Decimal, Out
from schemas.limits import (
    MAX_BATCH_ORDERS,
    MAX_CLIENT_ID_CHARS,
    MAX_DETAIL_CHARS,
    MAX_EVENT_ID_CHARS,
    MAX_LANGUAGE_CHARS,
    MAX_PUSHED_TEXT_CHARS,
    MAX_REPORT_ITEMS,
    MAX_SYMBOL_CHARS,
    MAX_TITLE_CHARS,
    MAX_URL_CHARS,
)
from schemas.signatures import PUBLIC_KEY_CHARS, SIGNATURE_CHARS
from streams.gateway.limits import MAX_ACCOUNT_CHARS

_MAX_CHALLENGE_CHARS = 600


class _In(BaseModel):
    """A request: unknown fields are refused, so that a misspelt one is not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ClientId = Annotated[
    str,
    Field(
        pattern=rf"^[ -~]{{1,{MAX_CLIENT_ID_CHARS}}}$",
        description="Chosen by the client; with it a command is carried out at most once.",
        examples=["a-0001"],
    ),
]
ClientTime = Annotated[
    int | None,
    Field(
        ge=0,
        le=MAX_INT64,
        description="When the client first sent this, in nanoseconds since 1970 UTC (a number "
        "or its digits as a string). Keep it when retrying: it is what bounds how late a retry "
        "can still be carried out. Without it the gateway's own time is taken.",
        examples=["1763652206000000000"],
    ),
]
Symbol = Annotated[str, Field(min_length=1, max_length=MAX_SYMBOL_CHARS, examples=["RAIN-OSLO"])]
Account = Annotated[str, Field(min_length=1, max_length=MAX_ACCOUNT_CHARS, examples=["alice"])]
PublicKey = Annotated[
    str,
    Field(min_length=PUBLIC_KEY_CHARS, max_length=PUBLIC_KEY_CHARS, description="A public nkey."),
]
Signature = Annotated[
    str,
    Field(
        min_length=SIGNATURE_CHARS,
        max_length=SIGNATURE_CHARS,
        description="Ed25519, as unpadded URL-safe base64.",
    ),
]


# -- orders --------------------------------------------------------------------------
class OrderIn(_In):
    """One order."""

    client_order_id: ClientId
    symbol: Symbol
    side: Side
    quantity: Annotated[StrictInt, Field(description="Shares.", examples=[10])]
    type: OrderType = "limit"
    price: Annotated[
        str | None,
        Field(
            pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$",
            description='Above "0.00" and below "100.00"; absent for a market order.',
            examples=["62.50"],
        ),
    ] = None
    time_in_force: TimeInForce = "gtc"
    post_only: StrictBool = False


class PlaceOrderIn(OrderIn):
    """One order, with the time of the request."""

    client_time_ns: ClientTime = None


class PlaceOrdersIn(_In):
    """Up to 100 orders in one message, each with an outcome of its own."""

    orders: Annotated[list[OrderIn], Field(min_length=1, max_length=MAX_BATCH_ORDERS)]
    client_time_ns: ClientTime = None


def _one_or_many(value: Any) -> str:
    return "many_orders" if isinstance(value, dict) and "orders" in value else "one_order"


OrdersIn = Annotated[
    Annotated[PlaceOrderIn, Tag("one_order")] | Annotated[PlaceOrdersIn, Tag("many_orders")],
    Discriminator(_one_or_many),
]


class OrderAck(Out):
    """The order is durable on the log; what becomes of it the exchange decides."""

    sequence: Annotated[int, Field(description="Of the command on the log.", examples=[4711])]
    order_id: Annotated[
        int,
        Field(
            description="The id of the order if it is taken. When the client order id was used "
            "before, the original order keeps its own id and this one never exists.",
            examples=[471100],
        ),
    ]
    client_order_id: str


class BatchedAck(Out):
    order_id: int
    client_order_id: str


class OrdersAck(Out):
    sequence: int
    orders: list[BatchedAck]


OrderStatus = Literal["placed", "filled", "cancelled", "rejected", "duplicate"]


class OutcomeFill(Out):
    trade_id: int
    price: Decimal
    quantity: int
    maker_order_id: int


class OrderOutcome(Out):
    """What the exchange decided about one order.

    placed: (what is left of) it rests · filled: all of it · cancelled: what could not be
    filled was cancelled (`cancel_reason`) · rejected: not taken, see `code` · duplicate:
    the client order id was used before; `order_id` is the original order's.
    """

    sequence: int
    order_id: int
    client_order_id: str
    symbol: str
    status: OrderStatus
    filled: int = 0
    resting: int = 0
    cancelled: int = 0
    cancel_reason: str | None = None
    code: Annotated[str | None, Field(description="Why it was not taken.")] = None
    fills: list[OutcomeFill] = Field(default=[])


class OrdersOutcome(Out):
    sequence: int
    orders: list[OrderOutcome]


# -- cancelling ----------------------------------------------------------------------
class CancelIn(_In):
    """Exactly one of `order_id`, `symbol` and `all`."""

    order_id: Annotated[StrictInt | None, Field(ge=0, le=MAX_INT64, examples=[471100])] = None
    symbol: Symbol | None = None
    all: Literal[True] | None = None
    client_id: ClientId | None = None
    client_time_ns: ClientTime = None


class CancelAck(Out):
    sequence: int
    client_id: str


class CancelOutcome(Out):
    """cancelled: these orders · not_open: there was nothing to cancel · rejected: see `code`."""

    sequence: int
    client_id: str
    status: Literal["cancelled", "not_open", "rejected"]
    order_ids: list[int] = Field(default=[])
    code: str | None = None


# -- accounts and sessions -----------------------------------------------------------
class OpenAccountIn(_In):
    """`signature` is by the key over the canonical JSON of account, key, time and venue."""

    account: Account
    public_key: PublicKey
    client_time_ns: Annotated[int, Field(ge=0, le=MAX_INT64)]
    signature: Signature


class OpenedAccountOut(Out):
    sequence: int
    account: str
    public_key: str
    status: Literal["open", "pending"]
    granted: Annotated[Decimal, Field(description="The signup grant.")] = "0.00"


class ChallengeIn(_In):
    account: Account


class ChallengeOut(Out):
    nonce: str
    venue_id: str
    expires_in_s: int


class SessionIn(_In):
    """`signature` is by the account's key over the canonical JSON of a session opening."""

    account: Account
    nonce: Annotated[str, Field(min_length=1, max_length=_MAX_CHALLENGE_CHARS)]
    signature: Signature


class SessionOut(Out):
    token: str
    token_type: Literal["bearer"] = "bearer"
    account: str
    expires_in_s: int


class WhoAmI(Out):
    account: str
    public_key: str


# -- decisions -----------------------------------------------------------------------
class ActionIn(_In):
    """A signed decision: `body` is carried to the log to the letter."""

    key: PublicKey
    body: Annotated[str, Field(min_length=2, description="The canonical JSON that was signed.")]
    signature: Signature


class ActionOut(Out):
    """accepted, or still pending (more people must sign, or no outcome yet: see `events`)."""

    sequence: int
    status: Literal["accepted", "pending"]
    decision_hash: str
    events: Annotated[list[dict[str, Any]], Field(description="The decided events, as on the log.")]


# -- for programs --------------------------------------------------------------------
class PushIn(_In):
    """An article that a source signed: `body` stands on the log to the letter."""

    key: PublicKey
    body: Annotated[
        str, Field(min_length=2, description="The canonical JSON of a pushed_article/1.")
    ]
    signature: Signature


class PushOut(Out):
    """The article is durable on the log; what it means the engine decides."""

    sequence: int
    snapshot_id: Annotated[str, Field(description="SHA-256 of title, line feed and text.")]


class FetchIn(_In):
    """A page that is to be fetched and observed as an article of `source`.

    Title, language and time hold where the page itself does not say.
    """

    source: Annotated[str, Field(examples=["nordic-news"])]
    url: Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARS)]
    key: Annotated[
        str,
        Field(
            pattern=rf"^[!-~]{{1,{MAX_EVENT_ID_CHARS}}}$",
            description="Names this request: repeated within an hour it is not done again.",
        ),
    ]
    title: Annotated[str, Field(max_length=MAX_TITLE_CHARS)] = ""
    language: Annotated[str, Field(max_length=MAX_LANGUAGE_CHARS, examples=["en"])] = ""
    published_ns: Annotated[StrictInt | None, Field(ge=0, le=MAX_INT64)] = None


class JobOut(Out):
    """The job is durable in ingest's queue. What came of it is in the source's fetches."""

    job: str


class WorkIn(_In):
    """Is there anything to do for the runner that signs this?"""


class RunnerJobOut(Out):
    """A page that is to be rendered and read."""

    ticket: Annotated[str, Field(description="Good for one report, by the runner that asked.")]
    url: str
    links: Annotated[bool, Field(description="Report what it links to, not the page itself.")]
    source: Annotated[dict[str, Any], Field(description="The source, as it was signed.")]


class WorkOut(Out):
    """A job, or null when there is none now: ask again."""

    job: RunnerJobOut | None


class ReportedItemIn(_In):
    """One article, or the link to one."""

    guid: Annotated[str, Field(max_length=MAX_URL_CHARS)] = ""
    link: Annotated[str, Field(max_length=MAX_URL_CHARS)] = ""
    title: Annotated[str, Field(max_length=MAX_TITLE_CHARS)] = ""
    text: Annotated[str, Field(max_length=MAX_PUSHED_TEXT_CHARS)] = ""
    language: Annotated[str, Field(max_length=MAX_LANGUAGE_CHARS, examples=["en"])] = ""
    published_ns: Annotated[StrictInt | None, Field(ge=0, le=MAX_INT64)] = None
    snapshot_id: Annotated[
        str, Field(description="SHA-256 of title, line feed and text; empty without a text.")
    ] = ""


class ReportIn(_In):
    """What came of a job: its items, or the problem of the fetch."""

    ticket: str
    url: Annotated[str, Field(max_length=MAX_URL_CHARS, description="Where redirects led to.")] = ""
    status: Annotated[StrictInt, Field(ge=0, le=999, description="Of HTTP, 0 for none.")] = 0
    body_hash: Annotated[
        str, Field(description="SHA-256 of the document as its scripts left it.")
    ] = ""
    problem: Annotated[str, Field(max_length=64, examples=["too_slow"])] = ""
    detail: Annotated[str, Field(max_length=MAX_DETAIL_CHARS)] = ""
    items: Annotated[list[ReportedItemIn], Field(max_length=MAX_REPORT_ITEMS)] = []


class ReportOut(Out):
    """The report was taken; what it says is observed as any fetch's document."""

    ticket: str


class RetryOut(Out):
    """The retry is durable and the job is in its queue; `GET /jobs` says what becomes of it."""

    sequence: int
    job: str


# -- the venue -----------------------------------------------------------------------
class SigningKeyOut(Out):
    key: str
    holder: str
    role: str
    counter: Annotated[int, Field(description="Of the key's last decision; the next is higher.")]
    revoked: bool


class VenueOut(Out):
    founded: bool
    shard: str
    venue_id: str | None = None
    name: str | None = None
    root_key: str | None = None
    notary_key: Annotated[
        str | None, Field(description="Before the founding: which key the genesis must name.")
    ] = None
    policy_version: int | None = None
    policy: dict[str, Any] | None = None
    keys: list[SigningKeyOut] = Field(default=[])


class HealthOut(Out):
    status: Literal["ok"] = "ok"


class ReadyOut(Out):
    ready: bool
    log: Annotated[bool, Field(description="The log answers.")]
    caught_up: Annotated[bool, Field(description="The gateway has read the log to its end.")]
    founded: bool
    engines: Annotated[dict[str, bool], Field(description="Which engines have had a leader.")]
