"""Read a decision from a message on `cmd.admin.<key>`.

The details of refusals are our own words: a library's message may change with its version,
and an event may not.
"""

from typing import NamedTuple

from schemas.chain import digest
from schemas.codec import encode, tag_of
from schemas.decisions import (
    DECISIONS,
    SIGNED_DECISIONS,
    AnyDecision,
    Genesis,
    SignedDecision,
)
from schemas.errors import MalformedMessage, Refusal, Refused, UnknownMessage
from schemas.limits import MAX_DECISION_BYTES
from schemas.stored import Stored
from schemas.subjects import last_token


class ReadDecision(NamedTuple):
    """A decision that could be read. Its signature is not checked yet."""

    key: str
    body: str
    signature: str
    hash: str
    decision: AnyDecision | Genesis


def kind_of(decision: AnyDecision | Genesis) -> str:
    """Return the decision's name without its version, such as `list_market`."""
    return tag_of(type(decision)).partition("/")[0]


def read(message: Stored) -> ReadDecision:
    """Return the decision in `message`. Raises Refused if there is none in good form."""
    envelope = _open(message.payload)
    if envelope.key != last_token(message.subject):
        raise Refused(Refusal.BAD_KEY, "the subject names another key than the envelope")
    body = envelope.body.encode()
    if len(body) > MAX_DECISION_BYTES:
        raise Refused(Refusal.TOO_LARGE, f"a decision has at most {MAX_DECISION_BYTES} bytes")
    try:
        decision = DECISIONS.decode(body)
    except UnknownMessage:
        raise Refused(Refusal.UNKNOWN_MESSAGE, "no such decision, or not in this version") from None
    except MalformedMessage:
        raise Refused(Refusal.MALFORMED, "the body does not fit the decision it names") from None
    if encode(decision) != body:
        raise Refused(Refusal.NOT_CANONICAL, "encoding the decision again gives other bytes")
    return ReadDecision(envelope.key, envelope.body, envelope.signature, digest(body), decision)


def _open(payload: bytes) -> SignedDecision:
    try:
        return SIGNED_DECISIONS.decode(payload)
    except UnknownMessage:
        raise Refused(Refusal.UNKNOWN_MESSAGE, "only a signed decision may stand here") from None
    except MalformedMessage:
        raise Refused(Refusal.MALFORMED, "not a readable signed decision") from None
