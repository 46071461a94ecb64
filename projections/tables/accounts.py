"""accounts: who holds which key, and the paper credits of each."""

from collections.abc import Mapping
from typing import Any

from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    Change,
    Handler,
    Place,
    Projection,
    Table,
    insert,
    patch,
)
from schemas.codec import Message
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


class _Gatherer:
    """An account opens only once, so a batch's openings may all come first."""

    def __init__(self) -> None:
        self._opened: list[tuple[Any, ...]] = []
        self._balances: dict[str, tuple[Any, ...]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {AccountOpened: self._on_opened, BalancesChanged: self._on_balances}

    def changes(self) -> list[Change]:
        return [
            Change(_OPEN, self._opened),
            Change(_BALANCE, list(self._balances.values())),
        ]

    def _on_opened(self, event: AccountOpened, at: Place) -> None:
        row = (event.account, event.public_key, 0, 0, at.time_ns, event.cause, at.sequence)
        self._opened.append(row)

    def _on_balances(self, event: BalancesChanged, at: Place) -> None:
        rows, sequence = self._balances, at.sequence
        for balance in event.balances:
            account = balance.account
            rows[account] = (account, balance.cash_cents, balance.reserved_cents, sequence)


PROJECTION = Projection("accounts", (TABLE,), (_OPEN, _BALANCE), _Gatherer)
