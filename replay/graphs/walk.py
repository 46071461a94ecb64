"""Walk along a log once, from its first message to where it ends as the walk begins."""

from collections.abc import Callable, Sequence

from replay.progress import OnProgress
from schemas.stored import Stored
from schemas.subjects import covering
from streams.log.cursor import Cursor
from streams.log.ports import Log

Take = Callable[[Stored], None]


async def walk(
    log: Log,
    subjects: Sequence[str],
    take: Take,
    *,
    until: int | None = None,
    progress: OnProgress | None = None,
) -> int:
    """Hand every message on `subjects` (no wildcards) to `take`; return the walk's end.

    That is `until`, or the last sequence there is, if that is less. Raises LogUnavailable when
    the log does not give what stands on it.
    """
    last = await log.last_sequence()
    end = last if until is None else min(until, last)
    # A message of these subjects stands at the target or behind it, so the walk gets there.
    newest = await _last_on(log, subjects)
    target = min(end, newest)
    if not target:
        return end
    wanted = frozenset(subjects)
    async with Cursor(log, [covering(list(subjects))]) as cursor:
        async for messages in cursor.read_to(target, exact=target == newest):
            for message in messages:
                if message.subject in wanted:
                    take(message)
            if progress is not None:
                progress(cursor.position, target)
    return end


async def _last_on(log: Log, subjects: Sequence[str]) -> int:
    """Return the sequence of the last message on any of `subjects`, 0 for none."""
    stored = [await log.last(subject) for subject in subjects]
    return max((message.sequence for message in stored if message is not None), default=0)
