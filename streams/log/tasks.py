"""Tasks that run side by side and end together."""

import asyncio
from collections.abc import Awaitable


async def run_until_first_exits(*works: Awaitable[None]) -> None:
    """Run `works` until one of them ends, then cancel the others; raise its error.

    If several end at once, the first in the order of the arguments counts.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:  # `wait` returns a set, whose order is random
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
