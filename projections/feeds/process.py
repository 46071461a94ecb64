"""The feeds process: fold the log's records into the FEED, each message exactly once.

The FEED is its own checkpoint. Every batch is atomic, ends with the progress that it
makes, and is stored only under the lease of this process. So what is on the FEED and how
far it is can never differ, and a process that was replaced can add nothing.

At start the process folds the log from its beginning; the numbers of the channels follow from
that, too. Where the FEED still has a channel's last message, the number of that message counts,
so that a version with other messages goes on where readers are.
"""

import asyncio
from typing import Any

import structlog

from projections.feeds.channels import PROGRESS
from projections.feeds.fold import Draft, FeedFold
from projections.feeds.lease import FeedLease
from projections.feeds.outbox import FeedBatch, FeedProgress, Outbox, decode_progress
from projections.feeds.ports import FeedLog
from schemas.errors import LogDiverged
from schemas.feed import decode_envelope
from schemas.limits import MAX_ATOMIC_BATCH
from schemas.record_chain import Chains
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from schemas.subjects import feed as feed_subject
from streams.log.cursor import Cursor
from streams.log.ports import Clock, Log


class Feeds:
    """Fold `log`'s records into `feed` until cancelled.

    `writer` names this process and must be unlike any other's.
    """

    def __init__(self, log: Log, feed: FeedLog, clock: Clock, *, writer: str) -> None:
        self._log = log
        self._feed = feed
        self._clock = clock
        self._lease = FeedLease(feed, clock, writer)
        self._chains = Chains(EVENT_MESSAGES.decode)
        self._fold = FeedFold()
        self._outbox = Outbox(log.shard)
        self._cursor = Cursor(log, [f"{log.shard}.evt.*"])
        self._messages = self._cursor.follow(retry=clock)
        self._sequence = 0
        self._records = 0
        self._storing: asyncio.Task[None] | None = None
        self._logger = structlog.get_logger().bind(service="feeds", writer=writer)

    def status(self) -> dict[str, Any]:
        """Return how far along the log this process is."""
        return {"sequence": self._sequence, "records": self._records}

    async def run(self) -> None:
        """Acquire the lease, fold what is on the FEED already, and follow the log.

        Raises Fenced when another process has the lease, LogDiverged or UnknownRecord
        when the log is not what it was, OperatingError when a server stays unreachable.
        """
        try:
            await self._lease.acquire()
            done = await self._progress()
            rest = await self._recover(done) if done else []
            while True:
                for message in rest:
                    for batch in self._outbox.add(*self._read(message)):
                        await self._store(batch)
                for batch in self._outbox.flush():
                    await self._store(batch)
                if self._lease.is_due():
                    await self._renew()
                rest = await self._poll()
        finally:
            await self._close()

    async def _renew(self) -> None:
        """Append writer and progress again: on a quiet venue the FEED would drop them."""
        await self._stored()
        await self._lease.renew()
        for batch in self._outbox.repeat():
            await self._lease.store(batch)

    async def _progress(self) -> FeedProgress | None:
        """Return how far the FEED is, None if it is empty; the log has to agree."""
        last = await self._feed.last(feed_subject(self._feed.shard, PROGRESS))
        if last is None:
            return None
        done = decode_progress(last.payload)
        message = await self._log.get(done.log_sequence)
        if message is None or f'"hash":"{done.hash}"'.encode() not in message.payload:
            raise LogDiverged(
                f"sequence {done.log_sequence}: the log does not have the record "
                "that the FEED was made from"
            )
        return done

    async def _recover(self, done: FeedProgress) -> list[Stored]:
        """Fold the log up to `done`; return the messages read beyond it."""
        while True:
            messages = await self._poll()
            for position, message in enumerate(messages):
                sequence, record, drafts = self._read(message)
                if sequence < done.log_sequence:
                    self._outbox.count(drafts)
                    continue
                if sequence > done.log_sequence or record.hash != done.hash:
                    raise LogDiverged(f"sequence {done.log_sequence}: not the record it was")
                self._outbox.count(drafts[: done.published])
                await self._adopt_numbers()
                for batch in self._outbox.add(sequence, record, drafts, done.published):
                    await self._store(batch)
                self._logger.info("recovered", sequence=sequence, records=self._records)
                return messages[position + 1 :]

    async def _adopt_numbers(self) -> None:
        channels = self._outbox.channels
        for start in range(0, len(channels), MAX_ATOMIC_BATCH):
            part = channels[start : start + MAX_ATOMIC_BATCH]
            subjects = [feed_subject(self._feed.shard, channel) for channel in part]
            for last in await self._feed.last_of(subjects):
                envelope = decode_envelope(last.payload)
                self._outbox.adopt(envelope.channel, envelope.sequence_number)

    def _read(self, message: Stored) -> tuple[int, Record, list[Draft]]:
        record = self._chains.read(message)
        self._sequence = message.sequence
        self._records += 1
        return message.sequence, record, self._fold.fold(record)

    async def _store(self, batch: FeedBatch) -> None:
        """Store `batch` while the next one is made; there is never more than one under way."""
        await self._stored()
        self._storing = asyncio.create_task(self._lease.store(batch))

    async def _stored(self) -> None:
        storing, self._storing = self._storing, None
        if storing is not None:
            await storing

    async def _poll(self) -> list[Stored]:
        """Return the next records, [] if none came for a while."""
        messages = await anext(self._messages)
        if not messages or (self._storing and self._storing.done()):
            await self._stored()
        return messages

    async def _close(self) -> None:
        storing, self._storing = self._storing, None
        if storing is not None:
            storing.cancel()
            await asyncio.gather(storing, return_exceptions=True)
        await self._cursor.close()
