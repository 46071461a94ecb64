"""A FEED stream in memory: the simulated server, holding `feed.>` instead of a log."""

from collections.abc import Sequence

from projections.feeds.channels import WRITER
from schemas.errors import AppendFailed
from schemas.limits import MAX_ATOMIC_BATCH
from schemas.stored import Stored
from schemas.subjects import DEFAULT_SHARD, feed
from streams.log.ports import Fence, Reader
from tests.simulated.faults import Faults
from tests.simulated.log import SimulatedLog, SimulatedServer


def feed_server() -> SimulatedServer:
    return SimulatedServer("feed")


class SimulatedFeed:
    """One connection to the store; see `ports.FeedLog`."""

    def __init__(
        self,
        server: SimulatedServer,
        name: str = "feeds",
        faults: Faults | None = None,
        shard: str = DEFAULT_SHARD,
    ) -> None:
        self.shard = shard
        self.wire: SimulatedLog = server.connect(name, faults)
        self._writer = feed(shard, WRITER)

    async def acquire_lease(self, payload: bytes) -> int:
        return await self.wire.send(self._writer, payload)

    async def publish(self, messages: Sequence[tuple[str, bytes]], epoch: int) -> None:
        self.wire.at("publish")
        if not 0 < len(messages) <= MAX_ATOMIC_BATCH:
            raise AppendFailed(f"a batch of {len(messages)} messages")
        await self.wire._transmit(list(messages), Fence(self._writer, epoch))
        self.wire.at("published")

    async def last(self, subject: str) -> Stored | None:
        return await self.wire.last(subject)

    async def last_of(self, subjects: Sequence[str]) -> list[Stored]:
        found = [self.wire.server.last(subject) for subject in subjects]
        return [message for message in found if message is not None]

    async def first_from(self, subject: str, sequence: int) -> Stored | None:
        for message in self.wire.server.messages():
            if message.sequence >= sequence and message.subject == subject:
                return message
        return None

    async def last_sequence(self) -> int:
        return await self.wire.last_sequence()

    async def open_reader(self, subjects: Sequence[str], after: int) -> Reader:
        return await self.wire.open_reader(subjects, after)

    async def close(self) -> None:
        await self.wire.close()
