"""venue and policies: what was founded, and every policy that it was ever run by."""

from collections.abc import Mapping

from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    Change,
    Handler,
    InOrder,
    Place,
    Projection,
    Table,
    clean,
    insert,
    upsert,
)
from schemas.codec import Message, encode
from schemas.events.governance import PolicySet, VenueFounded

VENUE = Table(
    name="venue",
    columns={
        "venue_id": TEXT,
        "name": TEXT,
        "root_key": TEXT,
        "notary_key": TEXT,
        "founded_ns": BIGINT,
        **CAUSE,
    },
    key=("venue_id",),
)
POLICIES = Table(
    name="policies",
    columns={
        "version": BIGINT,
        "name": TEXT,
        "policy": TEXT,
        "reason": TEXT,
        "set_ns": BIGINT,
        **CAUSE,
    },
    key=("version",),
)
"""Version 1 is the genesis' own; `policy` is its JSON."""

_FOUND = insert(VENUE)
_SET = upsert(POLICIES)
_FIRST_VERSION = 1


class _Gatherer:
    def __init__(self) -> None:
        self._rows = InOrder()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {VenueFounded: self._founded, PolicySet: self._set}

    def changes(self) -> list[Change]:
        return self._rows.changes()

    def _founded(self, event: VenueFounded, at: Place) -> None:
        tail = (at.time_ns, event.cause, at.sequence)
        self._rows.add(
            _FOUND, (event.venue_id, clean(event.venue), event.root_key, event.notary_key, *tail)
        )
        policy = event.policy
        self._rows.add(
            _SET, (_FIRST_VERSION, clean(policy.name), encode(policy).decode(), "genesis", *tail)
        )

    def _set(self, event: PolicySet, at: Place) -> None:
        policy = event.policy
        words = (clean(policy.name), encode(policy).decode(), clean(event.reason))
        self._rows.add(_SET, (event.version, *words, at.time_ns, event.cause, at.sequence))


PROJECTION = Projection("venue", (VENUE, POLICIES), (_FOUND, _SET), _Gatherer)
