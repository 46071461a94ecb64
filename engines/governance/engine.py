"""The governance engine: `cmd.admin.*` in, accepted and refused decisions out."""

from collections.abc import Sequence
from typing import Final

from engines.governance import inputs
from engines.governance.decide import decisions, group_end
from engines.governance.evolve import EVENT_HANDLERS
from engines.governance.state import State, dump, load
from engines.kernel import Grouping, apply_event
from schemas import events as all_events
from schemas import subjects
from schemas.errors import Refused
from schemas.events.governance import DecisionLapsed, DecisionRefused, Event
from schemas.limits import MAX_DETAIL_CHARS
from schemas.signatures import PUBLIC_KEY_CHARS
from schemas.stored import Stored
from schemas.texts import clean

DECIDER: Final = "governance/2"


class GovernanceEngine:
    """Verify signed decisions and state their effects.

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
            signed = inputs.read(message)
            kind = inputs.kind_of(signed.decision)
            return decisions.judge(state, message.sequence, signed, now_ns)
        except Refused as refused:
            return (_refusal(message, kind, refused),)

    def on_group_end(
        self, state: State, inputs: Sequence[Stored], now_ns: int
    ) -> Sequence[DecisionLapsed]:
        """Let the decisions lapse that waited too long."""
        return group_end.on_group_end(state, now_ns)

    def weight(self, event: all_events.Event) -> int:
        return 1

    def evolve(self, state: State, event: all_events.Event) -> None:
        apply_event(self.name, EVENT_HANDLERS, state, event)

    def next_due_ns(self, state: State) -> int | None:
        return group_end.next_due_ns(state)

    def dump(self, state: State) -> bytes:
        return dump(state)

    def load(self, data: bytes) -> State:
        return load(data)


def _refusal(message: Stored, kind: str, refused: Refused) -> DecisionRefused:
    key = clean(subjects.last_token(message.subject), PUBLIC_KEY_CHARS)
    detail = clean(refused.detail, MAX_DETAIL_CHARS)
    return DecisionRefused(
        cause=message.sequence, key=key, kind=kind, code=refused.refusal.value, detail=detail
    )
