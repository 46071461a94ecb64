"""Consecutive messages, held in memory, as a log that can be read and not written to."""

from collections.abc import Awaitable, Sequence
from typing import NoReturn

from schemas.errors import AppendFailed
from schemas.stored import Stored
from schemas.subjects import matches
from streams.log.ports import Fence


class HeldLog:
    """Implements `ports.Log`. It may begin anywhere; sequences follow without a gap."""

    def __init__(self, shard: str, messages: Sequence[Stored]) -> None:
        self._shard = shard
        self._messages = messages
        self._before = messages[0].sequence - 1 if messages else 0

    @property
    def shard(self) -> str:
        return self._shard

    def send(self, subject: str, payload: bytes, fence: Fence | None = None) -> Awaitable[int]:
        """Refuse: see `_refuse`."""
        _refuse()

    async def append_batch(
        self, messages: Sequence[tuple[str, bytes]], fence: Fence | None = None
    ) -> int:
        """Refuse: see `_refuse`."""
        _refuse()

    async def found(self, subject: str, payload: bytes) -> int:
        """Refuse: see `_refuse`."""
        _refuse()

    async def open_reader(self, subjects: Sequence[str], after: int) -> "HeldReader":
        """Read what matches any of `subjects` behind sequence `after`."""
        return HeldReader(self._messages, subjects, max(after - self._before, 0))

    async def get(self, sequence: int) -> Stored | None:
        """Return the message at `sequence`, or None if there is none."""
        place = sequence - self._before - 1
        return self._messages[place] if 0 <= place < len(self._messages) else None

    async def last(self, subject: str, at: int | None = None) -> Stored | None:
        """Return the last message on exactly `subject`, or that as of sequence `at`."""
        end = None if at is None else max(at - self._before, 0)
        return next((m for m in reversed(self._messages[:end]) if m.subject == subject), None)

    async def last_sequence(self) -> int:
        """Return the sequence of the last message, 0 for an empty log."""
        return self._before + len(self._messages)

    async def close(self) -> None:
        """Do nothing."""


class HeldReader:
    """Implements `ports.Reader`. Nothing ever comes behind the end."""

    def __init__(self, messages: Sequence[Stored], subjects: Sequence[str], place: int) -> None:
        self._messages = messages
        self._subjects = subjects
        self._place = place
        self._wanted: dict[str, bool] = {}

    async def poll(self, max_messages: int, timeout_s: float) -> list[Stored]:
        """Return the next messages in order, [] at the end."""
        found: list[Stored] = []
        while self._place < len(self._messages) and len(found) < max_messages:
            message = self._messages[self._place]
            self._place += 1
            if self._wants(message.subject):
                found.append(message)
        return found

    async def close(self) -> None:
        """Do nothing."""

    def _wants(self, subject: str) -> bool:
        wanted = self._wanted.get(subject)
        if wanted is None:
            wanted = any(matches(pattern, subject) for pattern in self._subjects)
            self._wanted[subject] = wanted
        return wanted


def _refuse() -> NoReturn:
    raise AppendFailed("this log is only read")
