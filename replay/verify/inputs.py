"""An engine's inputs, read again from the log as its records cover them."""

from collections.abc import Callable, Sequence
from typing import Final

from replay.limits import MAX_VERIFY_WAITING_BYTES
from schemas.errors import LogUnavailable
from schemas.limits import READ_BATCH
from schemas.stored import Stored
from schemas.subjects import covering, matches
from streams.log.ports import Log, Reader

_ANSWER_S: Final = 1.0
_SILENCES: Final = 20

IsInert = Callable[[Stored], bool]


class Inputs:
    """A second walk along the log, behind the first one, so that no backlog is held."""

    def __init__(self, log: Log, reads: Sequence[str]) -> None:
        self._log = log
        self._reads = reads
        self._reader: Reader | None = None
        self._ahead: list[Stored] = []
        self._known: dict[str, bool] = {}
        self.taken = 0

    async def through(self, last: int, is_inert: IsInert) -> list[Stored]:
        """Return the inputs up to sequence `last`, which is on the log, not yet returned.

        More than MAX_VERIFY_WAITING_BYTES of them are thinned. Raises LogUnavailable when
        the log does not give what stands on it.
        """
        found: list[Stored] = []
        held = 0
        while not found or found[-1].sequence < last:
            if not self._ahead and not await self._more(last):
                break
            within = self._ahead
            if within[-1].sequence > last:
                within = [message for message in within if message.sequence <= last]
                if not within:
                    break
            self._ahead = self._ahead[len(within) :]
            self.taken += len(within)
            found += within
            held += sum([len(message.payload) for message in within])
            if held > MAX_VERIFY_WAITING_BYTES:
                found = _thinned(found, is_inert)
                held = sum([len(message.payload) for message in found])
        return found

    def _is_input(self, subject: str) -> bool:
        known = self._known.get(subject)
        if known is None:
            known = any(matches(pattern, subject) for pattern in self._reads)
            self._known[subject] = known
        return known

    async def close(self) -> None:
        """Let go of the log."""
        if self._reader is not None:
            await self._reader.close()

    async def _more(self, last: int) -> bool:
        """Read on; False when nothing up to `last` is left, as `last` is no input itself."""
        if self._reader is None:
            self._reader = await self._log.open_reader([covering(self._reads)], 0)
        silences = 0
        while silences < _SILENCES:
            messages = await self._reader.poll(READ_BATCH, _ANSWER_S)
            self._ahead = [message for message in messages if self._is_input(message.subject)]
            if self._ahead:
                return True
            if messages and messages[-1].sequence >= last:
                return False
            if not messages:
                silences += 1
                end = await self._log.get(last)
                if end is None or not self._is_input(end.subject):
                    return False
        raise LogUnavailable(f"sequence {last} cannot be read")


def _thinned(inputs: list[Stored], is_inert: IsInert) -> list[Stored]:
    """Leave out those that lead to nothing, but not the first, which shows what is covered.

    Only up to one that leads to something: what follows it meets another state. A host
    gathers no more than a group from there on.
    """
    place = next((i for i, message in enumerate(inputs) if not is_inert(message)), len(inputs) - 1)
    return inputs[:1] + inputs[max(place, 1) :]
