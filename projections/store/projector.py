"""The projector: follows the log's records and observations into the live read model.

One transaction per batch holds the rows and the checkpoint, so a kill at any moment
leaves either both or neither, and the next start goes on exactly there. Postgres may go
away and come back; a second projector takes over at once, and the first then halts.
It does not decide anything, and it never skips a record that it cannot read. Of the
observations it reads those that a table shows; what was measured the engines state again.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog

from projections.limits import (
    PROJECT_BATCH_RECORDS,
    STORE_ATTEMPTS,
    STORE_BACKOFF_S,
)
from projections.store.checkpoint import Checkpoint, Follower, check_past
from projections.store.model import Model, Switched
from projections.store.postgres import connect, disconnect
from projections.store.projection import Projection
from projections.store.schemas import ensure_live
from projections.tables import PROJECTIONS
from schemas import subjects
from schemas.errors import StoreUnavailable
from schemas.stored import Stored
from streams.log.cursor import Cursor
from streams.log.ports import Log

_logger = structlog.get_logger(service="projector")


class Office(NamedTuple):
    """In which read model, and at which epoch of it, this projector has taken office."""

    model: int
    epoch: int


def projected_subjects(shard: str) -> tuple[str, ...]:
    """Return the subjects of all engines' records and of the observations that tables show."""
    return (
        *(subjects.events(shard, engine) for engine in subjects.ENGINES),
        subjects.articles(shard),
        subjects.llm(shard),
        subjects.fetches(shard, "*"),
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
        self._dsn = dsn
        self._writer = writer
        self._projections = projections
        self._on_commit = on_commit
        self._office: Office | None = None
        self._checkpoint = Checkpoint()
        self._failures = 0
        self._events = 0

    def status(self) -> dict[str, Any]:
        """Return how far it is, for health reports."""
        return {
            "model": self._office.model if self._office else None,
            "epoch": self._office.epoch if self._office else None,
            "sequence": self._checkpoint.sequence,
            "events": self._events,
            "store_failures": self._failures,
        }

    async def run(self) -> None:
        """Project until cancelled.

        Raises a Halt for a log, a database or a rival that must not be worked with, and
        StoreUnavailable when Postgres stays away for STORE_ATTEMPTS.
        """
        while True:
            try:
                await self._session()
            except Switched:
                _logger.info("switched", sequence=self._checkpoint.sequence)
            except StoreUnavailable as error:
                self._failures += 1
                _logger.warning("store_unavailable", error=str(error), attempt=self._failures)
                if self._failures >= STORE_ATTEMPTS:
                    raise
                await asyncio.sleep(min(STORE_BACKOFF_S, 0.05 * 2**self._failures))

    async def _session(self) -> None:
        """Project over one connection, until it breaks or another read model is live."""
        connection = await connect(self._dsn, f"projector {self._log.shard}")
        try:
            live = await ensure_live(connection, self._projections)
            model = Model(connection, live.model, self._projections)
            office = self._office
            resumed = office.epoch if office and office.model == live.model else None
            await model.open(self._writer, resumed)
            self._office = Office(live.model, model.epoch)
            self._checkpoint = model.checkpoint
            await check_past(self._log, model.checkpoint, await model.venue_id())
            _logger.info("following", schema=live.schema, sequence=self._checkpoint.sequence)
            wanted, after = projected_subjects(self._log.shard), self._checkpoint.sequence
            follower = Follower(model.checkpoint)
            async with Cursor(self._log, wanted, after, batch=PROJECT_BATCH_RECORDS) as cursor:
                async for messages in cursor.follow():
                    await self._project(model, follower, messages)
                    if not messages:
                        await model.check_office()
        finally:
            await disconnect(connection)

    async def _project(self, model: Model, follower: Follower, messages: Sequence[Stored]) -> None:
        for batch in follower.batches(messages):
            await model.commit(batch, must_be_live=True)
            self._checkpoint = batch.checkpoint
            self._failures = 0
            self._events += sum(len(entry.events) for entry in batch.entries)
            if self._on_commit is not None:
                self._on_commit(batch.checkpoint)
