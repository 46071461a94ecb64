"""Locators: a few sums that name the one message that is no longer what it was.

A seal's chain hash says that something under it has changed, and not what. Its locator says
that, as a Hamming code does: one sum over all the messages, and for each bit of a message's
place among them one over those whose place has that bit. Sums are XORs of CRC-32s. Where one
message alone has changed, the sums of the bits of its place are off by the same amount as
the sum over all, and no others.

A locator proves nothing. Nobody looks at it while the chain holds.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from zlib import crc32

from schemas.limits import SEAL_EVERY_MESSAGES

_BITS: Final = 32
_SUM: Final = (1 << _BITS) - 1
_DIGITS: Final = _BITS // 4


def checksum(subject: str, payload: bytes) -> int:
    """Return the CRC-32 of a message."""
    return crc32(payload, crc32(subject.encode()))


def locator(checksums: Sequence[int]) -> str:
    """Return the locator of messages with these checksums: 8 hexadecimal digits for each sum.

    The last digits are the sum over all; before them stand those of the lowest bit, the next
    one, and so on.
    """
    sums = 0
    for place, one in enumerate(checksums):
        sums ^= one * _lanes(place)
    return f"{sums:0{_DIGITS * _count(len(checksums))}x}"


def locate(expected: str, found: str, messages: int) -> int | None:
    """Return the place, from 0, of the one of so many messages by which two locators differ.

    None if they are equal, if no one message alone can be why, or if either is no locator.
    """
    try:
        difference = int(expected, 16) ^ int(found, 16)
    except ValueError:
        return None
    whole = difference & _SUM
    if not whole or len(expected) != len(found):
        return None
    place = 0
    for bit in range(_count(messages) - 1):
        own = difference >> _BITS * (bit + 1) & _SUM
        if own not in (0, whole):
            return None
        place |= (own == whole) << bit
    return place if place < messages else None


def _count(messages: int) -> int:
    """Return how many sums there are: the one over all, and one for each bit of a place."""
    return 1 + max(messages - 1, 0).bit_length()


@lru_cache(SEAL_EVERY_MESSAGES)
def _lanes(place: int) -> int:
    """Return a number that, times a checksum, puts it into every sum that `place` is in."""
    lanes = 1
    for bit in range(place.bit_length()):
        lanes |= (place >> bit & 1) << _BITS * (bit + 1)
    return lanes
