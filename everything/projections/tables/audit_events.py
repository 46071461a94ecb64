"""audit_events (EM-49): everything that the governance engine decided, refusals included.

`body` is the event's exact JSON. It is text and not jsonb, since a signed text may hold
what jsonb cannot.
"""

from collections.abc import Mapping
from typing import Any, get_args

from everything.projections.store.shape import (
    BIGINT,
    CAUSE,
    TEXT,
    TEXT_OR_NULL,
    Change,
    Handler,
    Ordinal,
    Place,
    Projection,
    Table,
    clean,
    insert,
)
from everything.schemas.codec import Message, encode, tag_of
from everything.schemas.events import governance

TABLE = Table(
    name="audit_events",
    columns={
        "ordinal": BIGINT,
        "event": TEXT,
        "key": TEXT_OR_NULL,
        "kind": TEXT_OR_NULL,
        "code": TEXT_OR_NULL,
        "decision_hash": TEXT_OR_NULL,
        "symbol": TEXT_OR_NULL,
        "account": TEXT_OR_NULL,
        "body": TEXT,
        "time_ns": BIGINT,
        **CAUSE,
    },
    key=("sequence", "ordinal"),
    indexes=("(cause)", "(symbol, sequence) WHERE symbol IS NOT NULL"),
)
"""`cause` is the signed decision on the log; `event` the type of `body`, as `name/version`."""

_INSERT = insert(TABLE)


class _Gatherer:
    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._ordinal = Ordinal()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return dict.fromkeys(get_args(governance.Event), self._decided)

    def changes(self) -> list[Change]:
        return [Change(_INSERT, self._rows)]

    def _decided(self, event: governance.Event, at: Place) -> None:
        def text(name: str) -> str | None:
            value = getattr(event, name, None)
            return None if value is None else clean(value)

        self._rows.append(
            (
                self._ordinal.of(at),
                tag_of(type(event)),
                text("key"),
                text("kind"),
                text("code"),
                text("decision_hash"),
                text("symbol"),
                text("account"),
                encode(event).decode(),
                at.time_ns,
                event.cause,
                at.sequence,
            )
        )


PROJECTION = Projection("audit_events", (TABLE,), (_INSERT,), _Gatherer)
