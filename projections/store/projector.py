"""The projector: follows the log's records and observations into the live read model.

One transaction per batch holds the rows and the checkpoint, so a kill at any moment
leaves either both or neither, and the next start goes on exactly there. Postgres may go
away and come back; a second projector takes over at once, and the first then halts.
It does not decide anything, and it never skips a record that it cannot read. Of the
observations it reads those that a table shows; what was measured the engines state again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from projections.limits import (
    PROJECT_BATCH_RECORDS,
)
from projections.store.checkpoint import Checkpoint, Follower, check_past
from projections.store.lease import HeldLease
from projections.store.model import Model, Switched
from projections.store.postgres import Connection
from projections.store.projection import Projection
from projections.store.schemas import ensure_live
from projections.store.sessions import StoreSessions
from projections.tables import PROJECTIONS
from schemas import subjects
from schemas.stored import Stored
from streams.log.cursor import Cursor
from streams.log.ports import Log

_logger = structlog.get_logger(service="projector")


def projected_subjects(shard: str) -> tuple[str, ...]:
    """Return the subjects of all engines' records and of the observations that tables show."""
    return (
        *(subjects.events(shard, engine) for engine in subjects.ENGINES),
        subjects.articles(shard),
        subjects.llm(shard),
        subjects.fetches(shard, "*"),
        subjects.job_fates(shard, "*"),
    )


class Projector:
    """Projects one shard's log. `on_commit` hears of every committed checkpoint."""

    def __init__(
        self,
        log: Log,
        dsn: str,
        *,
        writer: str = "projector",
        projections: Sequence[Projection] = PROJECTIONS,
        on_commit: Callable[[Checkpoint], None] | None = None,
    ) -> None:
        self._log = log
        self._sessions = StoreSessions(dsn, f"projector {log.shard}", _logger)
        self._writer = writer
        self._projections = projections
        self._on_commit = on_commit
        self._lease: HeldLease | None = None
        self._checkpoint = Checkpoint()
        self._events = 0

    def status(self) -> dict[str, Any]:
        """Return how far it is, for health reports."""
        return {
            "model": self._lease.model if self._lease else None,
            "epoch": self._lease.epoch if self._lease else None,
            "sequence": self._checkpoint.sequence,
            "events": self._events,
            "store_failures": self._sessions.failures,
        }

    async def run(self) -> None:
        """Project until cancelled.

        Raises a Halt for a log, a database or a rival that must not be worked with, and
        StoreUnavailable when Postgres stays away for STORE_ATTEMPTS.
        """
        await self._sessions.run(self._session)

    async def _session(self, connection: Connection) -> None:
        """Project over one connection, until it breaks or another read model is live."""
        live = await ensure_live(connection, self._projections)
        model = Model(connection, live.model, self._projections)
        lease = self._lease
        await model.open(self._writer, lease.epoch if lease and lease.model == live.model else None)
        self._lease = HeldLease(live.model, model.epoch)
        self._checkpoint = model.checkpoint
        await check_past(self._log, model.checkpoint, await model.venue_id())
        _logger.info("following", schema=live.schema, sequence=self._checkpoint.sequence)
        try:
            await self._follow(model)
        except Switched:
            _logger.info("switched", sequence=self._checkpoint.sequence)

    async def _follow(self, model: Model) -> None:
        wanted, after = projected_subjects(self._log.shard), self._checkpoint.sequence
        follower = Follower(model.checkpoint)
        async with Cursor(self._log, wanted, after, batch=PROJECT_BATCH_RECORDS) as cursor:
            async for messages in cursor.follow():
                await self._project(model, follower, messages)
                if not messages:
                    await model.check_lease()

    async def _project(self, model: Model, follower: Follower, messages: Sequence[Stored]) -> None:
        for batch in follower.batches(messages):
            await model.commit(batch, must_be_live=True)
            self._checkpoint = batch.checkpoint
            self._sessions.succeeded()
            self._events += sum(len(entry.events) for entry in batch.entries)
            if self._on_commit is not None:
                self._on_commit(batch.checkpoint)
