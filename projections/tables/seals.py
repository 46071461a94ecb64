"""seals: the notary's signed chain hashes, as far as it has sealed the log."""

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
)
from schemas.codec import Message
from schemas.events.notary import Sealed

TABLE = Table(
    name="seals",
    columns={"through": BIGINT, "chain": TEXT, "time_ns": BIGINT, **CAUSE},
    key=("through",),
)

_INSERT = insert(TABLE)


class _Gatherer:
    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {Sealed: self._sealed}

    def changes(self) -> list[Change]:
        return [Change(_INSERT, self._rows)]

    def _sealed(self, event: Sealed, at: Place) -> None:
        self._rows.append((event.through, event.chain, at.time_ns, event.cause, at.sequence))


PROJECTION = Projection("seals", (TABLE,), (_INSERT,), _Gatherer)
