"""Port: what the feeds need of the stream that holds what they publish.

The real one is `nats_feed.NatsFeed`; the tests' simulated one passes the same contract.
"""

from collections.abc import Sequence
from typing import Protocol

from schemas.stored import Stored
from streams.log.ports import Reader


class FeedLog(Protocol):
    """One shard's FEED stream."""

    @property
    def shard(self) -> str: ...

    async def acquire_lease(self, payload: bytes) -> int:
        """Append a writer message and return its sequence, the new epoch.

        From then on nothing of an earlier epoch is stored. Raises as `publish` does.
        """

    async def publish(self, messages: Sequence[tuple[str, bytes]], epoch: int) -> None:
        """Store up to MAX_ATOMIC_BATCH messages, all or none, under the lease of `epoch`.

        Raises Fenced when another writer has the lease, AppendFailed when nothing was
        stored, AppendUnknown when only reading the stream can tell.
        """

    async def last(self, subject: str) -> Stored | None:
        """Return the last message on exactly `subject`."""

    async def last_of(self, subjects: Sequence[str]) -> list[Stored]:
        """Return the last message of each of the subjects that has one."""

    async def first_from(self, subject: str, sequence: int) -> Stored | None:
        """Return the first message on exactly `subject` at or behind `sequence`."""

    async def last_sequence(self) -> int:
        """Return the FEED sequence of the last message, 0 if there is none."""

    async def open_reader(self, subjects: Sequence[str], after: int) -> Reader:
        """Read what matches any of `subjects` behind sequence `after`, and wait for more."""

    async def close(self) -> None: ...
