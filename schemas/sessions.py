"""What an account's key signs to open a session at the gateway. It is never on the log."""

import msgspec

from schemas.codec import encode


class SessionOpening(msgspec.Struct, tag="session_opening/1", tag_field="type", frozen=True):
    """Prove to the venue `venue_id` that the signer holds the key of `account`.

    `nonce` is the gateway's challenge, so a captured proof opens nothing.
    """

    account: str
    nonce: str
    venue_id: str


def opening_text(account: str, nonce: str, venue_id: str) -> bytes:
    """Return the exact bytes to sign."""
    return encode(SessionOpening(account, nonce, venue_id))
