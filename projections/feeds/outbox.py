"""From drafts to messages of the FEED: numbered, enveloped, and cut into batches."""

from collections.abc import Iterable, Sequence

import msgspec

from projections.feeds.channels import PROGRESS
from projections.feeds.fold import Draft
from schemas.codec import encode
from schemas.feed import Envelope, encode_envelope
from schemas.limits import MAX_ATOMIC_BATCH
from schemas.records import Record
from schemas.subjects import feed, log_stream
from schemas.texts import time_of


class FeedProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the FEED is: the last message of every batch, so it is never behind or ahead.

    Of the record at `log_sequence`, whose hash is `hash`, the first `published` messages
    are stored; `complete` tells whether these are all.
    """

    log_sequence: int
    hash: str
    published: int
    complete: bool


decode_progress = msgspec.json.Decoder(FeedProgress).decode

FeedMessage = tuple[str, bytes]


class FeedBatch(msgspec.Struct, frozen=True):
    """Messages to be stored together; the last one is the progress that they make."""

    messages: list[FeedMessage]
    progress: FeedProgress


class Outbox:
    """Number each channel's messages, dense from 1, and gather them into batches."""

    def __init__(self, shard: str) -> None:
        self._shard = shard
        self._source = log_stream(shard)
        self._numbers: dict[str, int] = {}
        self._subjects: dict[str, str] = {}
        self._gathered: list[FeedMessage] = []
        self._progress: FeedProgress | None = None
        self._made: FeedProgress | None = None

    @property
    def channels(self) -> Sequence[str]:
        """The channels on which there has been anything."""
        return list(self._numbers)

    def count(self, drafts: Iterable[Draft]) -> None:
        """Number drafts that are on the FEED already."""
        for draft in drafts:
            self._numbers[draft.channel] = self._numbers.get(draft.channel, 0) + 1

    def adopt(self, channel: str, number: int) -> None:
        """Go on behind `number`, the last that readers of `channel` have seen."""
        self._numbers[channel] = number

    def add(
        self, sequence: int, record: Record, drafts: Sequence[Draft], published: int = 0
    ) -> list[FeedBatch]:
        """Take the drafts of the record at `sequence`; return the batches that are full.

        The first `published` of them are on the FEED already.
        """
        full: list[FeedBatch] = []
        ts = time_of(record.time_ns)
        for position in range(published, len(drafts)):
            if len(self._gathered) >= MAX_ATOMIC_BATCH - 1:
                self._progress = _progress(sequence, record, position, complete=False)
                full.extend(self.flush())
            self._gathered.append(self._message(sequence, record, ts, drafts[position]))
        self._progress = _progress(sequence, record, len(drafts), complete=True)
        return full

    def repeat(self) -> list[FeedBatch]:
        """Return the progress made so far as a batch of its own; none if there is none."""
        return [] if self._made is None else [self._batch([], self._made)]

    def flush(self) -> list[FeedBatch]:
        """Return what was gathered as a last batch; none when there has been no record."""
        progress, self._progress = self._progress, None
        if progress is None:
            return []
        messages, self._gathered = self._gathered, []
        self._made = progress
        return [self._batch(messages, progress)]

    def _batch(self, messages: list[FeedMessage], progress: FeedProgress) -> FeedBatch:
        return FeedBatch([*messages, (feed(self._shard, PROGRESS), encode(progress))], progress)

    def _message(self, sequence: int, record: Record, ts: str, draft: Draft) -> FeedMessage:
        channel = draft.channel
        number = self._numbers[channel] = self._numbers.get(channel, 0) + 1
        subject = self._subjects.get(channel)
        if subject is None:
            subject = self._subjects[channel] = feed(self._shard, channel)
        envelope = Envelope(
            channel=channel,
            sequence_number=number,
            event_id=f"{sequence}-{draft.position}",
            log_sequence=sequence,
            ts=ts,
            source_of_truth=self._source,
            producer=record.decider,
            kind=draft.kind,
            payload=draft.payload,
        )
        return subject, encode_envelope(envelope)


def _progress(sequence: int, record: Record, published: int, *, complete: bool) -> FeedProgress:
    return FeedProgress(
        log_sequence=sequence, hash=record.hash, published=published, complete=complete
    )
