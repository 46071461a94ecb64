"""Work that ends when the process is told to stop."""

import asyncio
import contextlib
from collections.abc import Awaitable


async def run_until_stopped(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Run `work` until it ends, raising what it raises, or cancel it once `stop` is set."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not working.done():
            working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
