"""What stands on a venue's log, read as `verify` reads it."""

import asyncio

from schemas.limits import READ_BATCH
from schemas.stored import Stored
from tests.support.venue import Venue


def stored_messages(at: Venue) -> list[Stored]:
    """Return all messages of the log as it is now."""
    return asyncio.run(_read(at))


async def _read(at: Venue) -> list[Stored]:
    log = await at.place.log("replay")
    try:
        end = await log.last_sequence()
        reader = await log.open_reader([f"{log.shard}.>"], 0)
        found: list[Stored] = []
        while not found or found[-1].sequence < end:
            found += await reader.poll(READ_BATCH, 5)
        await reader.close()
        return found
    finally:
        await log.close()
