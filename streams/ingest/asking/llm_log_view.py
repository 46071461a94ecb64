"""What the log says about requests to the LLM: their answers, and the names of markets."""

from collections.abc import Callable

from schemas.errors import InputError, LogUnavailable, UnknownRecord
from schemas.events.governance import MarketEdited, MarketListed
from schemas.limits import FOLD_PATIENCE, READ_BATCH, TAIL_POLL_S
from schemas.observations import OBSERVATIONS, LlmAvailability, LlmCalled
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from schemas.subjects import GOVERNANCE, events, llm
from streams.ingest.limits import MAX_REMEMBERED_ANSWERS
from streams.log.ports import Log


class LlmLogView:
    """A fold of `log`. `catch_up` brings it up to the end of the log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._read: dict[str, int] = {}
        self._names: dict[str, list[tuple[int, str]]] = {}
        self._answered: dict[tuple[int, str], None] = {}  # a set in the order of arrival
        self.availability: LlmAvailability | None = None
        """What a worker last said of itself."""

    async def catch_up(self) -> None:
        """Read what was appended since the last call.

        Raises UnknownRecord, LogUnavailable when a message on the log does not come, and
        what a reader raises.
        """
        await self._follow(events(self._log.shard, GOVERNANCE), self._take_record)
        await self._follow(llm(self._log.shard), self._take_observation)

    def is_answered(self, request: int, request_id: str) -> bool:
        """Tell whether the log has an answer to this request."""
        return (request, request_id) in self._answered

    def name_of(self, symbol: str, sequence: int) -> str:
        """Return the name of the market as of `sequence`, or its symbol if it had none."""
        names = [name for at, name in self._names.get(symbol, ()) if at < sequence]
        return names[-1] if names else symbol

    async def _follow(self, subject: str, take: Callable[[Stored], None]) -> None:
        last = await self._log.last(subject)
        after = self._read.get(subject, 0)
        if last is None or last.sequence <= after:
            return
        reader = await self._log.open_reader([subject], after)
        silent = 0
        try:
            while after < last.sequence:
                found = await reader.poll(READ_BATCH, TAIL_POLL_S)
                silent = 0 if found else silent + 1
                if silent >= FOLD_PATIENCE:
                    raise LogUnavailable(f"{subject}: {last.sequence} does not come")
                for stored in found:
                    take(stored)
                    self._read[subject] = after = stored.sequence
        finally:
            await reader.close()

    def _take_record(self, stored: Stored) -> None:
        try:
            record = EVENT_MESSAGES.decode(stored.payload)
        except InputError as error:
            raise UnknownRecord(f"sequence {stored.sequence}: {error}") from error
        for event in record.events:
            if isinstance(event, MarketListed | MarketEdited):
                names = self._names.setdefault(event.symbol, [])
                names.append((stored.sequence, event.name))

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
