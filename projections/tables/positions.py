"""positions: how many lots an account is long (above zero) or short of a symbol.

A position that was given up stays as a row of 0 lots.
"""

from collections.abc import Mapping
from typing import Any

from projections.store.projection import (
    BIGINT,
    SEQUENCE,
    TEXT,
    Change,
    Handler,
    Place,
    Projection,
    Table,
    upsert,
)
from schemas.codec import Message
from schemas.events.exchange import BalancesChanged

TABLE = Table(
    name="positions",
    columns={"account": TEXT, "symbol": TEXT, "lots": BIGINT, **SEQUENCE},
    key=("account", "symbol"),
)

_UPSERT = upsert(TABLE)


class _Gatherer:
    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], tuple[Any, ...]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {BalancesChanged: self._changed}

    def changes(self) -> list[Change]:
        return [Change(_UPSERT, list(self._rows.values()))]

    def _changed(self, event: BalancesChanged, at: Place) -> None:
        rows, sequence = self._rows, at.sequence
        for position in event.positions:
            account, symbol = position.account, position.symbol
            rows[account, symbol] = (account, symbol, position.lots, sequence)


PROJECTION = Projection("positions", (TABLE,), (_UPSERT,), _Gatherer)
