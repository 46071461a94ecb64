"""What the read API gives, as JSON: decimals are strings, quantities integers.

`sequence` at the top of an answer is the log sequence that all of it is as of; within a
row it is that of the message that last changed the row. Times are ISO 8601 in UTC.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from projections.api.rows import RowOut, as_decimal, as_fraction, as_time, column
from schemas.http import Decimal, Out, Time

AsOfSequence = Annotated[
    int, Field(description="The log sequence that this is as of.", examples=[4711])
]
ChangedBy = Annotated[int, Field(description="Of the message that last changed this.")]
Next = Annotated[str | None, Field(description="Give it as the cursor to go on; null at the end.")]


# -- markets -------------------------------------------------------------------------
class MarketOut(RowOut):
    """A market with its prices; a price is null until there is one."""

    symbol: str
    name: str
    description: str
    type: Annotated[str, column("market_type")]
    subtype: str
    region: str
    risk: Annotated[str, column("risk_level")]
    aliases: list[str]
    status: Annotated[str, Field(description="open, halted, closed or resolved.")]
    status_reason: str
    resolved_at_price: Annotated[Decimal | None, as_decimal("value_ticks")]
    tick: Annotated[Decimal, as_decimal("tick_ticks")]
    min_price: Annotated[str, Field(description="The outside quantity that 0.00 stands for.")]
    max_price: str
    market_weight: Annotated[str, Field(examples=["0.5000"]), as_fraction("market_weight_bp")]
    reality_weight: Annotated[str, as_fraction("reality_weight_bp")]
    market_price: Annotated[Decimal | None, as_decimal("market_price_e2")]
    reality_score: Annotated[Decimal | None, as_decimal("reality_score_e2")]
    final_price: Annotated[Decimal | None, as_decimal("final_price_e2")]
    confidence: Annotated[
        str | None, Field(description="Of the RealityScore."), as_fraction("confidence_bp")
    ]
    pending_reviews: Annotated[int, Field(description="Moves that wait for a person.")]
    basis: Annotated[str | None, Field(description="What the market price rests on.")]
    last_trade: Annotated[Decimal | None, as_decimal("last_trade_ticks")]
    best_bid: Annotated[Decimal | None, as_decimal("bid_ticks")]
    best_ask: Annotated[Decimal | None, as_decimal("ask_ticks")]
    listed_at: Annotated[Time, as_time("listed_ns")]
    sequence: Annotated[ChangedBy, column("changed_by")]


class MarketsOut(Out):
    sequence: AsOfSequence
    markets: list[MarketOut]
    next: Next


class OneMarketOut(Out):
    sequence: AsOfSequence
    market: MarketOut


class LevelOut(RowOut):
    price: Annotated[Decimal, as_decimal("price_ticks")]
    quantity: Annotated[int, column("lots")]
    orders: int


class SnapshotOut(RowOut):
    """The best levels of a book. Without news since `since` only the first three fields count."""

    symbol: str
    changed: bool
    last_sequence: Annotated[
        int, Field(description="Give it as `since` to hear only of later changes.")
    ]
    status: str | None = None
    bids: list[LevelOut] = Field(default=[])
    asks: list[LevelOut] = Field(default=[])
    market_price: Annotated[Decimal | None, as_decimal("market_price_e2")] = None
    final_price: Annotated[Decimal | None, as_decimal("final_price_e2")] = None
    last_trade: Annotated[Decimal | None, as_decimal("last_trade_ticks")] = None


class Volume(Out):
    """What takers bought and sold, and how many accounts they are; 100 is that many or more."""

    buy: int
    sell: int
    net: int
    buyers: Annotated[int | None, Field(description="Null where it was not counted yet.")]
    sellers: int | None


class PressureOut(Out):
    symbol: str
    last_minute: Volume
    last_hour: Volume
    sequence: AsOfSequence


class TradeOut(RowOut):
    trade_id: int
    price: Annotated[Decimal, as_decimal("price_ticks")]
    quantity: Annotated[int, column("quantity_lots")]
    taker_side: str
    time: Annotated[Time, as_time("time_ns")]
    cause: Annotated[int, Field(description="The log sequence of the order that met the other.")]
    sequence: ChangedBy


class TradesOut(Out):
    sequence: AsOfSequence
    symbol: str
    trades: list[TradeOut]
    next: Next


class BarOut(RowOut):
    start: Annotated[Time, as_time("start_ns")]
    start_s: Annotated[int, Field(description="The same in seconds since 1970 UTC.")]
    open: Annotated[Decimal, as_decimal("open_ticks")]
    high: Annotated[Decimal, as_decimal("high_ticks")]
    low: Annotated[Decimal, as_decimal("low_ticks")]
    close: Annotated[Decimal, as_decimal("close_ticks")]
    volume: Annotated[int, column("volume_lots")]
    turnover: Annotated[Decimal, as_decimal("turnover_cents")]
    trades: int
    sequence: ChangedBy


class BarsOut(Out):
    sequence: AsOfSequence
    symbol: str
    interval: str
    bars: list[BarOut]
    next: Next


# -- accounts ------------------------------------------------------------------------
class OrderOut(RowOut):
    """An order and how it stands: quantity = filled + resting + cancelled."""

    order_id: int
    client_order_id: str
    symbol: str
    side: str | None
    type: Annotated[str | None, column("order_type")]
    time_in_force: str | None
    price: Annotated[Decimal | None, as_decimal("price_ticks")]
    quantity: Annotated[int, column("quantity_lots")]
    filled: Annotated[int, column("filled_lots")]
    resting: Annotated[int, column("resting_lots")]
    cancelled: Annotated[int, column("cancelled_lots")]
    status: Annotated[str, Field(description="open, filled, cancelled or rejected.")]
    reason: Annotated[str, Field(description="Why it was rejected or cancelled.")]
    related_order_id: int | None
    placed_at: Annotated[Time, as_time("placed_ns")]
    cause: Annotated[int, Field(description="The log sequence of the command.")]
    sequence: ChangedBy


class OrdersOut(Out):
    sequence: AsOfSequence
    orders: list[OrderOut]
    next: Next


class FillOut(RowOut):
    trade_id: int
    price: Annotated[Decimal, as_decimal("price_ticks")]
    quantity: Annotated[int, column("quantity_lots")]
    role: Literal["taker", "maker"]
    time: Annotated[Time, as_time("time_ns")]
    sequence: ChangedBy


class OneOrderOut(Out):
    sequence: AsOfSequence
    order: OrderOut
    fills: Annotated[list[FillOut], Field(description="The latest ones, newest first.")]


class PositionOut(RowOut):
    symbol: str
    quantity: Annotated[int, Field(description="Long above zero, short below."), column("lots")]
    status: Annotated[str | None, Field(description="Of the market.")]
    market_price: Annotated[Decimal | None, as_decimal("market_price_e2")]
    sequence: ChangedBy


class PositionsOut(Out):
    sequence: AsOfSequence
    account: str
    positions: list[PositionOut]
    next: Next


class AccountOut(RowOut):
    """`reserved` backs resting orders; `cash` is free."""

    sequence: AsOfSequence
    account: str
    public_key: str
    cash: Annotated[Decimal, as_decimal("cash_cents")]
    reserved: Annotated[Decimal, as_decimal("reserved_cents")]
    open_orders: int
    opened_at: Annotated[Time, as_time("opened_ns")]
    cause: int


# -- governance ----------------------------------------------------------------------
class AuditOut(RowOut):
    event_id: Annotated[str, Field(examples=["4711-0"])]
    sequence: ChangedBy
    cause: Annotated[
        int, Field(description="The log sequence of the signed decision, or what else led to it.")
    ]
    kind: Annotated[str, Field(examples=["decision_accepted"])]
    decision: Annotated[str | None, column("kind")]
    key: str | None
    symbol: str | None
    account: str | None
    source: str | None
    proposal_hash: str | None
    code: str | None
    detail: Annotated[str, Field(description="For people.")]
    time: Annotated[Time, as_time("time_ns")]
    event: Annotated[dict[str, Any], Field(description="The event as on the log.")]


class AuditsOut(Out):
    sequence: AsOfSequence
    events: list[AuditOut]
    next: Next


class KeyOut(RowOut):
    key: str
    holder: str
    role: str
    status: Annotated[str, Field(description="active, rotated or revoked.")]
    lapses_at: Annotated[Time | None, as_time("lapses_ns")]
    successor: str | None
    enrolled_at: Annotated[Time, as_time("enrolled_ns")]
    cause: int
    sequence: ChangedBy


class KeysOut(Out):
    sequence: AsOfSequence
    keys: list[KeyOut]
    next: Next


class DecisionOut(RowOut):
    decision_hash: str
    kind: str
    status: Annotated[str, Field(description="pending, accepted or lapsed.")]
    key: str
    signers: list[str]
    signers_needed: int | None
    expires_at: Annotated[Time | None, as_time("expires_ns")]
    body: Annotated[str | None, Field(description="The signed text of one that had to wait.")]
    changed_at: Annotated[Time, as_time("changed_ns")]
    cause: int
    sequence: ChangedBy


class DecisionsOut(Out):
    sequence: AsOfSequence
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

    sequence: AsOfSequence
    schema_name: str
    version: str
    switch: int
    message_hash: str
    chain: str
    engines: dict[str, EngineOut]
