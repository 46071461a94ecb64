"""llm_calls (EM-43) and llm_mode: what the LLM was asked and said, and whether it can be.

A call is found by the log sequence of its LlmCalled; `request_id` is that of the event
(`<cluster>-<symbol>`) that it is about. The engine says later whether it counts.
"""

from typing import Any, Final

from projections.store.collectors import AppendedInOrder, LatestByKey, MergedByKey
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    SEQUENCE,
    TEXT,
    TEXT_LIST,
    TEXT_OR_NULL,
    Projection,
    Row,
    RowPosition,
    Table,
    clean,
    insert,
    patch,
    upsert,
)
from schemas.events.reality import LlmAnswered, LlmModeChanged
from schemas.observations import LlmAvailability, LlmCalled

UNDECIDED: Final = "undecided"

CALLS = Table(
    name="llm_calls",
    columns={
        "call": BIGINT,
        "request": BIGINT,
        "request_id": TEXT,
        "status": TEXT,
        "prompt": TEXT,
        "input_hash": TEXT,
        "model": TEXT,
        "raw_output": TEXT,
        "error": TEXT,
        "summary": TEXT_OR_NULL,
        "rationale": TEXT_OR_NULL,
        "impact_e2": BIGINT_OR_NULL,
        "confidence_bp": BIGINT_OR_NULL,
        "snapshot_ids": TEXT_LIST,
        "started_ns": BIGINT,
        "ended_ns": BIGINT,
        **SEQUENCE,
    },
    key=("call",),
    indexes=("(request_id, call)",),
)
"""`status` is undecided, used, invalid, late or unknown; `error` is empty if it answered."""

MODE = Table(
    name="llm_mode",
    columns={
        "worker": TEXT,
        "mode": TEXT_OR_NULL,
        "reason": TEXT_OR_NULL,
        "until_ns": BIGINT_OR_NULL,
        "availability": TEXT_OR_NULL,
        "availability_reason": TEXT_OR_NULL,
        "prompt": TEXT_OR_NULL,
        "model": TEXT_OR_NULL,
        "observed_ns": BIGINT_OR_NULL,
        **SEQUENCE,
    },
    key=("worker",),
)
"""One row: the engine's `mode`, and what a worker said last. `until_ns` is 0 for no end."""

_CALL = insert(CALLS)
_ANSWER = patch("answer", CALLS, ("status", "sequence"), exact=False, rare=True)
_MODE = upsert(MODE, sparse=True, rare=True)
_WORKER: Final = "llm"


def _called(event: LlmCalled, at: RowPosition) -> Row:
    answer = event.answer
    answered: Row = (None, None, None, None, [])
    if answer is not None:
        answered = (
            clean(answer.summary),
            clean(answer.rationale),
            answer.impact_e2,
            answer.confidence_bp,
            [clean(one) for one in answer.snapshot_ids],
        )
    return (
        at.sequence,
        event.request,
        clean(event.request_id),
        UNDECIDED,
        clean(event.prompt),
        clean(event.input_hash),
        clean(event.model),
        clean(event.raw_output),
        clean(event.error),
        *answered,
        event.started_ns,
        event.ended_ns,
        at.sequence,
    )


def _answered(event: LlmAnswered, at: RowPosition) -> list[Row]:
    """The cause of LlmAnswered is the sequence of the call."""
    return [(event.cause, event.status, at.sequence)]


def _mode_changed(event: LlmModeChanged, at: RowPosition) -> dict[str, Any]:
    return {
        "worker": _WORKER,
        "mode": event.mode,
        "reason": clean(event.reason),
        "until_ns": event.until_ns or 0,
        "sequence": at.sequence,
    }


def _available(event: LlmAvailability, at: RowPosition) -> dict[str, Any]:
    return {
        "worker": _WORKER,
        "availability": event.mode,
        "availability_reason": clean(event.reason),
        "prompt": clean(event.prompt),
        "model": clean(event.model),
        "observed_ns": event.observed_ns,
        "sequence": at.sequence,
    }


PROJECTION = Projection(
    "llm_calls",
    (CALLS, MODE),
    (_CALL, _ANSWER, _MODE),
    lambda: (
        AppendedInOrder({LlmCalled: [(_CALL, _called)]}),
        LatestByKey(_ANSWER, {LlmAnswered: _answered}),
        MergedByKey(_MODE, {LlmModeChanged: _mode_changed, LlmAvailability: _available}),
    ),
)
