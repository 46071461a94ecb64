"""A walk along every message of a log, to a sequence, and later on to the next one."""

from collections.abc import AsyncIterator

from replay.limits import ARCHIVE_PATIENCE, ARCHIVE_POLL_S
from schemas.errors import LogGap, LogUnavailable
from schemas.limits import READ_BATCH
from schemas.stored import Stored
from streams.log.ports import Log, Reader


class Steps:
    """Reads the log behind sequence `at`, without a gap."""

    def __init__(self, log: Log, at: int) -> None:
        self._log = log
        self._reader: Reader | None = None
        self._ahead: list[Stored] = []
        self.at = at

    async def to(self, last: int) -> AsyncIterator[list[Stored]]:
        """Yield the messages up to sequence `last`, which is on the log.

        Raises LogGap where one is missing, LogUnavailable when none come.
        """
        silences = 0
        while self.at < last:
            if not self._ahead:
                self._ahead = await self._poll()
                silences = 0 if self._ahead else silences + 1
                if silences > ARCHIVE_PATIENCE:
                    raise LogUnavailable(f"nothing comes behind sequence {self.at}")
                continue
            some = self._ahead
            if some[-1].sequence > last:
                some = [message for message in some if message.sequence <= last]
            self._ahead = self._ahead[len(some) :]
            for message in some:
                if message.sequence != self.at + 1:
                    raise LogGap(f"sequence {message.sequence} follows {self.at}")
                self.at = message.sequence
            yield some

    async def close(self) -> None:
        """Let go of the log."""
        if self._reader is not None:
            await self._reader.close()

    async def _poll(self) -> list[Stored]:
        if self._reader is None:
            self._reader = await self._log.open_reader([f"{self._log.shard}.>"], self.at)
        return await self._reader.poll(READ_BATCH, ARCHIVE_POLL_S)
