"""What the log says about requests to the LLM: their answers, and the names of markets."""

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
    """A fold of `log`. `catch_up` brings it up to the end of the log."""

    def __init__(self, log: Log) -> None:
        self._records = Cursor(log, [events(log.shard, GOVERNANCE)])
        self._observations = Cursor(log, [llm(log.shard)])
        self._venue = VenueView()
        self._answered: dict[tuple[int, str], None] = {}  # a set in the order of arrival
        self.availability: LlmAvailability | None = None
        """What a worker last said of itself."""

    async def catch_up(self) -> None:
        """Read what was appended since the last call.

        Raises UnknownRecord, LogUnavailable when a message on the log does not come, and
        what a reader raises.
        """
        await _take_all(self._records, self._venue.fold)
        await _take_all(self._observations, self._take_observation)

    def is_answered(self, request: int, request_id: str) -> bool:
        """Tell whether the log has an answer to this request."""
        return (request, request_id) in self._answered

    def name_of(self, symbol: str, sequence: int) -> str:
        """Return the name of the market as of `sequence`, or its symbol if it had none."""
        return self._venue.name_at(symbol, sequence)

    def _take_observation(self, stored: Stored) -> None:
        try:
            observation = OBSERVATIONS.decode(stored.payload)
        except InputError:
            return  # the engine ignores it as well
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
