"""Follow some channels of the FEED from where a reader left off.

Nothing is held here for a slow reader: what it has not taken stays on the FEED. It is
sent away once it is more than MAX_FEED_BACKLOG messages behind on a channel.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from projections.feeds.ports import FeedLog
from projections.limits import MAX_FEED_BACKLOG
from schemas.errors import MalformedMessage, TooFarBehind
from schemas.feed import decode_envelope
from schemas.limits import READ_BATCH
from schemas.stored import Stored
from schemas.subjects import feed
from streams.log.ports import Reader


class _Numbered(msgspec.Struct):
    sequence_number: int


_decode_numbered = msgspec.json.Decoder(_Numbered).decode


class _Stretch(NamedTuple):
    """What one channel has behind `after` on the FEED, up to the message with number `upto`."""

    subject: str
    after: int
    upto: int


class ChannelReader:
    """One reader of one or more channels; made by `open_channels`.

    It takes what is past channel by channel, and then follows all of them at once.
    """

    def __init__(
        self, log: FeedLog, numbers: dict[str, int], past: Sequence[_Stretch], live_after: int
    ) -> None:
        self._log = log
        self._subjects = list(numbers)
        self._numbers = numbers
        self._past = deque(past)
        self._live_after = live_after
        self._reader: Reader | None = None

    @property
    def position(self) -> str:
        """The last number of each channel, in the order asked for: where to go on."""
        return ".".join(str(number) for number in self._numbers.values())

    async def next(self, timeout_s: float) -> list[tuple[str, bytes]]:
        """Return what came, each message with the position behind it; [] if nothing did.

        Raises TooFarBehind when messages are gone before this reader took them.
        """
        if self._reader is None:
            self._reader = await self._open()
        messages = await self._reader.poll(READ_BATCH, timeout_s)
        taken = [(self.position, m.payload) for m in messages if self._is_news(m)]
        if self._past:
            stretch = self._past[0]
            if not messages or self._numbers[stretch.subject] >= stretch.upto:
                self._past.popleft()
                await self.close()
        elif len(messages) == READ_BATCH:
            await self._check_backlog()
        return taken

    async def close(self) -> None:
        """Let go of the FEED."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def _open(self) -> Reader:
        if self._past:
            return await self._log.open_reader([self._past[0].subject], self._past[0].after)
        return await self._log.open_reader(self._subjects, self._live_after)

    def _is_news(self, message: Stored) -> bool:
        """Count `message`; tell whether it is one that the reader does not have yet."""
        number = _decode_numbered(message.payload).sequence_number
        before = self._numbers[message.subject]
        if number <= before:
            return False
        if number != before + 1:
            raise TooFarBehind(f"messages {before + 1} to {number - 1} are gone")
        self._numbers[message.subject] = number
        return True

    async def _check_backlog(self) -> None:
        for last in await self._log.last_of(self._subjects):
            head = _decode_numbered(last.payload).sequence_number
            _check_distance(head, self._numbers[last.subject])


async def open_channels(
    log: FeedLog, channels: Sequence[str], since: Sequence[int] | None = None
) -> ChannelReader:
    """Follow `channels` behind the numbers in `since`, one for each.

    Without `since` a reader first gets what it needs to know how things stand: the last
    message of each channel, and of depth all from the last snapshot on. Raises
    MalformedMessage for a position ahead of the channel, TooFarBehind for one too old.
    """
    live_after = await log.last_sequence()
    numbers: dict[str, int] = {}
    past: list[_Stretch] = []
    for index, channel in enumerate(channels):
        subject = feed(log.shard, channel)
        last = await log.last(subject)
        number = _start(last, None if since is None else since[index])
        numbers[subject] = number
        head = 0 if last is None else _decode_numbered(last.payload).sequence_number
        if last is not None and number < head:
            found = await _find(log, last, number + 1)
            past.append(_Stretch(subject, found - 1, head))
    return ChannelReader(log, numbers, past, live_after)


def _start(last: Stored | None, wanted: int | None) -> int:
    """Return the number behind which a reader that wants `wanted` goes on."""
    if last is None:
        head, standing = 0, 0
    else:
        envelope = decode_envelope(last.payload)
        head = envelope.sequence_number
        standing = head - 1 - int(envelope.payload.get("since_snapshot", 0))
    if wanted is None:
        return max(0, standing)
    if wanted > head:
        raise MalformedMessage(f"position {wanted} is ahead of the channel, which is at {head}")
    _check_distance(head, wanted)
    return wanted


def _check_distance(head: int, number: int) -> None:
    if head - number > MAX_FEED_BACKLOG:
        raise TooFarBehind(f"{head - number} messages behind the channel")


async def _find(log: FeedLog, last: Stored, number: int) -> int:
    """Return the FEED sequence of the message with `number` on the subject of `last`.

    Halves the stretch of the FEED that it must be in, about 24 looks in ten million.
    """
    low, high = 1, last.sequence
    if _decode_numbered(last.payload).sequence_number == number:
        return high
    while low <= high:
        middle = (low + high) // 2
        found = await log.first_from(last.subject, middle)
        found_number = None if found is None else _decode_numbered(found.payload).sequence_number
        if found is None or found_number is None or found_number > number:
            high = middle - 1
        elif found_number < number:
            low = found.sequence + 1
        else:
            return found.sequence
    raise TooFarBehind(f"message {number} is gone")
