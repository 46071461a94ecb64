"""Observations as the projector takes them: facts from outside, which can break nothing.

A record that does not fit breaks an invariant. An observation comes from what met the
world, so one that cannot be read, or is too large for a table, only leaves no rows; its
bytes are on the log and in the checkpoint's chain all the same. A later version that can
read it has other tables, which are made by a rebuild.
"""

from typing import Any, Final, assert_never

import msgspec
import structlog

from projections.limits import MAX_REQUEST_ID_CHARS
from projections.store.projection import Entry
from schemas.errors import InputError
from schemas.observations import (
    OBSERVATIONS,
    ArticleObserved,
    JobGivenUp,
    JobReported,
    JobRetried,
    LlmAvailability,
    LlmCalled,
    Observation,
    SignalsMeasured,
    SourceFetched,
    SourceListed,
    TextMeasured,
)
from schemas.stored import Stored
from schemas.subjects import is_source

_MAX_BIGINT: Final = 2**63 - 1

_logger = structlog.get_logger(service="projector")


def read_observation(message: Stored) -> Entry:
    """Return what the observation in `message` says: nothing if it does not fit the tables."""
    try:
        observation = OBSERVATIONS.decode(message.payload)
    except InputError as error:
        return _nothing(message, error.code)
    if not _fits(observation):
        return _nothing(message, "does_not_fit")
    return Entry(message.sequence, _time_of(observation), [observation])


def _nothing(message: Stored, why: str) -> Entry:
    _logger.warning(
        "unreadable_observation", seq=message.sequence, subject=message.subject, why=why
    )
    return Entry(message.sequence, 0, [])


def _fits(observation: Observation) -> bool:
    """Tell whether tables can hold it: what is indexed is short, and integers have 64 bits."""
    request_id = getattr(observation, "request_id", "")
    source = getattr(observation, "source", None)
    return (
        len(request_id) <= MAX_REQUEST_ID_CHARS
        and (source is None or is_source(source))
        and _is_bounded(observation)
    )


def _is_bounded(value: Any) -> bool:
    if isinstance(value, int):
        return -_MAX_BIGINT <= value <= _MAX_BIGINT
    if isinstance(value, msgspec.Struct):
        return all(map(_is_bounded, msgspec.structs.astuple(value)))
    if isinstance(value, list):
        return all(map(_is_bounded, value))
    return True


def _time_of(observation: Observation) -> int:
    match observation:
        case ArticleObserved() | LlmAvailability():
            return observation.observed_ns
        case SourceFetched() | LlmCalled():
            return observation.ended_ns
        case SourceListed():
            return observation.listed_ns
        case JobGivenUp():
            return observation.given_up_ns
        case JobReported():
            return observation.reported_ns
        case JobRetried():
            return observation.retried_ns
        case SignalsMeasured() | TextMeasured():
            return observation.measured_ns
        case _:
            assert_never(observation)
