"""seals: the notary's signed chain hashes, as far as it has sealed the log."""

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    Projection,
    Row,
    RowPosition,
    Table,
    insert,
)
from schemas.events.notary import Sealed

TABLE = Table(
    name="seals",
    columns={"through": BIGINT, "chain": TEXT, "time_ns": BIGINT, **CAUSE},
    key=("through",),
)

_INSERT = insert(TABLE)


def _sealed(event: Sealed, at: RowPosition) -> Row:
    return (event.through, event.chain, at.time_ns, event.cause, at.sequence)


PROJECTION = Projection(
    "seals",
    (TABLE,),
    (_INSERT,),
    lambda: [AppendedInOrder({Sealed: [(_INSERT, _sealed)]})],
)
