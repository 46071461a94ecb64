"""How often something may be asked of a process: one token bucket for each name."""

from typing import Final, NamedTuple

from schemas.errors import Busy
from schemas.units import DAY_NS, MINUTE_NS, SECOND_NS
from streams.accounts.limits import MAX_LIMITED_NAMES
from streams.log.ports import Clock


class Rate(NamedTuple):
    """`amount` in every `period_ns`, and `burst` at once after a quiet time."""

    amount: int
    period_ns: int
    burst: int


def per_second(amount: int, burst: int) -> Rate:
    return Rate(amount, SECOND_NS, burst)


def per_minute(amount: int) -> Rate:
    return Rate(amount, MINUTE_NS, amount)


def per_day(amount: int) -> Rate:
    return Rate(amount, DAY_NS, amount)


class Buckets:
    """Allow, for each name, no more than its rate times the time, and its burst.

    A bucket is one number: the time at which it will be full again (the GCRA of ITU-T I.371).
    A full bucket is the same as none, so those are forgotten. Beyond MAX_LIMITED_NAMES the
    one used longest ago is forgotten as well, which gives its name one burst more.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._full_at_ns: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._full_at_ns)

    def wait_ns(self, name: str, rate: Rate, amount: int = 1) -> int:
        """Return how long `name` must wait until it may take `amount`, 0 if it may now.

        What is more than the burst waits for as long as a whole burst takes, and for ever.
        """
        return max(0, self._after(name, rate, amount)[1])

    def take(self, name: str, rate: Rate, amount: int = 1) -> int:
        """Take `amount` if `name` may, and return as `wait_ns` does. A refusal costs nothing."""
        full_at_ns, wait_ns = self._after(name, rate, amount)
        if wait_ns > 0:
            return wait_ns
        self._full_at_ns.pop(name, None)
        self._full_at_ns[name] = full_at_ns
        if len(self._full_at_ns) > MAX_LIMITED_NAMES:
            self._forget()
        return 0

    def _after(self, name: str, rate: Rate, amount: int) -> tuple[int, int]:
        """Return when the bucket will be full once `amount` is taken, and how long to wait."""
        now_ns = self._clock.now_ns()
        # rounded up, and the burst down, so that never too much is allowed
        cost_ns = -(-amount * rate.period_ns // rate.amount)
        full_at_ns = max(self._full_at_ns.get(name, 0), now_ns) + cost_ns
        return full_at_ns, full_at_ns - now_ns - rate.burst * rate.period_ns // rate.amount

    def _forget(self) -> None:
        now_ns = self._clock.now_ns()
        kept = {name: full_at for name, full_at in self._full_at_ns.items() if full_at > now_ns}
        while len(kept) > MAX_LIMITED_NAMES * 3 // 4:
            del kept[next(iter(kept))]
        self._full_at_ns = kept


class RateLimiter:
    """Count requests by name, so many a minute. One too many is Busy."""

    def __init__(self, clock: Clock, problem: str) -> None:
        self._buckets: Final = Buckets(clock)
        self._problem: Final = problem

    def admit(self, amount: int, name: str = "") -> None:
        """Count one request of `name`, which may make `amount` a minute. Raises Busy."""
        wait_ns = self._buckets.take(name, per_minute(amount))
        if wait_ns:
            wait_s = seconds(wait_ns)
            raise Busy(f"{self._problem}; try again in {wait_s} s", wait_s)


def seconds(wait_ns: int) -> int:
    """Return the whole seconds after which a wait is over."""
    return -(-wait_ns // SECOND_NS)
