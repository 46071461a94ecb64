"""Whether a message on `cmd.admin.<key>` is a decision at all, and its signer's to make.

Every check raises Refused, which the engine turns into an event. The details are of our
own wording: a library's message may change with its version, and an event may not.
"""

from typing import NamedTuple

from engines.governance.limits import MAX_COUNTER, MAX_DECISION_LIFE_NS
from engines.governance.people import ROLE_NEEDED, may
from engines.governance.state import State
from schemas import signatures
from schemas.chain import digest
from schemas.codec import encode, tag_of
from schemas.decisions import (
    DECISIONS,
    SIGNED_DECISIONS,
    AnyDecision,
    Genesis,
    SignedDecision,
)
from schemas.errors import (
    BadSignature,
    MalformedMessage,
    Refusal,
    Refused,
    UnknownMessage,
)
from schemas.limits import MAX_DECISION_BYTES
from schemas.stored import Stored
from schemas.subjects import last_token


class Signed(NamedTuple):
    """A readable decision. Its signature is not checked yet."""

    key: str
    body: str
    signature: str
    hash: str
    decision: AnyDecision | Genesis


def kind_of(decision: AnyDecision | Genesis) -> str:
    """Return the decision's name without its version, such as `list_market`."""
    return tag_of(type(decision)).partition("/")[0]


def read(message: Stored) -> Signed:
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
    return Signed(envelope.key, envelope.body, envelope.signature, digest(body), decision)


def _open(payload: bytes) -> SignedDecision:
    try:
        return SIGNED_DECISIONS.decode(payload)
    except UnknownMessage:
        raise Refused(Refusal.UNKNOWN_MESSAGE, "only a signed decision may stand here") from None
    except MalformedMessage:
        raise Refused(Refusal.MALFORMED, "not a readable signed decision") from None


def check_signature(signed: Signed) -> None:
    """Raise Refused unless the key signed exactly this body."""
    try:
        signatures.verify(signed.key, signed.body.encode(), signed.signature)
    except BadSignature:
        raise Refused(Refusal.BAD_SIGNATURE, "the key did not sign this body") from None


def check_signer(state: State, signed: Signed, decision: AnyDecision, now_ns: int) -> None:
    """Raise Refused unless the signer may bring in `decision`, here, now and only once."""
    if decision.venue_id != state.venue_id:
        raise Refused(Refusal.WRONG_VENUE, f"this venue is {state.venue_id}")
    key = state.keys.get(signed.key)
    if key is None:
        raise Refused(Refusal.UNKNOWN_KEY, "this key was never enrolled")
    if not key.accepted(now_ns):
        raise Refused(Refusal.KEY_REVOKED, "revoked" if key.revoked else "rotated, and lapsed")
    check_signature(signed)
    if not key.counter < decision.counter <= MAX_COUNTER:
        raise Refused(Refusal.COUNTER_REUSED, f"the counter must be above {key.counter}")
    if decision.expires_ns <= now_ns:
        raise Refused(Refusal.EXPIRED, f"it is {now_ns} already")
    if decision.expires_ns > now_ns + MAX_DECISION_LIFE_NS:
        raise Refused(
            Refusal.EXPIRES_TOO_LATE, f"the latest is now {now_ns + MAX_DECISION_LIFE_NS}"
        )
    if not may(key.role, decision):
        needed = ROLE_NEEDED[type(decision)]
        raise Refused(Refusal.ROLE_TOO_LOW, f"{kind_of(decision)} needs {needed}, not {key.role}")
