"""The machine's clock, behind `ports.Clock`."""

import asyncio
import time


class SystemClock:
    """This machine's time. It may go back; the engine host copes with that."""

    def now_ns(self) -> int:
        """Return nanoseconds since 1970 UTC."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(seconds)


class SteadyClock(SystemClock):
    """Time since some moment or other, which never goes back and follows no correction."""

    def now_ns(self) -> int:
        """Return nanoseconds since a moment that only this process knows."""
        return time.monotonic_ns()
