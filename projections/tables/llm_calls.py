"""llm_calls (EM-43) and llm_mode: what the LLM was asked and said, and whether it can be.

A call is found by the log sequence of its LlmCalled; `request_id` is that of the event
(`<cluster>-<symbol>`) that it is about. The engine says later whether it counts.
"""

from collections.abc import Mapping
from typing import Any, Final

from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    SEQUENCE,
    TEXT,
    TEXT_LIST,
    TEXT_OR_NULL,
    Change,
    Handler,
    Place,
    Projection,
    Table,
    clean,
    insert,
    patch,
    upsert,
)
from schemas.codec import Message
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


class _Gatherer:
    def __init__(self) -> None:
        self._calls: list[tuple[Any, ...]] = []
        self._answers: dict[int, tuple[Any, ...]] = {}
        self._mode: list[Any] = [_WORKER, *(None for _ in range(len(MODE.columns) - 1))]

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            LlmCalled: self._called,
            LlmAnswered: self._answered,
            LlmModeChanged: self._mode_changed,
            LlmAvailability: self._available,
        }

    def changes(self) -> list[Change]:
        modes = [self._mode] if self._mode[-1] is not None else []
        return [
            Change(_CALL, self._calls),
            Change(_ANSWER, list(self._answers.values())),
            Change(_MODE, modes),
        ]

    def _called(self, event: LlmCalled, at: Place) -> None:
        answer = event.answer
        said: tuple[Any, ...] = (None, None, None, None, [])
        if answer is not None:
            said = (
                clean(answer.summary),
                clean(answer.rationale),
                answer.impact_e2,
                answer.confidence_bp,
                [clean(one) for one in answer.snapshot_ids],
            )
        self._calls.append(
            (
                at.sequence,
                event.request,
                clean(event.request_id),
                UNDECIDED,
                clean(event.prompt),
                clean(event.input_hash),
                clean(event.model),
                clean(event.raw_output),
                clean(event.error),
                *said,
                event.started_ns,
                event.ended_ns,
                at.sequence,
            )
        )

    def _answered(self, event: LlmAnswered, at: Place) -> None:
        """The cause of LlmAnswered is the sequence of the call."""
        self._answers[event.cause] = (event.cause, event.status, at.sequence)

    def _mode_changed(self, event: LlmModeChanged, at: Place) -> None:
        self._mode[1:4] = event.mode, clean(event.reason), event.until_ns or 0
        self._mode[-1] = at.sequence

    def _available(self, event: LlmAvailability, at: Place) -> None:
        self._mode[4:] = (
            event.mode,
            clean(event.reason),
            clean(event.prompt),
            clean(event.model),
            event.observed_ns,
            at.sequence,
        )


PROJECTION = Projection("llm_calls", (CALLS, MODE), (_CALL, _ANSWER, _MODE), _Gatherer)
