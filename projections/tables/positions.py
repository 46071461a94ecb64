"""positions: how many lots an account is long (above zero) or short of a symbol.

A position that was given up stays as a row of 0 lots.
"""

from collections.abc import Iterator

from projections.store.collectors import LatestByKey
from projections.store.projection import (
    BIGINT,
    SEQUENCE,
    TEXT,
    Projection,
    Row,
    RowPosition,
    Table,
    upsert,
)
from schemas.events.exchange import BalancesChanged

TABLE = Table(
    name="positions",
    columns={"account": TEXT, "symbol": TEXT, "lots": BIGINT, **SEQUENCE},
    key=("account", "symbol"),
)

_UPSERT = upsert(TABLE)


def _positions(event: BalancesChanged, at: RowPosition) -> Iterator[Row]:
    for one in event.positions:
        yield one.account, one.symbol, one.lots, at.sequence


PROJECTION = Projection(
    "positions",
    (TABLE,),
    (_UPSERT,),
    lambda: [LatestByKey(_UPSERT, {BalancesChanged: _positions})],
)
