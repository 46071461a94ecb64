"""A message as it stands on the log."""

from typing import NamedTuple


class Stored(NamedTuple):
    """`sequence` is its position in the shard's log; `payload` its exact bytes."""

    sequence: int
    subject: str
    payload: bytes
