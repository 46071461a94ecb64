"""Read what others wrote: observations that may be anything, records that may not."""

import re
from typing import Final

from schemas import subjects
from schemas.codec import Codec
from schemas.errors import InputError
from schemas.events.exchange import ReviewersChecked
from schemas.observations import SIGNALS, LlmAvailability, LlmCalled, SignalsMeasured
from schemas.records import read
from schemas.stored import Stored

_LLM: Final[Codec[LlmCalled | LlmAvailability]] = Codec(LlmCalled | LlmAvailability)
_SNAPSHOT_ID: Final = re.compile("[0-9a-f]{64}")
_MOST: Final = 2**63 - 1
_CHECKED: Final = (b'"type":"reviewers_checked/1"', b'"type":"part_checked/1"')


def signals(message: Stored) -> SignalsMeasured | None:
    """Return the measurement in `message`, None if it is none that could be true."""
    try:
        read = SIGNALS.decode(message.payload)
    except InputError:
        return None
    sane = (
        0 < read.article < message.sequence
        and 0 <= read.observed_ns <= _MOST
        and subjects.is_source(read.source)
        and _SNAPSHOT_ID.fullmatch(read.snapshot_id) is not None
    )
    return read if sane else None


def llm(message: Stored) -> LlmCalled | LlmAvailability | None:
    """Return what a worker said in `message`, None if it cannot be read."""
    try:
        return _LLM.decode(message.payload)
    except InputError:
        return None


def has_approvals(payload: bytes) -> bool:
    """Tell whether a record of the exchange may have a ReviewersChecked, without decoding it."""
    return any(tag in payload for tag in _CHECKED)


def reviewers_checked(message: Stored) -> list[ReviewersChecked]:
    """Return the ReviewersChecked, of a part too, of a record of the exchange.

    Its records are big and many, and next to none has one, so bytes are looked at first.
    """
    if not has_approvals(message.payload):
        return []
    return [event for event in read(message).events if isinstance(event, ReviewersChecked)]
