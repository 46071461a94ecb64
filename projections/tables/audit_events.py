"""audit_events (EM-49): all that the governance engine decided, refusals included, and of
what the reality engine did all that people answer for or should look at.

`body` is the event's exact JSON. It is text and not jsonb, since a signed text may hold
what jsonb cannot.
"""

from typing import Final, get_args

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    TEXT_OR_NULL,
    Projection,
    Row,
    RowPosition,
    Table,
    clean,
    insert,
)
from schemas.codec import encode, tag_of
from schemas.events import governance, reality
from schemas.sources import Source

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
        "source": TEXT_OR_NULL,
        "proposal_hash": TEXT_OR_NULL,
        "body": TEXT,
        "time_ns": BIGINT,
        **CAUSE,
    },
    key=("sequence", "ordinal"),
    indexes=("(cause)", "(symbol, sequence) WHERE symbol IS NOT NULL"),
)
"""`event` is the type of `body`, as `name/version`. `cause` is the signed decision on the log,
or what reality decided about: a measured article, a governance record, a moment.
"""

_OfReality = (
    reality.ReviewOpened
    | reality.ReviewClosed1
    | reality.ReviewClosed
    | reality.ReviewAnswerRefused
    | reality.SourceQuarantined
    | reality.SourceReleased
    | reality.LlmModeChanged
)
_INSERT = insert(TABLE)


def _as_written(event: governance.Event | _OfReality) -> governance.Event | _OfReality:
    """Return an event in the version in which it stands on the log, whose words are kept here."""
    if isinstance(event, reality.ReviewClosed) and event.approved_e2 is None:
        fields = {name: getattr(event, name) for name in reality.ReviewClosed1.__struct_fields__}
        return reality.ReviewClosed1(**fields)
    return event


def _decided(event: governance.Event | _OfReality, at: RowPosition) -> Row:
    event = _as_written(event)
    proposal = getattr(event, "proposal", None)

    def text(name: str) -> str | None:
        value = getattr(event, name, getattr(proposal, name, None))
        if isinstance(value, Source):
            value = value.source
        return None if value is None else clean(value)

    return (
        at.ordinal,
        tag_of(type(event)),
        text("key"),
        text("kind"),
        text("code"),
        text("decision_hash"),
        text("symbol"),
        text("account"),
        text("source"),
        text("proposal_hash"),
        encode(event).decode(),
        at.time_ns,
        event.cause,
        at.sequence,
    )


_KINDS: Final = (*get_args(governance.Event), *get_args(_OfReality))


PROJECTION = Projection(
    "audit_events",
    (TABLE,),
    (_INSERT,),
    lambda: [AppendedInOrder({kind: [(_INSERT, _decided)] for kind in _KINDS})],
)
