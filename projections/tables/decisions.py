"""decisions: every decision that was good, and those that wait for more people to sign."""

from collections.abc import Mapping

from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    CAUSE,
    TEXT,
    TEXT_LIST,
    TEXT_OR_NULL,
    Change,
    Handler,
    InOrder,
    Place,
    Projection,
    Step,
    Table,
    clean,
    patch,
    upsert,
)
from schemas.codec import Message
from schemas.events.governance import (
    DecisionAccepted,
    DecisionCoSigned,
    DecisionLapsed,
    DecisionPending,
)

TABLE = Table(
    name="decisions",
    columns={
        "decision_hash": TEXT,
        "kind": TEXT,
        "status": TEXT,
        "key": TEXT,
        "signers": TEXT_LIST,
        "signers_needed": BIGINT_OR_NULL,
        "expires_ns": BIGINT_OR_NULL,
        "body": TEXT_OR_NULL,
        "changed_ns": BIGINT,
        **CAUSE,
    },
    key=("decision_hash",),
    indexes=("(sequence)", "(sequence) WHERE status = 'pending'"),
)
"""`status` is pending, accepted or lapsed; `body` the signed text of one that had to wait.

Two people may sign the very same text; the row is then about the later one.
"""

_PUT = upsert(TABLE, sparse=True)
_LAPSE = patch("lapse", TABLE, ("status", "changed_ns", "cause", "sequence"))
_SIGN = Step(
    "decisions_sign",
    TABLE,
    {"decision_hash": TEXT, "key": TEXT, "changed_ns": BIGINT, **CAUSE},
    """
    UPDATE decisions d SET signers = d.signers || s.key, changed_ns = s.changed_ns,
        cause = s.cause, sequence = s.sequence
    FROM stage_decisions_sign s WHERE d.decision_hash = s.decision_hash
    """,
)


class _Gatherer:
    def __init__(self) -> None:
        self._rows = InOrder()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            DecisionPending: self._pending,
            DecisionCoSigned: self._signed,
            DecisionAccepted: self._accepted,
            DecisionLapsed: self._lapsed,
        }

    def changes(self) -> list[Change]:
        return self._rows.changes()

    def _pending(self, event: DecisionPending, at: Place) -> None:
        row = (event.decision_hash, event.kind, "pending", event.key, event.signers)
        waits = (event.signers_needed, event.expires_ns, clean(event.body))
        self._rows.add(_PUT, (*row, *waits, at.time_ns, event.cause, at.sequence))

    def _signed(self, event: DecisionCoSigned, at: Place) -> None:
        row = (event.decision_hash, event.key, at.time_ns, event.cause, at.sequence)
        self._rows.add(_SIGN, row)

    def _accepted(self, event: DecisionAccepted, at: Place) -> None:
        row = (event.decision_hash, event.kind, "accepted", event.key, event.signers)
        self._rows.add(_PUT, (*row, None, None, None, at.time_ns, event.cause, at.sequence))

    def _lapsed(self, event: DecisionLapsed, at: Place) -> None:
        row = (event.decision_hash, "lapsed", at.time_ns, event.cause, at.sequence)
        self._rows.add(_LAPSE, row)


PROJECTION = Projection("decisions", (TABLE,), (_PUT, _LAPSE, _SIGN), _Gatherer)
