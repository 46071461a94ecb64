"""credits: paper credits that came or went, and every signed mint that came to nothing."""

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    Projection,
    Row,
    RowPosition,
    Table,
    clean,
    insert,
)
from schemas.events.exchange import CashCredited, CashReturned, CreditRefused

TABLE = Table(
    name="credits",
    columns={
        "ordinal": BIGINT,
        "account": TEXT,
        "amount_cents": BIGINT,
        "reason": TEXT,
        "refused": TEXT,
        "time_ns": BIGINT,
        **CAUSE,
    },
    key=("sequence", "ordinal"),
    indexes=("(account, sequence)",),
)
"""`ordinal` counts the credits within a record: one governance record may mint many.

`refused` is empty, or the `Refusal` for which nothing was credited. `cause` is the
record of the decision to mint, or the command that opened the account. What goes is a negative
amount.
"""

_INSERT = insert(TABLE)


def _credited(event: CashCredited, at: RowPosition) -> Row:
    row = (at.ordinal, event.account, event.amount_cents, event.reason, "")
    return (*row, at.time_ns, event.cause, at.sequence)


def _returned(event: CashReturned, at: RowPosition) -> Row:
    row = (at.ordinal, event.account, -event.amount_cents, event.reason, "")
    return (*row, at.time_ns, event.cause, at.sequence)


def _refused(event: CreditRefused, at: RowPosition) -> Row:
    row = (at.ordinal, clean(event.account), event.amount_cents, "mint", event.code)
    return (*row, at.time_ns, event.cause, at.sequence)


PROJECTION = Projection(
    "credits",
    (TABLE,),
    (_INSERT,),
    lambda: [
        AppendedInOrder(
            {
                CashCredited: [(_INSERT, _credited)],
                CashReturned: [(_INSERT, _returned)],
                CreditRefused: [(_INSERT, _refused)],
            }
        )
    ],
)
