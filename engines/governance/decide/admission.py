"""Check that the signer may make a decision. Every check raises Refused if not."""

from engines.governance.decide.people import ROLE_NEEDED, may
from engines.governance.inputs import ReadDecision, kind_of
from engines.governance.limits import MAX_COUNTER, MAX_DECISION_LIFE_NS
from engines.governance.state import State
from schemas import signatures
from schemas.decisions import AnyDecision
from schemas.errors import BadSignature, Refusal, Refused


def check_signature(signed: ReadDecision) -> None:
    """Raise Refused unless the key signed exactly this body."""
    try:
        signatures.verify(signed.key, signed.body.encode(), signed.signature)
    except BadSignature:
        raise Refused(Refusal.BAD_SIGNATURE, "the key did not sign this body") from None


def check_signer(state: State, signed: ReadDecision, decision: AnyDecision, now_ns: int) -> None:
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
