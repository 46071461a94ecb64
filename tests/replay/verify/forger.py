"""Ways to falsify a log, as well as one can without the venue's keys."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from schemas.records import EVENT_MESSAGES, Record, seal
from schemas.stored import Stored
from schemas.subjects import events

Change = Callable[[Record], Record]
Sign = Callable[[bytes], str]


def records_of(messages: Sequence[Stored], engine: str) -> list[Stored]:
    return [message for message in messages if message.subject == events("main", engine)]


def forge(
    messages: Sequence[Stored], sequence: int, change: Change, sign: Sign | None = None
) -> list[Stored]:
    """Change the record at `sequence` and chain all later records of its engine to it anew."""
    forged = list(messages)
    engine = EVENT_MESSAGES.decode(forged[sequence - 1].payload).engine
    prev = ""
    for message in records_of(messages, engine):
        if message.sequence < sequence:
            continue
        record = EVENT_MESSAGES.decode(message.payload)
        record = change(record) if message.sequence == sequence else replace(record, prev=prev)
        data, prev = seal(
            replace(record, hash="", signature=""), sign or _kept_signature(record.signature)
        )
        forged[message.sequence - 1] = message._replace(payload=data)
    return forged


def _kept_signature(signature: str) -> Sign | None:
    return (lambda _: signature) if signature else None


def flip(messages: Sequence[Stored], sequence: int, place: int, bit: int = 0) -> list[Stored]:
    """Flip one bit of one byte."""
    flipped = list(messages)
    payload = bytearray(flipped[sequence - 1].payload)
    payload[place % len(payload)] ^= 1 << bit
    flipped[sequence - 1] = flipped[sequence - 1]._replace(payload=bytes(payload))
    return flipped


def swap(messages: Sequence[Stored], one: int, other: int) -> list[Stored]:
    """Have two messages change places."""
    swapped = list(messages)
    a, b = swapped[one - 1], swapped[other - 1]
    swapped[one - 1] = b._replace(sequence=one)
    swapped[other - 1] = a._replace(sequence=other)
    return swapped
