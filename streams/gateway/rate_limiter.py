"""How often something may be asked of the gateway in a minute."""

from schemas.units import MINUTE_NS
from streams.gateway.errors import Busy
from streams.log.ports import Clock


class RateLimiter:
    """Count requests by name. Only the names of the current minute are kept."""

    def __init__(self, clock: Clock, problem: str) -> None:
        self._clock = clock
        self._problem = problem
        self._minute = 0
        self._counts: dict[str, int] = {}

    def admit(self, per_minute: int, name: str = "") -> None:
        """Count one request of `name`. Raises Busy when it is one too many."""
        minute = self._clock.now_ns() // MINUTE_NS
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        count = self._counts.get(name, 0)
        if count >= per_minute:
            raise Busy(f"{self._problem}; try again in a minute")
        self._counts[name] = count + 1
