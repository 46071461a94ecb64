"""The notary: every message of the log in, signed seals of its hash chain out.

A store that lost or changed messages may go on under the same sequences; a seal that was
kept elsewhere shows it. The notary's own records are part of the log and of the chain: a seal
covers everything up to `through`, and the next seal covers the record of this one.

The notary has no `inputs.py`: it chains the bytes of its inputs and reads nothing in them.
"""

from collections.abc import Sequence
from typing import Final

from engines.kernel import Grouping, apply_event
from engines.notary import decide
from engines.notary.evolve import EVENT_HANDLERS
from engines.notary.limits import SEAL_AFTER_NS
from engines.notary.state import State, dump, load
from schemas import subjects
from schemas.events import Event
from schemas.events.notary import Sealed
from schemas.limits import SEAL_EVERY_MESSAGES
from schemas.stored import Stored

DECIDER: Final = "notary/2"


class NotaryEngine:
    """Chain every message of a shard's log and seal the chain at the end of each group.

    The engine's host hands every message to exactly one group, in order, the notary's own
    records included, and signs the records with the notary key.
    """

    name = subjects.NOTARY
    decider = DECIDER
    grouping = Grouping(max_inputs=SEAL_EVERY_MESSAGES, linger_ns=SEAL_AFTER_NS)

    def __init__(self, shard: str = subjects.DEFAULT_SHARD) -> None:
        self.reads = (f"{shard}.>",)

    def initial(self) -> State:
        """Return the state of an empty log."""
        return State()

    def decide(self, state: State, message: Stored, now_ns: int) -> Sequence[Sealed]:
        """Return nothing: only a whole group is sealed."""
        return ()

    def on_group_end(self, state: State, inputs: Sequence[Stored], now_ns: int) -> Sequence[Sealed]:
        """Seal the group. Raises LogGap unless it continues the chain without a gap."""
        return decide.seal_group(state, inputs)

    def weight(self, event: Event) -> int:
        return 1

    def evolve(self, state: State, event: Event) -> None:
        apply_event(self.name, EVENT_HANDLERS, state, event)

    def next_due_ns(self, state: State) -> int | None:
        """Return None: time alone seals nothing."""
        return None

    def dump(self, state: State) -> bytes:
        return dump(state)

    def load(self, data: bytes) -> State:
        return load(data)
