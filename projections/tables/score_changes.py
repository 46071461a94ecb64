"""score_changes (EM-45): every move of a RealityScore, and what moved it."""

from collections.abc import Mapping
from typing import Any

from projections.store.projection import (
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
from projections.tables.events import event_id
from schemas.codec import Message
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


class _Gatherer:
    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._ordinal = Ordinal()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {ScoreChanged: self._changed}

    def changes(self) -> list[Change]:
        return [Change(_INSERT, self._rows)]

    def _changed(self, event: ScoreChanged, at: Place) -> None:
        self._rows.append(
            (
                self._ordinal.of(at),
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
        )


PROJECTION = Projection("score_changes", (TABLE,), (_INSERT,), _Gatherer)
