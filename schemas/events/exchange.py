"""What the exchange engine decides: accounts, orders, trades, balances, books.

Each command has exactly one outcome with its sequence as `cause`: OrderPlaced or
OrderRejected for each order in it, OrdersCancelled, AccountOpened, or CommandRefused.
Everything else is a consequence.
"""

from typing import Literal

import msgspec

from schemas.codec import Message
from schemas.commands import OrderType, Side, TimeInForce
from schemas.policy import ExchangePolicy

CancelReason = Literal["", "ioc", "no_liquidity", "self_trade", "match_limit"]
"""Why a placed order's remainder did not rest; empty when nothing was cancelled."""


class AccountOpened(Message, tag="account_opened/1", frozen=True):
    cause: int
    account: str
    public_key: str


class CashCredited(Message, tag="cash_credited/1", frozen=True):
    """Paper credits came into being in an account."""

    cause: int
    account: str
    amount_cents: int
    reason: Literal["mint", "signup_grant"]


class CashReturned(Message, tag="cash_returned/1", frozen=True):
    """Paper credits that were granted and never used went out of being."""

    cause: int
    account: str
    amount_cents: int
    reason: Literal["lapsed"]


class AccountLapsed(Message, tag="account_lapsed/1", frozen=True):
    """An account that was never used is no more, and its name is free for a new opening.

    Credits that it was granted have gone before, by CashReturned.
    """

    cause: int
    account: str


class LapseScheduled(Message, tag="lapse_scheduled/1", frozen=True):
    """The accounts unused so far lapse at `lapse_ns`, if they are unused then."""

    cause: int
    lapse_ns: int


class CreditRefused(Message, tag="credit_refused/1", frozen=True):
    """A signed mint could not be carried out; `code` is a `Refusal`."""

    cause: int
    account: str
    amount_cents: int
    code: str


class LimitsSet(Message, tag="limits_set/1", frozen=True):
    """The bounds that hold from now on, and the venue for which accounts are opened."""

    cause: int
    policy: ExchangePolicy
    venue_id: str


class BookOpened(Message, tag="book_opened/1", frozen=True):
    cause: int
    symbol: str
    tick_ticks: int


class BookHalted(Message, tag="book_halted/1", frozen=True):
    cause: int
    symbol: str


class BookResumed(Message, tag="book_resumed/1", frozen=True):
    cause: int
    symbol: str


class BookClosed(Message, tag="book_closed/1", frozen=True):
    """Trading has ended; every order that rested in this book is cancelled by this event."""

    cause: int
    symbol: str


class BookSettled(Message, tag="book_settled/1", frozen=True):
    """Every long lot was paid `value_ticks`, every short lot the rest of par; positions are 0.

    Orders that still rested are cancelled by this event.
    """

    cause: int
    symbol: str
    value_ticks: int


class OrderPlaced(Message, tag="order_placed/1", frozen=True):
    """An order was taken. quantity = filled + resting + cancelled.

    The trades that filled it follow, with the same cause. `self_trade_order_id` is the
    account's own resting order that it met, when `cancel_reason` is self_trade.
    """

    cause: int
    order_id: int
    account: str
    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price_ticks: int | None
    quantity_lots: int
    filled_lots: int
    resting_lots: int
    cancelled_lots: int
    cancel_reason: CancelReason
    self_trade_order_id: int | None


class OrderRejected(Message, tag="order_rejected/1", frozen=True):
    """An order was not taken, and why (`code` is a `Refusal`).

    `duplicate_of` is the order id that the same client order id had before.
    """

    cause: int
    order_id: int
    account: str
    client_order_id: str
    symbol: str
    code: str
    duplicate_of: int | None


class Traded(Message, tag="traded/1", frozen=True):
    """`quantity_lots` changed hands at the maker's price. `trade_id` is dense from 1."""

    cause: int
    trade_id: int
    symbol: str
    price_ticks: int
    quantity_lots: int
    taker_side: Side
    taker_order_id: int
    taker_account: str
    maker_order_id: int
    maker_account: str
    maker_resting_lots: int
    """What is left of the maker's order in the book."""


class OrdersCancelled(Message, tag="orders_cancelled/1", frozen=True):
    """Resting orders of one account were taken out at its request; possibly none."""

    cause: int
    account: str
    client_id: str
    order_ids: list[int]


class CommandRefused(Message, tag="command_refused/1", frozen=True):
    """A command that is not a single order was not carried out, or could not be read."""

    cause: int
    account: str
    client_id: str
    code: str
    detail: str


class IdsForgotten(Message, tag="ids_forgotten/1", frozen=True):
    """Client ids of commands that are by now too old to be accepted were dropped.

    `remember_until_ns` is when the next generation will be dropped.
    """

    cause: int
    remember_until_ns: int


class Balance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`[account, cash_cents, reserved_cents]`; reserved backs resting orders."""

    account: str
    cash_cents: int
    reserved_cents: int


class Position(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`[account, symbol, lots]`: long above zero, short below."""

    account: str
    symbol: str
    lots: int


class BalancesChanged(Message, tag="balances_changed/1", frozen=True):
    """How every account that this record touched stands at its end.

    At most MAX_BALANCE_ROWS of each; what does not fit follows in the next record.
    """

    cause: int
    balances: list[Balance]
    positions: list[Position]


class Top(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`[symbol, bid_ticks, bid_lots, ask_ticks, ask_lots]`; an empty side is null and 0."""

    symbol: str
    bid_ticks: int | None
    bid_lots: int
    ask_ticks: int | None
    ask_lots: int


class TopsChanged(Message, tag="tops_changed/1", frozen=True):
    """The best prices, at the record's end, of every book whose best prices it touched.

    At most MAX_BALANCE_ROWS; what does not fit follows in the next record.
    """

    cause: int
    tops: list[Top]


class ReviewersChecked(Message, tag="reviewers_checked/1", frozen=True):
    """The conflicts of interest among those who approved a move, found for reality.

    `barred` names their accounts that hold the symbol or have orders in it; it is empty if
    there is no conflict. The event repeats the approval's fields, so that the reality engine
    applies it without looking at another message.
    """

    cause: int
    proposal_hash: str
    symbol: str
    reason: str
    signers: list[str]
    barred: list[str]


class PartChecked(ReviewersChecked, tag="part_checked/1", frozen=True):
    """The conflicts of interest among those who approved `delta_e2` of a proposed move."""

    delta_e2: int


Event = (
    OrderPlaced
    | Traded
    | OrdersCancelled
    | OrderRejected
    | CommandRefused
    | BalancesChanged
    | TopsChanged
    | AccountOpened
    | AccountLapsed
    | LapseScheduled
    | CashCredited
    | CashReturned
    | CreditRefused
    | LimitsSet
    | BookOpened
    | BookHalted
    | BookResumed
    | BookClosed
    | BookSettled
    | IdsForgotten
    | ReviewersChecked
    | PartChecked
)
