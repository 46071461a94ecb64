"""What the notary decides: seals of the log's past."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.codec import Message


class Sealed1(Message, tag="sealed/1", frozen=True):
    """A seal as notary/1 wrote it: without a locator."""

    cause: int
    through: int
    chain: str


class Sealed(Message, tag="sealed/2", frozen=True):
    """`chain` is the chain hash (see `schemas.chain.link`) after message `through`.

    `locator` is that (see `schemas.locator`) of the messages from the last seal's `through`,
    exclusive, up to this one's, empty in seals of notary/1. The record that holds this event
    is signed by the venue's notary key.
    """

    cause: int
    through: int
    chain: str
    locator: str


Event = Sealed

UPCASTS: Final[Mapping[type[Message], Callable[[Any], Message]]] = {
    Sealed1: lambda old: Sealed(old.cause, old.through, old.chain, ""),
}
