"""credits: every creation of paper credits, and every signed mint that came to nothing."""

from collections.abc import Mapping
from typing import Any

from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    Change,
    Handler,
    Ordinal,
    Place,
    Projection,
    Table,
    clean,
    insert,
)
from schemas.codec import Message
from schemas.events.exchange import CashCredited, CreditRefused

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
record of the decision to mint, or the command that opened the account.
"""

_INSERT = insert(TABLE)


class _Gatherer:
    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._ordinal = Ordinal()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {CashCredited: self._credited, CreditRefused: self._refused}

    def changes(self) -> list[Change]:
        return [Change(_INSERT, self._rows)]

    def _credited(self, event: CashCredited, at: Place) -> None:
        self._add(event.account, event.amount_cents, event.reason, "", event.cause, at)

    def _refused(self, event: CreditRefused, at: Place) -> None:
        self._add(clean(event.account), event.amount_cents, "mint", event.code, event.cause, at)

    def _add(
        self, account: str, amount: int, reason: str, refused: str, cause: int, at: Place
    ) -> None:
        ordinal = self._ordinal.of(at)
        self._rows.append(
            (ordinal, account, amount, reason, refused, at.time_ns, cause, at.sequence)
        )


PROJECTION = Projection("credits", (TABLE,), (_INSERT,), _Gatherer)
