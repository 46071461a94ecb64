"""score_changes (EM-45): every move of a RealityScore, and what moved it."""

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
from projections.tables.events import event_id
from schemas.events.reality import ScoreChanged

TABLE = Table(
    name="score_changes",
    columns={
        "ordinal": BIGINT,
        "symbol": TEXT,
        "event_id": TEXT,
        "cluster": BIGINT,
        "article": BIGINT,
        "source": TEXT,
        "old_score_e2": BIGINT,
        "new_score_e2": BIGINT,
        "delta_e2": BIGINT,
        "confidence_bp": BIGINT,
        "proposal_hash": TEXT_OR_NULL,
        "time_ns": BIGINT,
        **CAUSE,
    },
    key=("sequence", "ordinal"),
    indexes=("(symbol, sequence, ordinal)", "(event_id)"),
)
"""`proposal_hash` is the review by which a person let the move happen, null without one."""

_INSERT = insert(TABLE)


def _changed(event: ScoreChanged, at: RowPosition) -> Row:
    return (
        at.ordinal,
        event.symbol,
        event_id(event.cluster, event.symbol),
        event.cluster,
        event.article,
        clean(event.source),
        event.old_score_e2,
        event.new_score_e2,
        event.delta_e2,
        event.confidence_bp,
        event.review or None,
        at.time_ns,
        event.cause,
        at.sequence,
    )


PROJECTION = Projection(
    "score_changes",
    (TABLE,),
    (_INSERT,),
    lambda: [AppendedInOrder({ScoreChanged: [(_INSERT, _changed)]})],
)
