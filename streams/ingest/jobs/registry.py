"""The registry: which sources there are, as governance has decided it."""

import asyncio
from collections.abc import Callable, Iterator

from schemas import subjects
from schemas.sources import Source
from schemas.stored import Stored
from streams.log.cursor import Cursor
from streams.log.ports import Clock, Log
from streams.log.venue_view import VenueView


class KnownSources(VenueView):
    """The venue view of those who fetch."""

    def get(self, source: str) -> Source | None:
        """Return the source as it is now, or None."""
        return self.sources.get(source)

    def due(self, now_ns: int) -> Iterator[Source]:
        """Yield the sources whose documents are to be fetched at all at `now_ns`."""
        for source in self.sources.values():
            if (
                source.active
                and not source.restricted
                and source.kind != "push"
                and self.quarantined_until_ns.get(source.source, 0) <= now_ns
            ):
                yield source


async def follow(
    log: Log, clock: Clock, subject: str, take: Callable[[Stored], None], after: int = 0
) -> None:
    """Hand every message on `subject` behind `after` to `take`, for ever."""
    cursor = Cursor(log, [subject], after)
    try:
        async for messages in cursor.follow(retry=clock):
            for stored in messages:
                take(stored)
    finally:
        await cursor.close()


class SourceRegistry:
    """A registry that follows the log while it is used."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self.known = KnownSources()
        self._log = log
        self._clock = clock
        self._wanted: int | None = None
        self._caught_up = asyncio.Event()

    async def run(self) -> None:
        """Follow governance for ever."""
        last = await self._log.last(subjects.events(self._log.shard, subjects.GOVERNANCE))
        self._wanted = last.sequence if last is not None else 0
        self._look()
        await follow(
            self._log,
            self._clock,
            subjects.events(self._log.shard, subjects.GOVERNANCE),
            self._take,
        )

    async def caught_up(self) -> None:
        """Wait until all that had been decided when `run` began is known."""
        await self._caught_up.wait()

    def _take(self, stored: Stored) -> None:
        self.known.fold(stored)
        self._look()

    def _look(self) -> None:
        if self._wanted is not None and self.known.position >= self._wanted:
            self._caught_up.set()
