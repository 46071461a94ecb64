"""accounts: who holds which key, and the paper credits of each."""

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
    insert,
    patch,
)
from schemas.events.exchange import AccountOpened, BalancesChanged

TABLE = Table(
    name="accounts",
    columns={
        "account": TEXT,
        "public_key": TEXT,
        "cash_cents": BIGINT,
        "reserved_cents": BIGINT,
        "opened_ns": BIGINT,
        **CAUSE,
    },
    key=("account",),
)
"""`cause` is the command that opened the account."""

_OPEN = insert(TABLE)
_BALANCE = patch("balance", TABLE, ("cash_cents", "reserved_cents", "sequence"))


def _opened(event: AccountOpened, at: RowPosition) -> Row:
    return (event.account, event.public_key, 0, 0, at.time_ns, event.cause, at.sequence)


def _balances(event: BalancesChanged, at: RowPosition) -> Iterator[Row]:
    for one in event.balances:
        yield one.account, one.cash_cents, one.reserved_cents, at.sequence


PROJECTION = Projection(
    "accounts",
    (TABLE,),
    (_OPEN, _BALANCE),
    lambda: (
        # an account opens only once, so a batch's openings may all come first
        AppendedInOrder({AccountOpened: [(_OPEN, _opened)]}),
        LatestByKey(_BALANCE, {BalancesChanged: _balances}),
    ),
)
