"""What the notary decides: nothing but what the log's past is."""

from everything.schemas.codec import Message


class Sealed(Message, tag="sealed/1", frozen=True):
    """`chain` is the chain hash (see `schemas.chain.link`) after message `through`.

    The record that holds this event is signed by the venue's notary key.
    """

    cause: int
    through: int
    chain: str


Event = Sealed
