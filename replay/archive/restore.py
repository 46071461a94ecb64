"""Restore: bring an archive's messages back onto an empty log, at the sequences they had.

Appending is the last step: the whole archive has been checked before. What was broken off
goes on where the log ends, if all that stands there is the archive's. Nobody else may
append meanwhile, so no engine runs: each batch is fenced by the message before it.
"""

from collections.abc import Iterator
from itertools import islice

from replay.archive.segments_check import Archive
from replay.limits import RESTORE_BATCH_BYTES
from replay.progress import OnProgress
from schemas.errors import Fenced, InputError
from schemas.limits import MAX_ATOMIC_BATCH
from schemas.stored import Stored
from streams.log.cursor import Cursor
from streams.log.ports import Fence, Log


async def restore(log: Log, archive: Archive, progress: OnProgress | None = None) -> int:
    """Append what `archive` holds and `log` does not; return where the log ends then.

    Raises InputError when the log holds anything else, Fenced when somebody else appends
    to it meanwhile.
    """
    messages = archive.messages(log.shard)
    last = await _compare(log, messages, await log.last_sequence())
    at = 0 if last is None else last.sequence
    for batch in _batches(messages):
        subject = batch[0].subject if last is None else last.subject
        pairs = [(message.subject, message.payload) for message in batch]
        at = await log.append_batch(pairs, Fence(subject, at))
        last = batch[-1]
        if at != last.sequence:
            raise Fenced(f"sequence {last.sequence} of the archive came to stand at {at}")
        if progress is not None:
            progress(at, max(at, archive.last))
    return at


async def _compare(log: Log, messages: Iterator[Stored], end: int) -> Stored | None:
    """Go along `messages` to where the log ends; return the last one that stands there."""
    last = None
    async with Cursor(log, [f"{log.shard}.>"]) as cursor:
        async for some in cursor.read_to(end):
            for stands, archived in zip(some, _next(messages, len(some)), strict=True):
                if stands != archived:
                    raise InputError(
                        f"this log is not empty, and not this archive's: sequence "
                        f"{stands.sequence} on {stands.subject} differs"
                    )
                last = stands
    return last


def _next(messages: Iterator[Stored], count: int) -> list[Stored]:
    found = list(islice(messages, count))
    if len(found) < count:
        raise InputError("this log already holds more than the archive")
    return found


def _batches(messages: Iterator[Stored]) -> Iterator[list[Stored]]:
    """Yield atomic batches, bounded in messages and bytes."""
    batch: list[Stored] = []
    held = 0
    for message in messages:
        size = len(message.payload)
        if batch and (len(batch) == MAX_ATOMIC_BATCH or held + size > RESTORE_BATCH_BYTES):
            yield batch
            batch, held = [], 0
        batch.append(message)
        held += size
    if batch:
        yield batch
