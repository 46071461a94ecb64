"""An engine's inputs, read again from the log as its records cover them."""

from collections.abc import Callable, Sequence

from replay.limits import MAX_VERIFY_WAITING_BYTES
from schemas.stored import Stored
from schemas.subjects import covering, matches
from streams.log.cursor import Cursor
from streams.log.ports import Log

IsInert = Callable[[Stored], bool]


class Inputs:
    """A second walk along the log, behind the first one, so that no backlog is held."""

    def __init__(self, log: Log, reads: Sequence[str]) -> None:
        self._log = log
        self._reads = reads
        self._cursor = Cursor(log, [covering(reads)])
        self._known: dict[str, bool] = {}
        self.taken = 0

    async def through(self, last: int, is_inert: IsInert) -> list[Stored]:
        """Return the inputs up to sequence `last`, which is on the log, not yet returned.

        More than MAX_VERIFY_WAITING_BYTES of them are thinned. Raises LogUnavailable when
        the log does not give what stands on it.
        """
        found: list[Stored] = []
        held = 0
        # A record that was forged may name an input that is none.
        async for messages in self._cursor.read_to(last, exact=False):
            if not messages and not await self._is_input_at(last):
                break
            within = [message for message in messages if self._is_input(message.subject)]
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
        await self._cursor.close()

    async def _is_input_at(self, sequence: int) -> bool:
        message = await self._log.get(sequence)
        return message is not None and self._is_input(message.subject)


def _thinned(inputs: list[Stored], is_inert: IsInert) -> list[Stored]:
    """Leave out those that lead to nothing, but not the first, which shows what is covered.

    Only up to one that leads to something: what follows it meets another state. A host
    gathers no more than a group from there on.
    """
    place = next((i for i, message in enumerate(inputs) if not is_inert(message)), len(inputs) - 1)
    return inputs[:1] + inputs[max(place, 1) :]
