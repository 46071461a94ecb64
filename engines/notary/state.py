"""What the notary remembers: how far the log is sealed, and the chain hash there."""

from typing import Final

import msgspec

from schemas.chain import GENESIS_HASH
from schemas.codec import encode


class State(msgspec.Struct):
    """The chain hash after message `through`."""

    through: int = 0
    chain: str = GENESIS_HASH


_decode: Final = msgspec.json.Decoder(State).decode


def dump(state: State) -> bytes:
    """Return the state as canonical JSON.

    The codec and the field names stay as they are: hashes of these bytes stand on logs.
    """
    return encode(state)


def load(data: bytes) -> State:
    """Return the state that `dump` wrote."""
    return _decode(data)
