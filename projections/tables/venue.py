"""venue and policies: what was founded, and every policy that it was ever run by."""

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    CAUSE,
    TEXT,
    Projection,
    Row,
    RowPosition,
    Table,
    clean,
    insert,
    upsert,
)
from schemas.codec import encode
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


def _founded(event: VenueFounded, at: RowPosition) -> Row:
    row = (event.venue_id, clean(event.venue), event.root_key, event.notary_key)
    return (*row, at.time_ns, event.cause, at.sequence)


def _first_policy(event: VenueFounded, at: RowPosition) -> Row:
    name, text = clean(event.policy.name), encode(event.policy).decode()
    return (_FIRST_VERSION, name, text, "genesis", at.time_ns, event.cause, at.sequence)


def _policy(event: PolicySet, at: RowPosition) -> Row:
    name, text = clean(event.policy.name), encode(event.policy).decode()
    reason = clean(event.reason)
    return (event.version, name, text, reason, at.time_ns, event.cause, at.sequence)


PROJECTION = Projection(
    "venue",
    (VENUE, POLICIES),
    (_FOUND, _SET),
    lambda: [
        AppendedInOrder(
            {
                VenueFounded: [(_FOUND, _founded), (_SET, _first_policy)],
                PolicySet: [(_SET, _policy)],
            }
        )
    ],
)
