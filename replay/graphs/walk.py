"""Walk along a log once, from its first message to where it ends as the walk begins."""

from collections.abc import Callable, Sequence
from typing import Final

from schemas.errors import LogUnavailable
from schemas.limits import READ_BATCH
from schemas.stored import Stored
from schemas.subjects import covering
from streams.log.ports import Log

_POLL_S: Final = 1.0
_SILENCES: Final = 30
"""Polls in a row that may bring nothing although there must be more."""

Take = Callable[[Stored], None]
Progress = Callable[[int, int], None]
"""Called now and then with the sequence reached and the one to reach."""


async def walk(
    log: Log,
    subjects: Sequence[str],
    take: Take,
    *,
    until: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Hand every message on `subjects` (no wildcards) to `take`; return the walk's end.

    That is `until`, or the last sequence there is, if that is less. Raises LogUnavailable when
    the log does not give what stands on it.
    """
    last = await log.last_sequence()
    end = last if until is None else min(until, last)
    # A message of these subjects stands at the target or behind it, so the walk gets there.
    target = min(end, await _last_on(log, subjects))
    if not target:
        return end
    wanted = frozenset(subjects)
    reader = await log.open_reader([covering(list(subjects))], 0)
    reached = silences = 0
    try:
        while reached < target:
            messages = await reader.poll(READ_BATCH, _POLL_S)
            silences = 0 if messages else silences + 1
            if silences >= _SILENCES:
                raise LogUnavailable(f"nothing can be read behind sequence {reached}")
            for message in messages:
                reached = message.sequence
                if reached > target:
                    break
                if message.subject in wanted:
                    take(message)
            if progress is not None:
                progress(min(reached, target), target)
    finally:
        await reader.close()
    return end


async def _last_on(log: Log, subjects: Sequence[str]) -> int:
    """Return the sequence of the last message on any of `subjects`, 0 for none."""
    stored = [await log.last(subject) for subject in subjects]
    return max((message.sequence for message in stored if message is not None), default=0)
