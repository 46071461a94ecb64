"""decisions: every decision that was good, and those that wait for more people to sign."""

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    CAUSE,
    TEXT,
    TEXT_LIST,
    TEXT_OR_NULL,
    Projection,
    Row,
    RowPosition,
    Statement,
    Table,
    clean,
    patch,
    upsert,
)
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
_SIGN = Statement(
    "decisions_sign",
    TABLE,
    {"decision_hash": TEXT, "key": TEXT, "changed_ns": BIGINT, **CAUSE},
    """
    UPDATE decisions d SET signers = d.signers || s.key, changed_ns = s.changed_ns,
        cause = s.cause, sequence = s.sequence
    FROM stage_decisions_sign s WHERE d.decision_hash = s.decision_hash
    """,
)


def _pending(event: DecisionPending, at: RowPosition) -> Row:
    row = (event.decision_hash, event.kind, "pending", event.key, event.signers)
    waits = (event.signers_needed, event.expires_ns, clean(event.body))
    return (*row, *waits, at.time_ns, event.cause, at.sequence)


def _signed(event: DecisionCoSigned, at: RowPosition) -> Row:
    return (event.decision_hash, event.key, at.time_ns, event.cause, at.sequence)


def _accepted(event: DecisionAccepted, at: RowPosition) -> Row:
    row = (event.decision_hash, event.kind, "accepted", event.key, event.signers)
    return (*row, None, None, None, at.time_ns, event.cause, at.sequence)


def _lapsed(event: DecisionLapsed, at: RowPosition) -> Row:
    return (event.decision_hash, "lapsed", at.time_ns, event.cause, at.sequence)


PROJECTION = Projection(
    "decisions",
    (TABLE,),
    (_PUT, _LAPSE, _SIGN),
    lambda: [
        AppendedInOrder(
            {
                DecisionPending: [(_PUT, _pending)],
                DecisionCoSigned: [(_SIGN, _signed)],
                DecisionAccepted: [(_PUT, _accepted)],
                DecisionLapsed: [(_LAPSE, _lapsed)],
            }
        )
    ],
)
