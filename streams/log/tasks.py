"""Several pieces of work that only live together."""

import asyncio
from collections.abc import Awaitable


async def together(*works: Awaitable[None]) -> None:
    """Run `works` until the first of them ends, then end the others; raise what it raised.

    Of several that end at once the first in the order given counts.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:  # the order of the set that `wait` returns is chance
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
