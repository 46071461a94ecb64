"""What the log says about questions: which have an answer, and what markets are called."""

from collections.abc import Callable

from schemas.errors import InputError
from schemas.observations import OBSERVATIONS, LlmAvailability, LlmCalled
from schemas.stored import Stored
from schemas.subjects import GOVERNANCE, events, llm
from streams.ingest.limits import MAX_REMEMBERED_ANSWERS
from streams.log.cursor import Cursor
from streams.log.ports import Log
from streams.log.venue_view import VenueView


class LlmLogView:
    """A fold of `log`, brought up to its end whenever that is asked for."""

    def __init__(self, log: Log) -> None:
        self._records = Cursor(log, [events(log.shard, GOVERNANCE)])
        self._observations = Cursor(log, [llm(log.shard)])
        self._venue = VenueView()
        self._answered: dict[tuple[int, str], None] = {}  # a set in the order of arrival
        self.availability: LlmAvailability | None = None
        """What a worker said last."""

    async def catch_up(self) -> None:
        """Read what was appended since.

        Raises UnknownRecord, LogUnavailable when what stands on the log does not come, and
        what a reader raises.
        """
        await _take_all(self._records, self._venue.fold)
        await _take_all(self._observations, self._take_observation)

    def is_answered(self, request: int, request_id: str) -> bool:
        """Tell whether an answer to this request stands on the log."""
        return (request, request_id) in self._answered

    def name_of(self, symbol: str, sequence: int) -> str:
        """Return what the market was called at `sequence`, its symbol if nothing else."""
        return self._venue.name_at(symbol, sequence)

    def _take_observation(self, stored: Stored) -> None:
        try:
            observation = OBSERVATIONS.decode(stored.payload)
        except InputError:
            return  # the engine drops it as well; there is nothing to learn from it
        match observation:
            case LlmCalled():
                self._answered[observation.request, observation.request_id] = None
                if len(self._answered) > MAX_REMEMBERED_ANSWERS:
                    del self._answered[next(iter(self._answered))]
            case LlmAvailability():
                self.availability = observation
            case _:
                pass


async def _take_all(cursor: Cursor, take: Callable[[Stored], object]) -> None:
    """Hand `take` what was appended since, and close the reader until the next time."""
    try:
        async for messages in cursor.read_to(await cursor.end()):
            for stored in messages:
                take(stored)
    finally:
        await cursor.close()
