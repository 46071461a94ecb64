"""Find the first place where a record is not what it should be."""

from typing import Any, NamedTuple

import msgspec

from replay.limits import MAX_FINDING_CHARS
from schemas.codec import encode, tag_of
from schemas.records import Record


class Difference(NamedTuple):
    """`event` is the position in the record, None for a field of the record itself."""

    event: int | None
    field: str
    expected: str
    found: str


_HEAD = ("engine", "decider", "epoch", "number", "first_input", "last_input", "time_ns", "tick")
_TAIL = ("state_hash", "prev")


def first_difference(expected: Record, found: Record) -> Difference:
    """Return the first field, in the order of the bytes, that differs.

    When every field is the same the bytes themselves differ, which is a field of its own.
    """
    return (
        _fields(None, _HEAD, expected, found)
        or _events(expected.events, found.events)
        or _fields(None, _TAIL, expected, found)
        or Difference(None, "bytes", "canonical JSON", "another way of writing the same")
    )


def _events(expected: list[Any], found: list[Any]) -> Difference | None:
    for position, (wanted, stands) in enumerate(zip(expected, found, strict=False)):
        if wanted == stands:
            continue
        if type(wanted) is not type(stands):
            return Difference(position, "type", tag_of(type(wanted)), tag_of(type(stands)))
        return _fields(position, wanted.__struct_fields__, wanted, stands)
    if len(expected) == len(found):
        return None
    position = min(len(expected), len(found))
    return Difference(position, "event", _event(expected, position), _event(found, position))


def _event(events: list[Any], position: int) -> str:
    return quote(events[position]) if position < len(events) else "none"


def _fields(
    event: int | None, names: tuple[str, ...], expected: msgspec.Struct, found: msgspec.Struct
) -> Difference | None:
    for name in names:
        wanted, stands = getattr(expected, name), getattr(found, name)
        if wanted != stands:
            return Difference(event, name, quote(wanted), quote(stands))
    return None


def quote(value: Any) -> str:
    """Return `value` as JSON, cut at MAX_FINDING_CHARS."""
    text = encode(value).decode()
    return text if len(text) <= MAX_FINDING_CHARS else text[:MAX_FINDING_CHARS] + "…"
