"""Fold records into what the feed's channels say about them.

A record gives each channel that it touches one message of each kind, so a channel shows a
commit group whole, and heavy load makes larger messages instead of more of them. The
drafts of a record follow from the records before it and from nothing else.
"""

from typing import Any, Final, NamedTuple, assert_never

from projections.feeds import channels, reality
from projections.feeds.depth import Depth, Levels
from projections.feeds.payloads import (
    PRICES,
    BalanceUpdate,
    FillUpdate,
    OrderPlacedUpdate,
    OrderRejectedUpdate,
    OrdersCancelledUpdate,
    PositionUpdate,
    PublicTrade,
    kind_of,
    plain,
)
from projections.limits import FEED_SNAPSHOT_EVERY
from schemas.events import exchange as ex
from schemas.events import governance as gov
from schemas.events import notary, pricing
from schemas.records import Record
from schemas.units import to_decimal

ACCOUNT_UPDATE: Final = "account_update"
AUDIT_EVENT: Final = "audit_event"
REALITY_UPDATE: Final = "reality_update"
_MERGED: Final = -1

_Audited = (
    gov.VenueFounded
    | gov.DecisionAccepted
    | gov.DecisionPending
    | gov.DecisionCoSigned
    | gov.DecisionLapsed
    | gov.DecisionRefused
    | gov.KeyEnrolled
    | gov.RoleGranted
    | gov.KeyRotated
    | gov.KeyRevoked
    | gov.PolicySet
    | gov.CreditsMinted
    | gov.OpsOverridden
)
_OfMarkets = (
    gov.MarketListed
    | gov.MarketEdited
    | gov.MarketHalted
    | gov.MarketResumed
    | gov.MarketClosed
    | gov.MarketResolved
)
_ForAccount = (
    ex.AccountOpened
    | ex.AccountLapsed
    | ex.CashCredited
    | ex.CashReturned
    | ex.CreditRefused
    | ex.CommandRefused
)
_Unseen = (
    ex.LimitsSet
    | ex.LapseScheduled
    | ex.BookOpened
    | ex.BookHalted
    | ex.BookResumed
    | ex.IdsForgotten
    | pricing.BlendSet
    | pricing.SmoothingSet
    | pricing.VolumeTraded
    | notary.Sealed
    | ex.ReviewersChecked
    | ex.PartChecked
    | reality.Unseen
)
"""Events that repeat another engine's, or that no reader of a feed needs."""
_OfReality = reality.Reported | reality.Audited


class Draft(NamedTuple):
    """One message to be: all of its envelope that the record alone decides.

    `position` is the index, in the record, of the first event that the message reports.
    """

    channel: str
    kind: str
    position: int
    payload: dict[str, Any]


class _Prices(NamedTuple):
    market: tuple[int, int | None, str]
    final: int


