"""Hash chains: the one that runs through an engine's records, and the notary's.

Both are SHA-256, written as 64 hexadecimal characters.
"""

from hashlib import sha256
from typing import Final

from schemas.limits import MAX_UNSEALED_MESSAGES
from schemas.locator import checksum, locate, locator
from schemas.stored import Stored

GENESIS_HASH: Final = "0" * 64
"""What comes before the first link."""

_BYTES: Final = 32


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal characters."""
    return sha256(data).hexdigest()


def link(previous: bytes, sequence: int, subject: str, payload: bytes) -> bytes:
    """Return the 32-byte chain hash after one log message.

    Lengths are part of what is hashed, so no two different messages give the same bytes.
    """
    name = subject.encode()
    head = b"%d %d %d " % (sequence, len(name), len(payload))
    return sha256(b"".join((previous, head, name, payload))).digest()


class Chain:
    """The chain hash after each message since the last seal, and after the last message."""

    def __init__(self) -> None:
        self.last = bytes(_BYTES)
        self._through = 0
        self._base = 0
        self._hashes = bytearray()
        self._checksums: list[int] = []

    def add(self, message: Stored) -> None:
        """Take the next message."""
        sequence, subject, payload = message
        self.last = link(self.last, sequence, subject, payload)
        self._through = sequence
        self._hashes += self.last
        self._checksums.append(checksum(subject, payload))
        if len(self._checksums) > MAX_UNSEALED_MESSAGES:
            self.forget(sequence)

    def at(self, sequence: int) -> str | None:
        """Return the chain hash after message `sequence`, None if it is not held."""
        if not self._base < sequence <= self._through:
            return None
        place = (sequence - self._base) * _BYTES
        return self._hashes[place - _BYTES : place].hex()

    def locator(self, through: int) -> str:
        """Return the locator of the messages since the last seal up to `through`."""
        return locator(self._checksums[: through - self._base])

    def changed(self, seal: str, through: int) -> int | None:
        """Return the one message since the last seal that differs from what `seal` locates.

        None if several messages differ, or if the locators cannot tell.
        """
        place = locate(seal, self.locator(through), through - self._base)
        return None if place is None else self._base + 1 + place

    def forget(self, through: int) -> None:
        """Forget the hashes of the messages up to `through`."""
        del self._hashes[: (through - self._base) * _BYTES]
        del self._checksums[: through - self._base]
        self._base = through
