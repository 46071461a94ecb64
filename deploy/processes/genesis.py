"""Waiting for the genesis, which is a log's first message: nobody may observe before it."""

import asyncio
from typing import Final

from schemas.limits import GENESIS_POLL_MS
from streams.log.ports import Log

_POLL_S: Final = GENESIS_POLL_MS / 1_000


async def wait_for_genesis(log: Log, stop: asyncio.Event) -> bool:
    """Wait until the log has its first message. Return False if `stop` comes before."""
    while not stop.is_set():
        if await log.last_sequence() > 0:
            return True
        try:
            async with asyncio.timeout(_POLL_S):
                await stop.wait()
        except TimeoutError:
            continue
    return False
