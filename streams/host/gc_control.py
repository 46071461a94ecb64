"""Garbage collection by hand, for processes that hold a large state and must not pause.

Messages and orders are trees, so reference counting frees them. The collector would only
walk the whole state now and then and find nothing, which takes hundreds of milliseconds for
a million orders. So after the fold the state is frozen (the collector ignores it) and
automatic collection is off. The host has the young garbage, which comes from exceptions and
tasks, collected every few records.
"""

import gc
from typing import Final

_YOUNG: Final = 1


class ManualCollection:
    """The collector of one process. Call `settle` after loading and `step` now and then."""

    def settle(self) -> None:
        """Collect once, freeze the objects that remain, and turn automatic collection off."""
        gc.disable()
        gc.collect()
        gc.freeze()

    def step(self) -> None:
        """Collect the garbage of the last records."""
        gc.collect(_YOUNG)

    def release(self) -> None:
        """Return to automatic collection."""
        gc.unfreeze()
        gc.enable()
