"""Decide: accept a decision, let it wait for more signatures, or add one to a waiting one."""

from engines.governance.decide import admission, effects, people, rules
from engines.governance.inputs import ReadDecision, kind_of
from engines.governance.limits import MAX_PENDING_DECISIONS
from engines.governance.state import PendingDecision, State
from schemas.decisions import DECISIONS, AnyDecision, CoSign, Genesis
from schemas.errors import Refusal, Refused
from schemas.events.governance import (
    DecisionAccepted,
    DecisionCoSigned,
    DecisionPending,
    Event,
)


def judge(state: State, sequence: int, signed: ReadDecision, now_ns: int) -> list[Event]:
    """Return what a decision leads to. Raises Refused if that is nothing."""
    decision = signed.decision
    if isinstance(decision, Genesis):
        return _judge_genesis(state, sequence, signed, decision)
    if not state.venue_id:
        raise Refused(Refusal.NO_GENESIS, "no venue is founded on this log yet")
    admission.check_signer(state, signed, decision, now_ns)
    if isinstance(decision, CoSign):
        return _judge_co_sign(state, sequence, signed, decision, now_ns)
    rules.check(state, signed.key, decision, now_ns)
    needed = people.signers_needed(state, decision, now_ns)
    if needed > 1:
        return [_pending(state, sequence, signed, decision, needed)]
    return [
        DecisionAccepted(
            cause=sequence,
            key=signed.key,
            counter=decision.counter,
            kind=kind_of(decision),
            decision_hash=signed.hash,
            signers=[signed.key],
        ),
        *effects.effects(state, sequence, [signed.key], decision, now_ns),
    ]


def _judge_genesis(
    state: State, sequence: int, signed: ReadDecision, genesis: Genesis
) -> list[Event]:
    if state.venue_id:
        raise Refused(Refusal.GENESIS_EXISTS, f"this venue is {state.venue_id}")
    if genesis.root_key != signed.key:
        raise Refused(Refusal.BAD_KEY, "a genesis is signed by the root key that it names")
    admission.check_signature(signed)
    rules.check_genesis(genesis)
    kind = kind_of(genesis)
    return [
        DecisionAccepted(
            cause=sequence,
            key=signed.key,
            counter=0,
            kind=kind,
            decision_hash=signed.hash,
            signers=[signed.key],
        ),
        *effects.found(sequence, signed.hash, genesis),
    ]


def _pending(
    state: State, sequence: int, signed: ReadDecision, decision: AnyDecision, needed: int
) -> DecisionPending:
    # The text does not name its signer, so two people can sign the very same one.
    if signed.hash in state.pending:
        raise Refused(Refusal.ALREADY_SIGNED, "this very text waits already: co-sign it")
    if len(state.pending) >= MAX_PENDING_DECISIONS:
        raise Refused(Refusal.TOO_MANY_PENDING, f"{MAX_PENDING_DECISIONS} wait already")
    return DecisionPending(
        cause=sequence,
        key=signed.key,
        counter=decision.counter,
        kind=kind_of(decision),
        decision_hash=signed.hash,
        body=signed.body,
        signers=[signed.key],
        signers_needed=needed,
        expires_ns=decision.expires_ns,
    )


def _judge_co_sign(
    state: State, sequence: int, signed: ReadDecision, co_sign: CoSign, now_ns: int
) -> list[Event]:
    pending = state.pending.get(co_sign.decision_hash)
    if pending is None:
        raise Refused(Refusal.UNKNOWN_DECISION, "no decision with this hash waits for signatures")
    if pending.expires_ns <= now_ns:
        raise Refused(Refusal.EXPIRED, "the decision that it is for has expired")
    decision = _waiting_decision(pending)
    _check_still_good(state, pending, decision, now_ns)
    signers = people.standing_signers(state, decision, pending.signers, now_ns)
    holder = state.keys[signed.key].holder
    if any(state.keys[name].holder == holder for name in signers):
        raise Refused(Refusal.ALREADY_SIGNED, "its person has signed this decision")
    signers.append(signed.key)
    hash_ = co_sign.decision_hash
    co_signed = DecisionCoSigned(sequence, signed.key, co_sign.counter, hash_)
    if len(signers) < pending.signers_needed:
        return [co_signed]
    kind, proposer = kind_of(decision), pending.signers[0]
    return [
        co_signed,
        DecisionAccepted(
            cause=sequence,
            key=proposer,
            counter=decision.counter,
            kind=kind,
            decision_hash=hash_,
            signers=signers,
        ),
        *effects.effects(state, sequence, signers, decision, now_ns),
    ]


def _waiting_decision(pending: PendingDecision) -> AnyDecision:
    decision = DECISIONS.decode(pending.body.encode())
    if isinstance(decision, Genesis):
        raise Refused(Refusal.UNKNOWN_DECISION, "a genesis waits for nobody")
    return decision


def _check_still_good(
    state: State, pending: PendingDecision, decision: AnyDecision, now_ns: int
) -> None:
    """Raise Refused if what was good when proposed no longer is: other decisions came between."""
    proposer = pending.signers[0]
    if not people.standing_signers(state, decision, [proposer], now_ns):
        raise Refused(Refusal.ROLE_TOO_LOW, "whoever proposed it may no longer decide it")
    try:
        rules.check(state, proposer, decision, now_ns)
    except Refused as refused:
        detail = f"the decision no longer holds: {refused.detail}"
        raise Refused(refused.refusal, detail) from None
