"""score_changes (EM-45): every move of a RealityScore, and what moved it."""

from typing import Final

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
from schemas.events.reality import ScoreChanged, ScoreTakenBack

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
        "taken_back": TEXT,
        "time_ns": BIGINT,
        **CAUSE,
    },
    key=("sequence", "ordinal"),
    indexes=("(symbol, sequence, ordinal)", "(event_id)"),
)
"""`proposal_hash` is the review by which a person let the move happen, null without one.

`taken_back` is why earlier moves of the story were undone (retracted, corrected, replaced or
refused), empty for a move of its own; `source` is whose they were.
"""

_INSERT = insert(TABLE)
_KINDS: Final = (ScoreChanged, ScoreTakenBack)


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
        event.reason if isinstance(event, ScoreTakenBack) else "",
        at.time_ns,
        event.cause,
        at.sequence,
    )


PROJECTION = Projection(
    "score_changes",
    (TABLE,),
    (_INSERT,),
    lambda: [AppendedInOrder({kind: [(_INSERT, _changed)] for kind in _KINDS})],
)
