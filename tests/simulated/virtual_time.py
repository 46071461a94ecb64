"""Virtual time: an event loop that never waits, and a clock that follows it.

When nothing is ready to run, the loop moves its own time to the next timer instead of
sleeping. A run is then as fast as its work and, with no real sockets or threads in it,
the same every time.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

from schemas.units import SECOND_NS

T = TypeVar("T")

START_NS: Final = 1_800_000_000 * SECOND_NS
"""When virtual time begins, in nanoseconds since 1970 UTC: any fixed moment would do."""
REAL_WAIT_S: Final = 10.0
"""How long a loop with no timer waits for a thread before it calls itself stuck."""


class _Selector(selectors.BaseSelector):
    """Pass the wait for I/O on to `move` as a span of virtual time."""

    def __init__(self, move: Callable[[float], None]) -> None:
        self._inner = selectors.DefaultSelector()
        self._move = move

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready = self._inner.select(REAL_WAIT_S)
            if not ready:
                raise RuntimeError("the simulation is stuck: nothing will ever happen again")
            return ready
        ready = self._inner.select(0)
        if not ready and timeout > 0:
            self._move(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time moves only when nothing else is left to do.

    `on_move` hears of every move, with the time that it led to.
    """

    def __init__(self, on_move: Callable[[float], None] | None = None) -> None:
        self._virtual_s = 0.0
        self._on_move = on_move
        super().__init__(_Selector(self._move))

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._virtual_s

    def _move(self, seconds: float) -> None:
        self._virtual_s += seconds
        if self._on_move is not None:
            self._on_move(self._virtual_s)


class VirtualClock:
    """A `ports.Clock` on the running loop's time. Several may stand on one loop, each skewed."""

    def __init__(self, start_ns: int = START_NS) -> None:
        self._start_ns = start_ns

    def now_ns(self) -> int:
        """Return nanoseconds since 1970 UTC, in virtual time."""
        return self._start_ns + round(asyncio.get_running_loop().time() * SECOND_NS)

    def jump(self, nanoseconds: int) -> None:
        """Set this clock forward, or back if negative."""
        self._start_ns += nanoseconds

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass."""
        await asyncio.sleep(seconds)


def simulate(main: Coroutine[Any, Any, T], on_move: Callable[[float], None] | None = None) -> T:
    """Run `main` to its end in virtual time and return its result."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(on_move)) as runner:
        return runner.run(main)
