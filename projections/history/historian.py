"""The historian: follows the log as the projector does, and keeps what tables once said.

It projects every message on its own, so that the tables can be read as of any sequence. Only
it pays for that: the projector and the live read model know nothing of it. It reads the whole
log, also what no table shows, because who asks for a sequence must know that it was passed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from projections.history.schemas import ensure_history, switch_history
from projections.history.writer import HistoryWriter, ProjectedMessage
from projections.limits import HISTORY_BATCH_EVENTS, HISTORY_BATCH_MESSAGES
from projections.store.checkpoint import Follower, check_past
from projections.store.lease import HeldLease
from projections.store.postgres import Connection
from projections.store.projection import Projection
from projections.store.projector import projected_subjects
from projections.store.sessions import StoreSessions
from projections.tables import PROJECTIONS
from schemas import subjects
from schemas.errors import Halt, LogDiverged
from schemas.stored import Stored
from streams.log.cursor import Cursor
from streams.log.ports import Log

_logger = structlog.get_logger(service="historian")


class Historian:
    """Keeps one shard's history. `on_commit` hears how far it is after every commit."""

    def __init__(
        self,
        log: Log,
        dsn: str,
        *,
        writer: str = "historian",
        projections: Sequence[Projection] = PROJECTIONS,
        on_commit: Callable[[int], None] | None = None,
    ) -> None:
        self._log = log
        self._sessions = StoreSessions(dsn, f"historian {log.shard}", _logger)
        self._writer = writer
        self._projections = projections
        self._on_commit = on_commit
        self._wanted = projected_subjects(log.shard)
        self._is_wanted: dict[str, bool] = {}
        self._lease: HeldLease | None = None
        self._live = False
        self._through = 0
        self._messages = 0

    def status(self) -> dict[str, Any]:
        """Return how far it is, for health reports."""
        return {
            "phase": "following" if self._live else "catching up",
            "history": self._lease.model if self._lease else None,
            "epoch": self._lease.epoch if self._lease else None,
            "sequence": self._through,
            "projected": self._messages,
            "store_failures": self._sessions.failures,
        }

    async def run(self) -> None:
        """Follow the log until cancelled.

        Raises a Halt for a log, a database or a rival that must not be worked with, and
        StoreUnavailable when Postgres stays away for STORE_ATTEMPTS.
        """
        await self._sessions.run(self._session)

    async def _session(self, connection: Connection) -> None:
        number = await ensure_history(connection, self._projections)
        writer = HistoryWriter(connection, number, self._projections)
        lease = self._lease
        await writer.open(self._writer, lease.epoch if lease and lease.model == number else None)
        self._lease, self._live = HeldLease(number, writer.epoch), False
        self._through = writer.through
        await self._check_past(writer)
        _logger.info("following", schema=writer.schema, sequence=writer.through)
        await self._follow(connection, writer)

    async def _check_past(self, writer: HistoryWriter) -> None:
        """Check that the log is still the one that was followed, and as long at least.

        Raises as `check_past` does.
        """
        await check_past(self._log, writer.checkpoint, await writer.venue_id())
        last = await self._log.last_sequence()
        if last < writer.through:
            raise LogDiverged(f"sequence {writer.through} was seen, and the log ends at {last}")

    async def _follow(self, connection: Connection, writer: HistoryWriter) -> None:
        follower = Follower(writer.checkpoint)
        async with Cursor(self._log, [f"{self._log.shard}.>"], writer.through) as cursor:
            await self._go_live(connection, writer)
            async for messages in cursor.follow():
                await self._take(writer, follower, messages)
                if not messages:
                    await writer.check_lease()
                await self._go_live(connection, writer)

    async def _go_live(self, connection: Connection, writer: HistoryWriter) -> None:
        """Switch reads to this history once it has caught up with the log."""
        if not self._live and writer.through >= await self._log.last_sequence():
            await switch_history(connection, writer.number, writer.through)
            self._live = True

    async def _take(
        self, writer: HistoryWriter, follower: Follower, messages: Sequence[Stored]
    ) -> None:
        """Write `messages`; those before one that halts are still written."""
        rows: list[ProjectedMessage] = []
        events = 0
        for message in messages:
            if self._projects(message.subject):
                try:
                    entry = follower.follow(message)
                except Halt:
                    await self._commit(writer, rows, message.sequence - 1)
                    raise
                engine = subjects.last_token(message.subject)
                known = engine if subjects.matches("*.evt.*", message.subject) else None
                rows.append(ProjectedMessage(entry, follower.checkpoint, known))
                events += len(entry.events)
            if len(rows) >= HISTORY_BATCH_MESSAGES or events >= HISTORY_BATCH_EVENTS:
                await self._commit(writer, rows, message.sequence)
                rows, events = [], 0
        if messages:
            await self._commit(writer, rows, messages[-1].sequence)

    async def _commit(
        self, writer: HistoryWriter, rows: list[ProjectedMessage], through: int
    ) -> None:
        if through <= writer.through:
            return
        await writer.commit(rows, through)
        self._through = through
        self._sessions.succeeded()
        self._messages += len(rows)
        if self._on_commit is not None:
            self._on_commit(through)

    def _projects(self, subject: str) -> bool:
        known = self._is_wanted.get(subject)
        if known is None:
            known = any(subjects.matches(pattern, subject) for pattern in self._wanted)
            self._is_wanted[subject] = known
        return known
