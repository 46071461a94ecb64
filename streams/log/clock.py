"""The machine's clock, behind `ports.Clock`."""

import asyncio
import time


class SystemClock:
    """Time as this machine has it. It may step back; the engine host bears that."""

    def now_ns(self) -> int:
        """Return nanoseconds since 1970 UTC."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(seconds)