class FeedFold:
    """The state that follows from past records, from which the next messages are made."""

    def __init__(self) -> None:
        self._depth = Depth()
        self._depth_sent: dict[str, int] = {}
        self._prices: dict[str, _Prices] = {}
        self._scores = reality.MarketScores()
        self._orders_channel: dict[str, str] = {}
        self._drafts: dict[tuple[str, str, int], Draft] = {}

    def fold(self, record: Record) -> list[Draft]:
        """Apply `record` and return its messages, in their order."""
        drafts: list[Draft] = []
        for position, event in enumerate(record.events):
            match event:
                case ex.OrderPlaced():
                    self._placed(position, event)
                case ex.Traded():
                    self._traded(position, event)
                case ex.OrdersCancelled():
                    self._cancelled(position, event)
                case ex.OrderRejected():
                    self._rejected(position, event)
                case ex.BalancesChanged() | ex.TopsChanged():
                    self._stand(position, event)
                case pricing.PriceChanged() | pricing.PressureChanged():
                    self._priced(position, event)
                case ex.BookClosed() | ex.BookSettled():
                    self._book_ended(position, event)
                case _:
                    self._rare(position, event)
        self._levels(len(record.events) - 1)
        drafts.extend(self._drafts.values())
        self._drafts.clear()
        return drafts

    def _rare(
        self, position: int, event: _Audited | _OfMarkets | _ForAccount | _OfReality | _Unseen
    ) -> None:
        if isinstance(event, _ForAccount):
            self._of_account(position, event)
        elif isinstance(event, _OfMarkets):
            self._say(channels.MARKETS, kind_of(event), position, plain(event, "created_by"))
        elif isinstance(event, _Audited):
            payload = {"event": kind_of(event), **plain(event)}
            self._say(channels.AUDIT, AUDIT_EVENT, position, payload)
        elif isinstance(event, _OfReality):
            self._of_reality(position, event)
        elif not isinstance(event, _Unseen):
            assert_never(event)

    # -- accounts ------------------------------------------------------------------

    def _report(self, account: str, position: int, row: Any) -> None:
        """Add a row to an account's message; without an account there is no channel."""
        channel = self._orders_channel.get(account)
        if channel is not None:
            self._append(channel, ACCOUNT_UPDATE, position, "events", row)

    def _placed(self, position: int, event: ex.OrderPlaced) -> None:
        self._depth.place(event)
        price = event.price_ticks
        row = OrderPlacedUpdate(
            event.order_id,
            event.client_order_id,
            event.symbol,
            event.side,
            event.order_type,
            event.time_in_force,
            None if price is None else PRICES[price],
            event.quantity_lots,
            event.filled_lots,
            event.resting_lots,
            event.cancelled_lots,
            event.cancel_reason,
        )
        self._report(event.account, position, row)

    def _rejected(self, position: int, event: ex.OrderRejected) -> None:
        row = OrderRejectedUpdate(
            event.order_id, event.client_order_id, event.symbol, event.code, event.duplicate_of
        )
        self._report(event.account, position, row)

    def _cancelled(self, position: int, event: ex.OrdersCancelled) -> None:
        self._depth.cancel(event.order_ids)
        row = OrdersCancelledUpdate(event.order_ids, event.client_id, "request")
        self._report(event.account, position, row)

    def _traded(self, position: int, event: ex.Traded) -> None:
        self._depth.trade(event)
        symbol, lots, side = event.symbol, event.quantity_lots, event.taker_side
        price, trade_id = PRICES[event.price_ticks], event.trade_id
        self._append(
            channels.market(symbol, "trades"),
            "trades",
            position,
            "trades",
            PublicTrade(trade_id, price, lots, side),
        )
        other = "sell" if side == "buy" else "buy"
        taker = FillUpdate(event.taker_order_id, trade_id, symbol, side, "taker", price, lots, None)
        maker = FillUpdate(
            event.maker_order_id,
            trade_id,
            symbol,
            other,
            "maker",
            price,
            lots,
            event.maker_resting_lots,
        )
        self._report(event.taker_account, position, taker)
        self._report(event.maker_account, position, maker)

    def _book_ended(self, position: int, event: ex.BookClosed | ex.BookSettled) -> None:
        for account, order_ids in self._depth.end(event.symbol).items():
            self._report(account, position, OrdersCancelledUpdate(order_ids, "", kind_of(event)))

    def _of_account(self, position: int, event: _ForAccount) -> None:
        if isinstance(event, ex.AccountOpened):
            self._orders_channel[event.account] = channels.orders_of(event.account)
        self._report(event.account, position, {"type": kind_of(event), **plain(event, "account")})
        if isinstance(event, ex.AccountLapsed):
            del self._orders_channel[event.account]

    # -- markets -------------------------------------------------------------------

    def _stand(self, position: int, event: ex.BalancesChanged | ex.TopsChanged) -> None:
        if isinstance(event, ex.TopsChanged):
            for top in event.tops:
                payload = {
                    "bid": _level(top.bid_ticks, top.bid_lots),
                    "ask": _level(top.ask_ticks, top.ask_lots),
                }
                self._put(channels.market(top.symbol, "top"), "top", position, payload)
            return
        for row in event.balances:
            stands = BalanceUpdate(to_decimal(row.cash_cents), to_decimal(row.reserved_cents))
            self._report(row.account, position, stands)
        for held in event.positions:
            self._report(held.account, position, PositionUpdate(held.symbol, held.lots))

    def _priced(self, position: int, event: pricing.PriceChanged | pricing.PressureChanged) -> None:
        channel = channels.market(event.symbol, "price")
        if isinstance(event, pricing.PressureChanged):
            self._put(channel, "pressure_update", position, plain(event, "cause", "symbol"))
            return
        now = _Prices(
            (event.market_price_e2, event.last_trade_ticks, event.basis), event.final_price_e2
        )
        before = self._prices.get(event.symbol)
        self._prices[event.symbol] = now
        if before is None or before.market != now.market:
            last = event.last_trade_ticks
            payload = {
                "market_price": to_decimal(event.market_price_e2),
                "basis": event.basis,
                "last_trade": None if last is None else PRICES[last],
            }
            self._put(channel, "market_update", position, payload)
        if before is None or before.final != now.final:
            payload = {
                "final_price": to_decimal(event.final_price_e2),
                "market_price": to_decimal(event.market_price_e2),
            }
            self._put(channel, "final_update", position, payload)

    def _of_reality(self, position: int, event: _OfReality) -> None:
        if isinstance(event, reality.Reported):
            symbol, payload = self._scores.report(event)
            channel = channels.market(symbol, "reality")
            self._say(channel, REALITY_UPDATE, position, payload)
        if isinstance(event, reality.Audited):
            self._say(channels.AUDIT, AUDIT_EVENT, position, reality.audited(event))

    def _levels(self, position: int) -> None:
        for symbol in self._depth.take_touched():
            view = self._depth.view(symbol)
            bids, asks = view.refresh()
            if not bids and not asks:
                continue
            sent = self._depth_sent.get(symbol, 0)
            self._depth_sent[symbol] = sent + 1
            behind = sent % FEED_SNAPSHOT_EVERY
            if not behind:
                bids, asks = view.bids_seen, view.asks_seen
            payload = {
                "bids": _rows(bids),
                "asks": _rows(asks),
                "since_snapshot": behind,
            }
            kind = "depth_update" if behind else "snapshot"
            self._put(channels.market(symbol, "depth"), kind, position, payload)

    # -- drafts --------------------------------------------------------------------

    def _append(self, channel: str, kind: str, position: int, name: str, row: Any) -> None:
        """Add a row to the record's one message of this kind on `channel`."""
        key = channel, kind, _MERGED
        draft = self._drafts.get(key)
        if draft is None:
            self._drafts[key] = Draft(channel, kind, position, {name: [row]})
        else:
            draft.payload[name].append(row)

    def _put(self, channel: str, kind: str, position: int, payload: dict[str, Any]) -> None:
        """Say how something stands; what was said before in the same record no longer counts."""
        self._drafts[channel, kind, _MERGED] = Draft(channel, kind, position, payload)

    def _say(self, channel: str, kind: str, position: int, payload: dict[str, Any]) -> None:
        """Give one event a message of its own."""
        self._drafts[channel, kind, position] = Draft(channel, kind, position, payload)


def _level(ticks: int | None, lots: int) -> dict[str, Any] | None:
    return None if ticks is None else {"price": PRICES[ticks], "quantity": lots}


def _rows(levels: Levels) -> list[tuple[str, int]]:
    return [(PRICES[price], lots) for price, lots in levels.items()]
