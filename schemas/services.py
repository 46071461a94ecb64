"""How a program that is trusted with a secret signs a request (EM-150).

X-Key-Id     which secret
X-Timestamp  seconds since 1970 UTC, within SERVICE_CLOCK_S of the gateway's
X-Nonce      8 to 64 of A-Z, a-z, 0-9, ., _ and -; never used before with that key
X-Signature  HMAC-SHA256, in hex, by the secret's text over method|path|timestamp|nonce|body
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from schemas.limits import MAX_KEY_ID_CHARS, MAX_NONCE_CHARS, MIN_NONCE_CHARS

_KEY_ID: Final = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_KEY_ID_CHARS - 1}}}")
_NONCE: Final = re.compile(rf"[A-Za-z0-9._-]{{{MIN_NONCE_CHARS},{MAX_NONCE_CHARS}}}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")


class ServiceSecret(NamedTuple):
    """A secret's text, and when it ceases to be accepted; None for the one that is current."""

    secret: str
    lapses_ns: int | None


ServiceKeys = Callable[[str], Sequence[ServiceSecret]]
"""Returns the secrets that go by a key id, none for an unknown one."""


class Claim(NamedTuple):
    """What the four headers of a request say."""

    key_id: str
    timestamp: str
    nonce: str
    signature: str

    def is_shaped(self) -> bool:
        """Tell whether each part is written as it must be."""
        return (
            is_key_id(self.key_id)
            and _TIMESTAMP.fullmatch(self.timestamp) is not None
            and _NONCE.fullmatch(self.nonce) is not None
            and _SIGNATURE.fullmatch(self.signature) is not None
        )


def is_key_id(text: str) -> bool:
    """Tell whether `text` can name a service key."""
    return _KEY_ID.fullmatch(text) is not None


def sign_request(
    secret: str, method: str, path: str, timestamp: str, nonce: str, body: bytes
) -> str:
    """Return the X-Signature of a request."""
    said = f"{method}|{path}|{timestamp}|{nonce}|".encode() + body
    return hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()
