"""Evolve: what a seal does to the notary's state."""

from typing import Final

from engines.kernel import EventHandlers
from engines.notary.state import State
from schemas.errors import BrokenInvariant
from schemas.events.notary import Sealed


def _sealed(state: State, event: Sealed) -> None:
    if event.through <= state.through:
        raise BrokenInvariant(f"a seal of {event.through} follows one of {state.through}")
    state.through, state.chain = event.through, event.chain


EVENT_HANDLERS: Final[EventHandlers[State]] = {Sealed: _sealed}
