"""Which history there is, of which version, and which one is read.

The schema `history` says what each `history_<k>` is made of; the newest row of
`history.switches` names the one that is read. Nothing is migrated: code of another version
begins a history of its own from the log's first message, beside the one that is read, and
that is switched to, which is recorded, once it has caught up.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from projections.history.versions import (
    PROGRESS,
    history_ddl,
    history_digest,
    history_schema,
    views_schema,
)
from projections.limits import HISTORIES_KEPT
from projections.store.postgres import Connection, transaction, typed_errors
from projections.store.projection import Projection
from projections.store.registry import ModelRegistry
from projections.store.versions import ModelFamily, Versions, find_versions

HISTORY: Final = ModelRegistry("history")

_MAKING: Final = 0x45564D03
"""Advisory lock under which histories are made and switched."""


class LiveHistory(NamedTuple):
    """The history that is read, and the number of the switch that made it so."""

    model: int
    digest: str
    switch: int

    @property
    def schema(self) -> str:
        return history_schema(self.model)

    @property
    def views(self) -> str:
        return views_schema(self.model)


_HISTORIES: Final = ModelFamily(HISTORY, PROGRESS, history_schema(0).removesuffix("0"))


async def find_history_versions(
    connection: Connection, projections: Sequence[Projection]
) -> Versions:
    """Return the versions of the histories."""
    return await find_versions(connection, _HISTORIES, history_digest(projections))


async def ensure_history(connection: Connection, projections: Sequence[Projection]) -> int:
    """Return the number of the newest history of this version; make one if there is none."""
    digest_ = history_digest(projections)
    with typed_errors("look for the history"):
        async with transaction(connection):
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _MAKING)
            if not await HISTORY.exists(connection):
                await HISTORY.make(connection)
            row = await connection.fetchrow(
                "SELECT number FROM history.models WHERE digest = $1 AND state <> 'dropped' "
                "ORDER BY number DESC LIMIT 1",
                digest_,
            )
            return await _make(connection, projections, digest_) if row is None else int(row[0])


async def _make(connection: Connection, projections: Sequence[Projection], digest_: str) -> int:
    number = await HISTORY.add(connection, digest_)
    for statement in history_ddl(number, projections):
        await connection.execute(statement)
    return number


async def switch_history(connection: Connection, number: int, sequence: int) -> bool:
    """Make `number` the history that is read, if it is not; tell whether it was not.

    Those before it are dropped, all but HISTORIES_KEPT.
    """
    with typed_errors("switch the history"):
        async with transaction(connection):
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _MAKING)
            live = await HISTORY.live(connection)
            if live is not None and live["model"] == number:
                return False
            await HISTORY.finish(connection, number)
            await HISTORY.record_switch(connection, number, "caught up", sequence)
            await _drop_old(connection, number)
    return True


async def _drop_old(connection: Connection, number: int) -> None:
    rows = await connection.fetch(
        "SELECT m.number FROM history.models m LEFT JOIN history.switches s "
        "ON s.model = m.number WHERE m.state <> 'dropped' AND m.number <> $1 "
        "GROUP BY m.number ORDER BY max(s.number) DESC NULLS LAST, m.number DESC",
        number,
    )
    for (old,) in rows[HISTORIES_KEPT - 1 :]:
        await HISTORY.drop(connection, old, views_schema(old), history_schema(old))
