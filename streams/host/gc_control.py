"""Garbage collection by hand, for processes that hold a large state and must not pause.

Messages and orders are trees, freed by reference counting. What the collector would do is
walk the whole state now and then, hundreds of milliseconds for a million orders, to find
nothing. So after the fold all that is there is frozen out of its sight, automatic
collection is off, and the host has the young garbage (from exceptions and tasks) looked at
every few records.
"""

import gc
from typing import Final

_YOUNG: Final = 1


class ManualCollection:
    """The collector of one process. `settle` after loading, `step` now and then."""

    def settle(self) -> None:
        """Collect once, then freeze what is left and turn automatic collection off."""
        gc.disable()
        gc.collect()
        gc.freeze()

    def step(self) -> None:
        """Collect what was made lately."""
        gc.collect(_YOUNG)

    def release(self) -> None:
        """Go back to automatic collection."""
        gc.unfreeze()
        gc.enable()
