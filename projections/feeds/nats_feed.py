"""The FEED on JetStream: `ports.FeedLog` over the log's client."""

import asyncio
from base64 import b64decode
from collections.abc import Sequence
from typing import Final

from projections.feeds.channels import WRITER
from schemas.codec import encode
from schemas.errors import LogUnavailable
from schemas.stored import Stored
from schemas.subjects import feed
from streams.log.nats_log import NatsLog
from streams.log.ports import Fence, Reader

_LOOKUPS_AT_ONCE: Final = 100
_NO_MESSAGE: Final = 10037


class NatsFeed:
    """Implements `ports.FeedLog` on a connection made by `nats_log.connect_feed`."""

    def __init__(self, client: NatsLog) -> None:
        self._client = client
        self._writer = feed(client.shard, WRITER)

    @property
    def shard(self) -> str:
        return self._client.shard

    async def acquire_lease(self, payload: bytes) -> int:
        """Append a writer message and return its sequence, the new epoch."""
        return await self._client.append_batch([(self._writer, payload)])

    async def publish(self, messages: Sequence[tuple[str, bytes]], epoch: int) -> None:
        """Store `messages`, all or none, under the lease of `epoch`. See `ports.FeedLog`."""
        await self._client.append_batch(messages, Fence(self._writer, epoch))

    async def last(self, subject: str) -> Stored | None:
        """Return the last message on exactly `subject`."""
        return await self._client.last(subject)

    async def last_of(self, subjects: Sequence[str]) -> list[Stored]:
        """Return the last message of each of the subjects that has one."""
        found: list[Stored] = []
        for start in range(0, len(subjects), _LOOKUPS_AT_ONCE):
            part = subjects[start : start + _LOOKUPS_AT_ONCE]
            answers = await asyncio.gather(*(self._client.last(subject) for subject in part))
            found.extend(message for message in answers if message is not None)
        return found

    async def first_from(self, subject: str, sequence: int) -> Stored | None:
        """Return the first message on exactly `subject` at or behind `sequence`."""
        client = self._client
        question = encode({"seq": max(1, sequence), "next_by_subj": subject})
        answer = await client.stream.ask(f"$JS.API.STREAM.MSG.GET.{client.stream.name}", question)
        error = answer.get("error")
        if error is None:
            message = answer["message"]
            return Stored(message["seq"], message["subject"], b64decode(message.get("data", "")))
        if error.get("err_code") == _NO_MESSAGE:
            return None
        raise LogUnavailable(f"{client.stream.name}: {error.get('description')}")

    async def last_sequence(self) -> int:
        """Return the FEED sequence of the last message, 0 if there is none."""
        return await self._client.last_sequence()

    async def open_reader(self, subjects: Sequence[str], after: int) -> Reader:
        """Read what matches any of `subjects` behind sequence `after`, and wait for more."""
        return await self._client.open_reader(subjects, after)

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()
