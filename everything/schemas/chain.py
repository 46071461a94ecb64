"""Hash chains: the one that runs through an engine's records, and the notary's.

Both are SHA-256, written as 64 hexadecimal characters.
"""

from hashlib import sha256
from typing import Final

GENESIS_HASH: Final = "0" * 64
"""What comes before the first link."""


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
