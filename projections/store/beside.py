"""Read models of this version, built beside live ones that another release made.

Nothing is migrated. The live tables stand still, since only the code that made them can write
them, and are read meanwhile. A model of this version is made from the log's first message to
exactly where the live one stands, so that the two can be compared. It goes live when a person
says so; the other release's model stays for the way back.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import structlog

from projections.limits import BESIDE_LOOK_S
from projections.store.checkpoint import check_past
from projections.store.hashes import hash_model
from projections.store.model import read_checkpoint
from projections.store.postgres import Connection, connect, disconnect, transaction, typed_errors
from projections.store.projection import Projection
from projections.store.rebuild import (
    Builder,
    Progress,
    TableReport,
    compare_tables,
    drop_old,
    only_rebuild,
    rollback,
)
from projections.store.schemas import CONTROL, Live, hold_switches, make_model
from projections.store.sessions import StoreSessions
from projections.store.versions import UPGRADER, ModelStatus, Versions, find_table_versions
from projections.tables import PROJECTIONS
from schemas.errors import SchemaDrift, StoreUnavailable
from streams.log.ports import Log

_logger = structlog.get_logger(service="projector")
_SWITCHED: Final = "upgrade"
_WENT_BACK: Final = "upgrade rolled back"


class _NothingToBuild(Exception):
    """The live read model is of this version, or there is none."""


class BesideBuilder:
    """Builds what is missing, and then waits until it is live."""

    def __init__(
        self, log: Log, dsn: str, *, projections: Sequence[Projection] = PROJECTIONS
    ) -> None:
        self._log = log
        self._dsn = dsn
        self._projections = projections
        self._sessions = StoreSessions(dsn, f"upgrade {log.shard}", _logger)
        self._versions: Versions | None = None
        self._progress = Progress(0, 0, 0)

    def status(self) -> dict[str, Any]:
        """Return how far it is, for health reports."""
        own = self._versions.own if self._versions else None
        return {
            "phase": "built beside" if own and own.state == "ready" else "building beside",
            "model": own.model if own else None,
            "sequence": self._progress.sequence,
            "events": self._progress.events,
            "store_failures": self._sessions.failures,
        }

    async def run(self) -> None:
        """Return when the live read model is of this version.

        Raises as a rebuild does for a log that is not the one that was projected, and
        StoreUnavailable when Postgres stays away, or is rebuilt by another, for STORE_ATTEMPTS.
        """
        try:
            await self._sessions.run(self._session)
        except _NothingToBuild:
            return

    async def is_needed(self) -> bool:
        """Tell whether another release made the tables that are read."""
        return (await table_versions(self._dsn, self._projections)).needs_upgrade

    async def _session(self, connection: Connection) -> None:
        while True:
            self._versions = versions = await find_table_versions(connection, self._projections)
            if versions.live is None or not versions.needs_upgrade:
                raise _NothingToBuild
            if versions.is_built:
                await asyncio.sleep(BESIDE_LOOK_S)
                continue
            await self._build(versions.live, versions.own)
            self._sessions.succeeded()

    async def _build(self, live: ModelStatus, own: ModelStatus | None) -> None:
        """Build up to where `live` stands; go on where an earlier builder was interrupted."""
        async with only_rebuild(self._dsn, keep=own.model if own else None) as control:
            await check_past(self._log, await read_checkpoint(control, live.model), None)
            with typed_errors("make a read model beside the live one"):
                number = own.model if own else await make_model(control, self._projections)
            _logger.info("building beside", model=number, live=live.schema, target=live.sequence)
            builder = await Builder.open(
                self._log, self._dsn, number, self._projections, self._note, writer=UPGRADER
            )
            try:
                await builder.build(live.sequence)
                await builder.analyze(self._projections)
            finally:
                await builder.close()
            with typed_errors("finish the read model"):
                await CONTROL.finish(control, number)
        _logger.info("built beside", model=number, live=live.schema)

    def _note(self, progress: Progress) -> None:
        self._progress = progress


class UpgradeReport(NamedTuple):
    """The tables of both releases at one sequence, and whether this one's are live now.

    `tables` is empty where the two stand at different sequences: then nothing can be compared.
    """

    tables: list[TableReport]
    switched: bool

    @property
    def differing(self) -> list[str]:
        """The tables that say something else than those of the other release."""
        return [one.name for one in self.tables if one.verdict == "different"]


async def table_versions(dsn: str, projections: Sequence[Projection] = PROJECTIONS) -> Versions:
    """Return the versions of the read models, asked over a connection of its own."""
    connection = await connect(dsn, "upgrade")
    try:
        return await find_table_versions(connection, projections)
    finally:
        await disconnect(connection)


async def compare_beside(
    dsn: str, projections: Sequence[Projection] = PROJECTIONS
) -> list[TableReport]:
    """Compare every table of the two releases, if both stand at the same sequence."""
    connection = await connect(dsn, "upgrade")
    try:
        return await _compare(connection, projections)
    finally:
        await disconnect(connection)


async def switch_beside(
    dsn: str, *, even_if_different: bool, projections: Sequence[Projection] = PROJECTIONS
) -> UpgradeReport:
    """Make this version's read model live; the projector goes on from there by itself.

    Tables that differ keep it from that, unless it may be `even_if_different`. Raises
    StoreUnavailable while it is not built.
    """
    # Asked before the lock, too: taking it would clear away what is half built.
    begun = _require_built(await table_versions(dsn, projections))
    async with only_rebuild(dsn, keep=begun.model) as control:
        own = _require_built(await find_table_versions(control, projections))
        report = UpgradeReport(await _compare(control, projections), switched=False)
        if report.differing and not even_if_different:
            return report
        with typed_errors("switch"):
            async with transaction(control):
                await hold_switches(control)
                await CONTROL.record_switch(control, own.model, _SWITCHED, own.sequence)
            await drop_old(control)
        return report._replace(switched=True)


def _require_built(versions: Versions) -> ModelStatus:
    own = versions.own
    if own is None or not versions.is_built or not versions.needs_upgrade:
        raise StoreUnavailable("this release's tables are not built yet, or live already")
    return own


async def roll_back_upgrade(dsn: str, projections: Sequence[Projection] = PROJECTIONS) -> Live:
    """Make the newest read model live again that another release made and that was live.

    Raises SchemaDrift when there is none, or when it is live already.
    """
    versions = await table_versions(dsn, projections)
    if versions.needs_upgrade:
        raise SchemaDrift("the tables that are read are another release's already")
    return await rollback(dsn, reason=_WENT_BACK, other_than=versions.digest)


async def _compare(connection: Connection, projections: Sequence[Projection]) -> list[TableReport]:
    async with transaction(connection, snapshot=True, readonly=True):
        live, own = (await find_table_versions(connection, projections))[1:]
        if live is None or own is None or live.sequence != own.sequence:
            return []
        before = await hash_model(connection, live.model, projections)
        return compare_tables(before, await hash_model(connection, own.model, projections))
