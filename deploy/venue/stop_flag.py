"""Whether `up` has been told to stop: what a signal handler may set at any instruction.

`threading.Event` may not: its `set` takes a lock that the main thread holds for a moment in
each `wait`, and a handler runs in the main thread, which then waits for itself for ever.
"""

import time


class StopFlag:
    """Set once, never cleared."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Sleep, unless it is set; return whether it is set then."""
        if not self._is_set:
            time.sleep(seconds)
        return self._is_set
