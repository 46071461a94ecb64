"""Waiting for a condition, with a bound: what stands in a test instead of a sleep."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

WITHIN_S: Final = 60
LOOK_EVERY_S: Final = 0.001
"""How often a condition in this process is looked at."""
LOOK_OUTSIDE_EVERY_S: Final = 0.05
"""How often one that asks another process is."""


class NotInTime(AssertionError):
    """Something did not happen within its bound."""


def wait_for(what: str, check: Callable[[], T | None], within_s: float = WITHIN_S) -> T:
    """Return the first true result of `check`, and block meanwhile. Raises NotInTime."""
    end = time.monotonic() + within_s
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise NotInTime(f"{what}: not within {within_s} s")
        time.sleep(LOOK_OUTSIDE_EVERY_S)


async def wait_until(
    check: Callable[[], object],
    *tasks: "asyncio.Task[Any]",
    what: str = "it never came",
    within_s: float = WITHIN_S,
    every_s: float = LOOK_EVERY_S,
) -> Any:
    """Return the first true result of `check` while the loop runs on, in its own time.

    `check` may be a coroutine function. A task that ends with an error ends the wait with it.
    Raises NotInTime.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while True:
        answer = check()
        found = await answer if inspect.isawaitable(answer) else answer
        if found:
            return found
        for task in tasks:
            if task.done():
                task.result()
        if loop.time() > end:
            raise NotInTime(f"{what}: not within {within_s} s")
        await asyncio.sleep(every_s)
