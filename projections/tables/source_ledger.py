"""source_ledger: what each source moved, of each symbol and on each day of UTC.

Runs after `reviews`, from which it takes whose a refused move was.
"""

from collections.abc import Mapping
from typing import Any, Final

from projections.store.projection import (
    BIGINT,
    SEQUENCE,
    TEXT,
    Change,
    Handler,
    Projection,
    RowPosition,
    Statement,
    Table,
    clean,
)
from schemas.codec import Message
from schemas.events.reality import MoveCut, ReviewClosed, ScoreChanged, ScoreTakenBack
from schemas.units import DAY_NS

_SUMS: Final = {
    "unsigned_moves": BIGINT,
    "unsigned_e2": BIGINT,
    "unsigned_size_e2": BIGINT,
    "approved_e2": BIGINT,
    "refused_e2": BIGINT,
    "taken_back_e2": BIGINT,
    "cuts": BIGINT,
}

TABLE = Table(
    name="source_ledger",
    columns={"source": TEXT, "symbol": TEXT, "day": BIGINT, **_SUMS, **SEQUENCE},
    key=("source", "symbol", "day"),
    indexes=("(source, day, symbol)",),
)
"""`day` is counted from 1970. Moves are charged to the source of the article that caused them.
`unsigned_size_e2` adds both directions up, as caps do; the other points have signs.
`refused_e2` was proposed, and rejected, expired, or left out of what was approved. `cuts` counts
moves that were cut by a cap. What is in the score is unsigned + approved + taken back.
"""

_NAMES: Final = ", ".join(TABLE.columns)
_ADDED: Final = ", ".join(f"{name} = l.{name} + excluded.{name}" for name in _SUMS)
_ON_CONFLICT: Final = f"""
    ON CONFLICT (source, symbol, day) DO UPDATE SET {_ADDED},
        sequence = greatest(l.sequence, excluded.sequence)
"""
_ADD = Statement(
    "source_ledger_add",
    TABLE,
    TABLE.columns,
    f"""
    INSERT INTO source_ledger AS l ({_NAMES}) SELECT {_NAMES} FROM stage_source_ledger_add
    {_ON_CONFLICT}
    """,
    rare=True,
)
_REFUSED: Final = {"proposal_hash": TEXT, "day": BIGINT, "approved_e2": BIGINT, **SEQUENCE}
_REFUSE = Statement(
    "source_ledger_refuse",
    TABLE,
    _REFUSED,
    f"""
    INSERT INTO source_ledger AS l ({_NAMES})
    SELECT r.charged, r.symbol, s.day, {
        ", ".join(
            "CAST(sum(r.delta_e2 - s.approved_e2) AS bigint)" if name == "refused_e2" else "0"
            for name in _SUMS
        )
    }, max(s.sequence)
    FROM stage_source_ledger_refuse s JOIN reviews r ON r.proposal_hash = s.proposal_hash
    GROUP BY r.charged, r.symbol, s.day
    {_ON_CONFLICT}
    """,
    exact=False,
    rare=True,
)


class _Ledger:
    """Adds up what a batch says of each source, symbol and day."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, int], dict[str, int]] = {}
        self._refused: list[tuple[Any, ...]] = []

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            ScoreChanged: self._on_changed,
            ScoreTakenBack: self._on_taken_back,
            MoveCut: self._on_cut,
            ReviewClosed: self._on_closed,
        }

    def changes(self) -> list[Change]:
        rows = [(*key, *sums.values()) for key, sums in self._rows.items()]
        return [Change(_ADD, rows), Change(_REFUSE, self._refused)]

    def _row(self, event: ScoreChanged | MoveCut, at: RowPosition) -> dict[str, int]:
        key = (clean(event.source), event.symbol, at.time_ns // DAY_NS)
        row = self._rows.setdefault(key, {**dict.fromkeys(_SUMS, 0), "sequence": 0})
        row["sequence"] = at.sequence
        return row

    def _on_changed(self, event: ScoreChanged, at: RowPosition) -> None:
        row = self._row(event, at)
        if event.review:
            row["approved_e2"] += event.delta_e2
        else:
            row["unsigned_moves"] += 1
            row["unsigned_e2"] += event.delta_e2
            row["unsigned_size_e2"] += abs(event.delta_e2)

    def _on_taken_back(self, event: ScoreTakenBack, at: RowPosition) -> None:
        self._row(event, at)["taken_back_e2"] += event.delta_e2

    def _on_cut(self, event: MoveCut, at: RowPosition) -> None:
        self._row(event, at)["cuts"] += 1

    def _on_closed(self, event: ReviewClosed, at: RowPosition) -> None:
        approved = event.outcome == "approved"
        if event.outcome == "withdrawn" or (approved and event.approved_e2 is None):
            return  # nobody refused anything
        refused = (event.proposal_hash, at.time_ns // DAY_NS, event.approved_e2 or 0, at.sequence)
        self._refused.append(refused)


PROJECTION = Projection("source_ledger", (TABLE,), (_ADD, _REFUSE), lambda: [_Ledger()])
