"""What the read API gives, as JSON: decimals are strings, quantities integers.

`sequence` at the top of an answer is the log sequence that all of it is as of; within a
row it is that of the message that last changed the row. Times are ISO 8601 in UTC.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Decimal = Annotated[str, Field(examples=["62.50"])]
Time = Annotated[str, Field(examples=["2026-05-01T12:00:00.000000Z"])]
AsOf = Annotated[int, Field(description="The log sequence that this is as of.", examples=[4711])]
ChangedBy = Annotated[int, Field(description="Of the message that last changed this.")]
Next = Annotated[str | None, Field(description="Give it as the cursor to go on; null at the end.")]


class Out(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(frozen=True)


class ErrorBody(Out):
    code: Annotated[str, Field(description="Stable.", examples=["unknown_symbol"])]
    message: str
    detail: Any = None


class ReadError(Out):
    """The same envelope as everywhere."""

    error: ErrorBody


# -- markets -------------------------------------------------------------------------
class MarketOut(Out):
    """A market with its prices; a price is null until there is one."""

    symbol: str
    name: str
    description: str
    type: str
    subtype: str
    region: str
    risk: str
    aliases: list[str]
    status: Annotated[str, Field(description="open, halted, closed or resolved.")]
    status_reason: str
    resolved_at_price: Decimal | None
    tick: Decimal
    min_price: Annotated[str, Field(description="The outside quantity that 0.00 stands for.")]
    max_price: str
    market_weight: Annotated[str, Field(examples=["0.5000"])]
    reality_weight: str
    market_price: Decimal | None
    reality_score: Decimal | None
    final_price: Decimal | None
    confidence: Annotated[str | None, Field(description="Of the RealityScore.")]
    pending_reviews: Annotated[int, Field(description="Moves that wait for a person.")]
    basis: Annotated[str | None, Field(description="What the market price rests on.")]
    last_trade: Decimal | None
    best_bid: Decimal | None
    best_ask: Decimal | None
    listed_at: Time
    sequence: ChangedBy


class MarketsOut(Out):
    sequence: AsOf
    markets: list[MarketOut]
    next: Next


class OneMarketOut(Out):
    sequence: AsOf
    market: MarketOut


class LevelOut(Out):
    price: Decimal
    quantity: int
    orders: int


class SnapshotOut(Out):
    """The best levels of a book. Without news since `since` only the first three fields count."""

    symbol: str
    changed: bool
    last_sequence: Annotated[
        int, Field(description="Give it as `since` to hear only of later changes.")
    ]
    status: str | None = None
    bids: list[LevelOut] = []
    asks: list[LevelOut] = []
    market_price: Decimal | None = None
    final_price: Decimal | None = None
    last_trade: Decimal | None = None


class Volume(Out):
    """What takers bought and sold."""

    buy: int
    sell: int
    net: int


class PressureOut(Out):
    symbol: str
    last_minute: Volume
    last_hour: Volume
    sequence: AsOf


class TradeOut(Out):
    trade_id: int
    price: Decimal
    quantity: int
    taker_side: str
    time: Time
    cause: Annotated[int, Field(description="The log sequence of the order that met the other.")]
    sequence: ChangedBy


class TradesOut(Out):
    sequence: AsOf
    symbol: str
    trades: list[TradeOut]
    next: Next


class BarOut(Out):
    start: Time
    start_s: Annotated[int, Field(description="The same in seconds since 1970 UTC.")]
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    turnover: Decimal
    trades: int
    sequence: ChangedBy


class BarsOut(Out):
    sequence: AsOf
    symbol: str
    interval: str
    bars: list[BarOut]
    next: Next


# -- accounts ------------------------------------------------------------------------
class OrderOut(Out):
    """An order and how it stands: quantity = filled + resting + cancelled."""

    order_id: int
    client_order_id: str
    symbol: str
    side: str | None
    type: str | None
    time_in_force: str | None
    price: Decimal | None
    quantity: int
    filled: int
    resting: int
    cancelled: int
    status: Annotated[str, Field(description="open, filled, cancelled or rejected.")]
    reason: Annotated[str, Field(description="Why it was rejected or cancelled.")]
    related_order_id: int | None
    placed_at: Time
    cause: Annotated[int, Field(description="The log sequence of the command.")]
    sequence: ChangedBy


class OrdersOut(Out):
    sequence: AsOf
    orders: list[OrderOut]
    next: Next


class FillOut(Out):
    trade_id: int
    price: Decimal
    quantity: int
    role: Literal["taker", "maker"]
    time: Time
    sequence: ChangedBy


class OneOrderOut(Out):
    sequence: AsOf
    order: OrderOut
    fills: Annotated[list[FillOut], Field(description="The latest ones, newest first.")]


class PositionOut(Out):
    symbol: str
    quantity: Annotated[int, Field(description="Long above zero, short below.")]
    status: Annotated[str | None, Field(description="Of the market.")]
    market_price: Decimal | None
    sequence: ChangedBy


class PositionsOut(Out):
    sequence: AsOf
    account: str
    positions: list[PositionOut]
    next: Next


class AccountOut(Out):
    """`reserved` backs resting orders; `cash` is free."""

    sequence: AsOf
    account: str
    public_key: str
    cash: Decimal
    reserved: Decimal
    open_orders: int
    opened_at: Time
    cause: int


# -- governance ----------------------------------------------------------------------
class AuditOut(Out):
    event_id: Annotated[str, Field(examples=["4711-0"])]
    sequence: ChangedBy
    cause: Annotated[
        int, Field(description="The log sequence of the signed decision, or what else led to it.")
    ]
    kind: Annotated[str, Field(examples=["decision_accepted"])]
    decision: str | None
    key: str | None
    symbol: str | None
    account: str | None
    source: str | None
    proposal_hash: str | None
    code: str | None
    detail: Annotated[str, Field(description="For people.")]
    time: Time
    event: Annotated[dict[str, Any], Field(description="The event as on the log.")]


class AuditsOut(Out):
    sequence: AsOf
    events: list[AuditOut]
    next: Next


class KeyOut(Out):
    key: str
    holder: str
    role: str
    status: Annotated[str, Field(description="active, rotated or revoked.")]
    lapses_at: Time | None
    successor: str | None
    enrolled_at: Time
    cause: int
    sequence: ChangedBy


class KeysOut(Out):
    sequence: AsOf
    keys: list[KeyOut]
    next: Next


class DecisionOut(Out):
    decision_hash: str
    kind: str
    status: Annotated[str, Field(description="pending, accepted or lapsed.")]
    key: str
    signers: list[str]
    signers_needed: int | None
    expires_at: Time | None
    body: Annotated[str | None, Field(description="The signed text of one that had to wait.")]
    changed_at: Time
    cause: int
    sequence: ChangedBy


class DecisionsOut(Out):
    sequence: AsOf
    decisions: list[DecisionOut]
    next: Next


# -- the projection itself -----------------------------------------------------------
class EngineOut(Out):
    """An engine's last record that was projected."""

    record: int
    sequence: int
    last_input: int
    epoch: int
    hash: str
    time: Time


class ProjectionOut(Out):
    """`chain` is a hash over every message that was projected, the last being `message_hash`."""

    sequence: AsOf
    schema_name: str
    version: str
    switch: int
    message_hash: str
    chain: str
    engines: dict[str, EngineOut]
