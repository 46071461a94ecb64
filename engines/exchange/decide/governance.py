"""Decide: what a record of governance means for accounts and books."""

from collections.abc import Iterator

from msgspec.structs import asdict

from engines.exchange.decide.refusals import sayable
from engines.exchange.limits import MAX_CONFLICTED_LISTED, MAX_MINTED_CENTS
from engines.exchange.state import State
from schemas.errors import Refusal
from schemas.events import Event as AnyEvent
from schemas.events.exchange import (
    BookClosed,
    BookHalted,
    BookOpened,
    BookResumed,
    BookSettled,
    CashCredited,
    CreditRefused,
    Event,
    LimitsSet,
    PartChecked,
    ReviewersChecked,
)
from schemas.events.governance import (
    CreditsMinted,
    MarketClosed,
    MarketHalted,
    MarketListed,
    MarketResolved,
    MarketResumed,
    PartApproved,
    PolicySet,
    ReviewAnswered,
    VenueFounded,
)
from schemas.limits import MAX_AMOUNT_CENTS
from schemas.records import Record


def judge(state: State, sequence: int, record: Record) -> Iterator[Event]:
    """Yield what a governance record leads to, each event judged by what those before left."""
    for event in record.events:
        follow = _follow(state, sequence, event)
        if follow is not None:
            yield follow


def _follow(state: State, sequence: int, event: AnyEvent) -> Event | None:
    match event:
        case VenueFounded():
            return LimitsSet(sequence, event.policy.exchange, event.venue_id)
        case PolicySet():
            return LimitsSet(sequence, event.policy.exchange, state.venue_id)
        case CreditsMinted():
            return _credit(state, sequence, event)
        case MarketListed():
            if event.symbol not in state.books:
                return BookOpened(sequence, event.symbol, event.tick_ticks)
        case MarketHalted() | MarketResumed() | MarketClosed() | MarketResolved():
            return _trading(state, sequence, event)
        case ReviewAnswered(approve=True):
            return _check_reviewers(state, sequence, event)
        case _:
            pass
    return None


def _trading(
    state: State,
    sequence: int,
    event: MarketHalted | MarketResumed | MarketClosed | MarketResolved,
) -> Event | None:
    """Return the change of a book's status; the status of a settled book never changes."""
    book = state.books.get(event.symbol)
    if book is None or book.status == "settled":
        return None
    if isinstance(event, MarketResolved):
        return BookSettled(sequence, event.symbol, event.value_ticks)
    if book.status == "closed":
        return None
    if isinstance(event, MarketClosed):
        return BookClosed(sequence, event.symbol)
    if isinstance(event, MarketHalted):
        return BookHalted(sequence, event.symbol)
    return BookResumed(sequence, event.symbol)


def _credit(state: State, sequence: int, event: CreditsMinted) -> Event:
    account, amount = event.account, event.amount_cents
    if account not in state.accounts:
        return CreditRefused(sequence, sayable(account), amount, Refusal.UNKNOWN_ACCOUNT.value)
    if not may_mint(state, amount):
        return CreditRefused(sequence, account, amount, Refusal.AMOUNT_OUT_OF_RANGE.value)
    return CashCredited(sequence, account, amount, "mint")


def _check_reviewers(state: State, sequence: int, answer: ReviewAnswered) -> ReviewersChecked:
    """Return the accounts of those who approved that have an interest in the symbol.

    The search goes over the holders of the symbol: they are fewer than all accounts. The list
    is cut at its bound, because one account blocks an approval as well as many.
    """
    keys = dict.fromkeys(answer.keys)
    book = state.books.get(answer.symbol)
    conflicted = sorted(
        name
        for name, holding in (book.holdings.items() if book is not None else ())
        if holding.account.public_key in keys
        and (holding.lots or holding.buying or holding.selling)
    )
    checked = ReviewersChecked(
        cause=sequence,
        proposal_hash=answer.proposal_hash,
        symbol=answer.symbol,
        reason=answer.reason,
        signers=answer.signers,
        barred=conflicted[:MAX_CONFLICTED_LISTED],
    )
    if isinstance(answer, PartApproved):
        return PartChecked(**asdict(checked), delta_e2=answer.delta_e2)
    return checked


def may_mint(state: State, amount_cents: int) -> bool:
    """Tell whether this much credit may still be minted.

    The bound on all credit keeps every balance of the venue within 64 bits.
    """
    total = state.minted_cents + amount_cents
    return 0 < amount_cents <= MAX_AMOUNT_CENTS and total <= MAX_MINTED_CENTS
