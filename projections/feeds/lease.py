"""The lease of the FEED: which feeds process may publish on a shard's FEED, and how it stores.

The lease is a message on the FEED's writer subject. Its sequence is the fencing token (epoch):
the stream stores nothing of an earlier one.
"""

import msgspec

from projections.feeds.channels import PROGRESS, WRITER
from projections.feeds.outbox import FeedBatch
from projections.feeds.ports import FeedLog
from projections.limits import APPEND_ATTEMPTS, FEED_RENEW_S
from schemas.codec import encode
from schemas.errors import Fenced, OperatingError
from schemas.subjects import feed as feed_subject
from schemas.units import SECOND_NS
from streams.log.ports import Clock

RETRY_PAUSE_S = 0.2


class FeedWriter(msgspec.Struct, frozen=True):
    """The message by which a feeds process acquires the lease, or renews it."""

    writer: str
    time_ns: int


_decode_writer = msgspec.json.Decoder(FeedWriter).decode


class FeedLease:
    """The lease of one feeds process, whose name `writer` no other process has."""

    def __init__(self, feed: FeedLog, clock: Clock, writer: str) -> None:
        self._feed = feed
        self._clock = clock
        self._writer = writer
        self._subject = feed_subject(feed.shard, WRITER)
        self._epoch = 0
        self._since_ns = 0

    async def acquire(self) -> None:
        """Acquire the lease, also from its holder. Raises OperatingError after APPEND_ATTEMPTS."""
        for attempt in range(1, APPEND_ATTEMPTS + 1):
            now_ns = self._clock.now_ns()
            try:
                self._epoch = await self._feed.acquire_lease(
                    encode(FeedWriter(self._writer, now_ns))
                )
            except OperatingError:
                if attempt == APPEND_ATTEMPTS:
                    raise
                await self._clock.sleep(RETRY_PAUSE_S)
                continue
            self._since_ns = now_ns
            return

    def is_due(self) -> bool:
        """Tell whether to renew the writer message, before the FEED drops it for its age."""
        return self._clock.now_ns() - self._since_ns >= FEED_RENEW_S * SECOND_NS

    async def renew(self) -> None:
        """Acquire the lease again. Raises Fenced when another writer holds it.

        A writer that acquires it between the look and the append is fenced in its turn: the
        older of the two goes on, and still nothing is stored twice.
        """
        last = await self._feed.last(self._subject)
        if last is not None and _decode_writer(last.payload).writer != self._writer:
            raise Fenced(f"{self._subject} has a new writer at sequence {last.sequence}")
        await self.acquire()

    async def store(self, batch: FeedBatch) -> None:
        """Store `batch` exactly once, also when an answer is lost.

        After a failure the lease is renewed, so that a publish still under way can no longer
        be stored. The progress on the FEED then says whether it was. Raises Fenced when
        another writer holds the lease, OperatingError after APPEND_ATTEMPTS.
        """
        for attempt in range(1, APPEND_ATTEMPTS + 1):
            try:
                await self._feed.publish(batch.messages, self._epoch)
                return
            except (Fenced, OperatingError):
                if attempt == APPEND_ATTEMPTS:
                    raise
            await self._clock.sleep(RETRY_PAUSE_S)
            await self.renew()
            last = await self._feed.last(feed_subject(self._feed.shard, PROGRESS))
            if last is not None and last.payload == encode(batch.progress):
                return
