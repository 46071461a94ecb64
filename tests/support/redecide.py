"""Deciding an engine's records again, from its inputs and the records' own words alone.

It needs what the engines need and nothing of the tests: other interpreters run it, too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from engines.kernel import Engine, decide_group, write
from schemas.record_chain import Head
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored


class Redecided(NamedTuple):
    """One record, the inputs that it covers, and what came out this time."""

    record: Record
    data: bytes
    inputs: list[Stored]
    again: bytes
    state: Any
    """The engine's state behind this record, the same object each time."""


def redecided(
    engine: Engine[Any],
    read: Sequence[Stored],
    records: Iterable[bytes],
    sign: Callable[[bytes], str] | None = None,
) -> Iterator[Redecided]:
    """Decide each of an engine's `records` again from what it has `read`, both in order."""
    state, head, at = engine.initial(), Head(), 0
    for data in records:
        record = EVENT_MESSAGES.decode(data)
        covered = None if record.tick else (record.first_input, record.last_input)
        first = at
        while covered and at < len(read) and read[at].sequence <= covered[1]:
            at += 1
        inputs = list(read[first:at])
        group = decide_group(engine, state, inputs, record.time_ns)
        again, head = write(
            engine, state, head, record.epoch, covered, record.time_ns, group.events, sign
        )
        yield Redecided(record, data, inputs, again, state)
