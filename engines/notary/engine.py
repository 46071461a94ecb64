"""The notary: every message of the log in, signed seals of its hash chain out.

A store that lost or changed messages may go on under the same sequences; whoever keeps a
seal can tell. The notary's own records are part of the log and so of the chain: a seal
covers everything up to `through`, and its own record falls under the next one.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from engines.kernel import Grouping
from engines.notary.limits import SEAL_AFTER_NS
from schemas import events as all_events
from schemas import signatures, subjects
from schemas.chain import GENESIS_HASH, link
from schemas.codec import encode
from schemas.errors import BadSignature, BrokenInvariant, LogGap, UnknownRecord
from schemas.events.notary import Sealed
from schemas.limits import SEAL_EVERY_MESSAGES
from schemas.locator import checksum, locator
from schemas.records import Record
from schemas.stored import Stored

DECIDER: Final = "notary/2"


class State(msgspec.Struct):
    """The chain hash after message `through`."""

    through: int = 0
    chain: str = GENESIS_HASH


_load = msgspec.json.Decoder(State).decode


class NotaryEngine:
    """Chain every message of a shard's log and seal where the chain stands.

    Its host hands every message to exactly one group, in order, its own records included,
    and signs the records with the notary key.
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
        if not inputs:
            return ()
        through, chain = state.through, bytes.fromhex(state.chain)
        checksums = []
        for sequence, subject, payload in inputs:
            if sequence != through + 1:
                raise LogGap(f"message {sequence} follows message {through}")
            chain = link(chain, sequence, subject, payload)
            checksums.append(checksum(subject, payload))
            through = sequence
        return (Sealed(through, through, chain.hex(), locator(checksums)),)

    def weight(self, event: all_events.Event) -> int:
        return 1

    def evolve(self, state: State, event: all_events.Event) -> None:
        """Apply a seal. Raises UnknownRecord for another engine's event."""
        if not isinstance(event, Sealed):
            raise UnknownRecord(f"the notary does not decide {type(event).__name__}")
        if event.through <= state.through:
            raise BrokenInvariant(f"a seal of {event.through} follows one of {state.through}")
        state.through, state.chain = event.through, event.chain

    def next_due_ns(self, state: State) -> int | None:
        """Return None: time alone seals nothing."""
        return None

    def dump(self, state: State) -> bytes:
        """Return the state as canonical JSON."""
        return encode(state)

    def load(self, data: bytes) -> State:
        """Return the state that `dump` wrote."""
        return _load(data)


def verify_seal(record: Record, notary_key: str) -> Sealed:
    """Return the seal in `record` after checking that `notary_key` signed the record's hash.

    That the hash is the one of the record's bytes is for `records.check_hash` to say.
    Raises BadSignature when the signature does not hold, or the record holds no one seal.
    """
    if record.engine != subjects.NOTARY or len(record.events) != 1:
        raise BadSignature(f"{record.engine} record {record.number} is not a seal")
    (event,) = record.events
    if not isinstance(event, Sealed):
        raise BadSignature(f"{record.engine} record {record.number} is not a seal")
    signatures.verify(notary_key, record.hash.encode(), record.signature)
    return event
