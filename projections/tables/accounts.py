"""accounts: who holds which key, and the paper credits of each.

The row of an account that lapsed stays, without credits, until its name is opened again.
"""

from collections.abc import Iterator

from projections.store.collectors import AppendedInOrder, LatestByKey
from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    Projection,
    Row,
    RowPosition,
    Table,
    patch,
    upsert,
)
from schemas.events.exchange import AccountLapsed, AccountOpened, BalancesChanged

TABLE = Table(
    name="accounts",
    columns={
        "account": TEXT,
        "public_key": TEXT,
        "cash_cents": BIGINT,
        "reserved_cents": BIGINT,
        "opened_ns": BIGINT,
        **CAUSE,
        "lapsed_ns": BIGINT,
    },
    key=("account",),
)
"""`cause` is the command that opened the account; `lapsed_ns` is 0 while it is open."""

_OPEN = upsert(TABLE, rare=True)
_LAPSE = patch("lapse", TABLE, ("lapsed_ns",), rare=True)
_BALANCE = patch("balance", TABLE, ("cash_cents", "reserved_cents", "sequence"))


def _opened(event: AccountOpened, at: RowPosition) -> Row:
    return (event.account, event.public_key, 0, 0, at.time_ns, event.cause, at.sequence, 0)


def _lapsed(event: AccountLapsed, at: RowPosition) -> Row:
    return event.account, at.time_ns


def _without_credits(event: AccountOpened | AccountLapsed, at: RowPosition) -> Iterator[Row]:
    yield event.account, 0, 0, at.sequence


def _balances(event: BalancesChanged, at: RowPosition) -> Iterator[Row]:
    for one in event.balances:
        yield one.account, one.cash_cents, one.reserved_cents, at.sequence


PROJECTION = Projection(
    "accounts",
    (TABLE,),
    (_OPEN, _LAPSE, _BALANCE),
    lambda: (
        # no account has a balance before it opens, so openings and lapses may all come first
        AppendedInOrder({AccountOpened: [(_OPEN, _opened)], AccountLapsed: [(_LAPSE, _lapsed)]}),
        LatestByKey(
            _BALANCE,
            {
                AccountOpened: _without_credits,
                BalancesChanged: _balances,
                AccountLapsed: _without_credits,
            },
        ),
    ),
)
