"""The governance engine: `cmd.admin.*` in, accepted and refused decisions out."""

from collections.abc import Sequence
from typing import Final

import msgspec

from engines.governance import admission, effects, people, rules
from engines.governance.admission import Signed
from engines.governance.limits import MAX_PENDING_DECISIONS
from engines.governance.state import Pending, State, evolve
from engines.kernel import Grouping
from schemas import events as all_events
from schemas import subjects
from schemas.codec import encode
from schemas.decisions import DECISIONS, AnyDecision, CoSign, Genesis
from schemas.errors import Refusal, Refused, UnknownRecord
from schemas.events.governance import (
    DecisionAccepted,
    DecisionCoSigned,
    DecisionLapsed,
    DecisionPending,
    DecisionRefused,
    Event,
)
from schemas.limits import MAX_DETAIL_CHARS
from schemas.signatures import PUBLIC_KEY_CHARS
from schemas.stored import Stored
from schemas.texts import clean

DECIDER: Final = "governance/1"

_load = msgspec.json.Decoder(State).decode


class GovernanceEngine:
    """Verify signed decisions and say what they bring about.

    Every message gets one outcome with its sequence as cause: DecisionAccepted,
    DecisionPending, DecisionCoSigned (which a DecisionAccepted of the decision it completes
    may follow), or DecisionRefused, which leaves the state as it was.
    """

    name = subjects.GOVERNANCE
    decider = DECIDER
    grouping = Grouping()

    def __init__(self, shard: str = subjects.DEFAULT_SHARD) -> None:
        self.reads = (subjects.admin_command(shard, "*"),)

    def initial(self) -> State:
        """Return the state of a log with no venue on it."""
        return State()

    def decide(self, state: State, message: Stored, now_ns: int) -> Sequence[Event]:
        """Judge one message of an admin subject. Never raises."""
        kind = ""
        try:
            signed = admission.read(message)
            kind = admission.kind_of(signed.decision)
            return _judge(state, message.sequence, signed, now_ns)
        except Refused as refused:
            return (_refusal(message, kind, refused),)

    def on_group_end(
        self, state: State, inputs: Sequence[Stored], now_ns: int
    ) -> Sequence[DecisionLapsed]:
        """Let the decisions lapse that waited too long; their cause is their proposal."""
        return [
            DecisionLapsed(pending.cause, hash_)
            for hash_, pending in state.pending.items()
            if pending.expires_ns <= now_ns
        ]

    def weight(self, event: all_events.Event) -> int:
        return 1

    def evolve(self, state: State, event: all_events.Event) -> None:
        """Apply one of the governance events. Raises UnknownRecord for another engine's."""
        if not isinstance(event, Event):
            raise UnknownRecord(f"governance does not decide {type(event).__name__}")
        evolve(state, event)

    def next_due_ns(self, state: State) -> int | None:
        """Return when the next pending decision lapses."""
        return min((pending.expires_ns for pending in state.pending.values()), default=None)

    def dump(self, state: State) -> bytes:
        """Return the state as canonical JSON; its dicts keep the order of the events."""
        return encode(state)

    def load(self, data: bytes) -> State:
        """Return the state that `dump` wrote."""
        return _load(data)


def _refusal(message: Stored, kind: str, refused: Refused) -> DecisionRefused:
    key = clean(subjects.last_token(message.subject), PUBLIC_KEY_CHARS)
    detail = clean(refused.detail, MAX_DETAIL_CHARS)
    return DecisionRefused(message.sequence, key, kind, refused.refusal.value, detail)


def _judge(state: State, sequence: int, signed: Signed, now_ns: int) -> list[Event]:
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
            sequence,
            signed.key,
            decision.counter,
            admission.kind_of(decision),
            signed.hash,
            [signed.key],
        ),
        *effects.effects(state, sequence, [signed.key], decision, now_ns),
    ]


def _judge_genesis(state: State, sequence: int, signed: Signed, genesis: Genesis) -> list[Event]:
    if state.venue_id:
        raise Refused(Refusal.GENESIS_EXISTS, f"this venue is {state.venue_id}")
    if genesis.root_key != signed.key:
        raise Refused(Refusal.BAD_KEY, "a genesis is signed by the root key that it names")
    admission.check_signature(signed)
    rules.check_genesis(genesis)
    kind = admission.kind_of(genesis)
    return [
        DecisionAccepted(sequence, signed.key, 0, kind, signed.hash, [signed.key]),
        *effects.found(sequence, signed.hash, genesis),
    ]


def _pending(
    state: State, sequence: int, signed: Signed, decision: AnyDecision, needed: int
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
        kind=admission.kind_of(decision),
        decision_hash=signed.hash,
        body=signed.body,
        signers=[signed.key],
        signers_needed=needed,
        expires_ns=decision.expires_ns,
    )


def _judge_co_sign(
    state: State, sequence: int, signed: Signed, co_sign: CoSign, now_ns: int
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
    kind, proposer = admission.kind_of(decision), pending.signers[0]
    return [
        co_signed,
        DecisionAccepted(sequence, proposer, decision.counter, kind, hash_, signers),
        *effects.effects(state, sequence, signers, decision, now_ns),
    ]


def _waiting_decision(pending: Pending) -> AnyDecision:
    decision = DECISIONS.decode(pending.body.encode())
    if isinstance(decision, Genesis):
        raise Refused(Refusal.UNKNOWN_DECISION, "a genesis waits for nobody")
    return decision


def _check_still_good(state: State, pending: Pending, decision: AnyDecision, now_ns: int) -> None:
    """Raise Refused if what was good when proposed no longer is: other decisions came between."""
    proposer = pending.signers[0]
    if not people.standing_signers(state, decision, [proposer], now_ns):
        raise Refused(Refusal.ROLE_TOO_LOW, "whoever proposed it may no longer decide it")
    try:
        rules.check(state, proposer, decision, now_ns)
    except Refused as refused:
        detail = f"the decision no longer holds: {refused.detail}"
        raise Refused(refused.refusal, detail) from None
