"""keys: who may sign decisions, and in which role."""

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    CAUSE,
    TEXT,
    TEXT_OR_NULL,
    Projection,
    Row,
    RowPosition,
    Statement,
    Table,
    clean,
    insert,
    patch,
)
from schemas.events.governance import KeyEnrolled, KeyRevoked, KeyRotated, RoleGranted

TABLE = Table(
    name="keys",
    columns={
        "key": TEXT,
        "holder": TEXT,
        "role": TEXT,
        "status": TEXT,
        "lapses_ns": BIGINT_OR_NULL,
        "successor": TEXT_OR_NULL,
        "enrolled_ns": BIGINT,
        **CAUSE,
    },
    key=("key",),
)
"""`status` is active, rotated (accepted until `lapses_ns`) or revoked."""

_ENROL = insert(TABLE)
_ROLE = patch("role", TABLE, ("role", "cause", "sequence"))
_REVOKE = patch("revoke", TABLE, ("status", "cause", "sequence"))
_ROTATE = patch("rotate", TABLE, ("status", "lapses_ns", "successor", "cause", "sequence"))
_SUCCEED = Statement(
    "keys_succeed",
    TABLE,
    {"key": TEXT, "old_key": TEXT, "enrolled_ns": BIGINT, **CAUSE},
    """
    INSERT INTO keys (key, holder, role, status, enrolled_ns, cause, sequence)
    SELECT s.key, k.holder, k.role, 'active', s.enrolled_ns, s.cause, s.sequence
    FROM stage_keys_succeed s JOIN keys k ON k.key = s.old_key
    """,
)


def _enrolled(event: KeyEnrolled, at: RowPosition) -> Row:
    row = (event.key, clean(event.holder), event.role, "active", None, None, at.time_ns)
    return (*row, event.cause, at.sequence)


def _granted(event: RoleGranted, at: RowPosition) -> Row:
    return (event.key, event.role, event.cause, at.sequence)


def _succeeded(event: KeyRotated, at: RowPosition) -> Row:
    return (event.new_key, event.old_key, at.time_ns, event.cause, at.sequence)


def _rotated(event: KeyRotated, at: RowPosition) -> Row:
    row = (event.old_key, "rotated", event.lapses_ns, event.new_key)
    return (*row, event.cause, at.sequence)


def _revoked(event: KeyRevoked, at: RowPosition) -> Row:
    return (event.key, "revoked", event.cause, at.sequence)


PROJECTION = Projection(
    "keys",
    (TABLE,),
    (_ENROL, _ROLE, _REVOKE, _ROTATE, _SUCCEED),
    lambda: [
        AppendedInOrder(
            {
                KeyEnrolled: [(_ENROL, _enrolled)],
                RoleGranted: [(_ROLE, _granted)],
                KeyRotated: [(_SUCCEED, _succeeded), (_ROTATE, _rotated)],
                KeyRevoked: [(_REVOKE, _revoked)],
            }
        )
    ],
)
