"""Decide: the seal of a group of messages."""

from collections.abc import Sequence

from engines.notary.state import State
from schemas.chain import link
from schemas.errors import LogGap
from schemas.events.notary import Sealed
from schemas.locator import checksum, locator
from schemas.stored import Stored


def seal_group(state: State, inputs: Sequence[Stored]) -> Sequence[Sealed]:
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
