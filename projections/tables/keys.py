"""keys: who may sign decisions, and in which role."""

from collections.abc import Mapping

from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    CAUSE,
    TEXT,
    TEXT_OR_NULL,
    Change,
    Handler,
    InOrder,
    Place,
    Projection,
    Step,
    Table,
    clean,
    insert,
    patch,
)
from schemas.codec import Message
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
_SUCCEED = Step(
    "keys_succeed",
    TABLE,
    {"key": TEXT, "old_key": TEXT, "enrolled_ns": BIGINT, **CAUSE},
    """
    INSERT INTO keys (key, holder, role, status, enrolled_ns, cause, sequence)
    SELECT s.key, k.holder, k.role, 'active', s.enrolled_ns, s.cause, s.sequence
    FROM stage_keys_succeed s JOIN keys k ON k.key = s.old_key
    """,
)


class _Gatherer:
    def __init__(self) -> None:
        self._rows = InOrder()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            KeyEnrolled: self._enrolled,
            RoleGranted: self._granted,
            KeyRotated: self._rotated,
            KeyRevoked: self._revoked,
        }

    def changes(self) -> list[Change]:
        return self._rows.changes()

    def _enrolled(self, event: KeyEnrolled, at: Place) -> None:
        row = (event.key, clean(event.holder), event.role, "active", None, None, at.time_ns)
        self._rows.add(_ENROL, (*row, event.cause, at.sequence))

    def _granted(self, event: RoleGranted, at: Place) -> None:
        self._rows.add(_ROLE, (event.key, event.role, event.cause, at.sequence))

    def _rotated(self, event: KeyRotated, at: Place) -> None:
        tail = (event.cause, at.sequence)
        self._rows.add(_SUCCEED, (event.new_key, event.old_key, at.time_ns, *tail))
        self._rows.add(_ROTATE, (event.old_key, "rotated", event.lapses_ns, event.new_key, *tail))

    def _revoked(self, event: KeyRevoked, at: Place) -> None:
        self._rows.add(_REVOKE, (event.key, "revoked", event.cause, at.sequence))


PROJECTION = Projection("keys", (TABLE,), (_ENROL, _ROLE, _REVOKE, _ROTATE, _SUCCEED), _Gatherer)
