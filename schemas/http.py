"""What both HTTP rooms say in the same words: errors, base models, query parameters.

Commands stand in `streams/gateway`, queries in `projections/api`; neither imports the other.
Decimals are strings ("62.50"), quantities are integers, times are ISO 8601 in UTC.
"""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from schemas.limits import MAX_AT_CHARS, MAX_CURSOR_CHARS, MAX_PAGE_ROWS

MAX_INT64: Final = 2**63 - 1
PAGE_ROWS: Final = 100
"""Rows of a page when the caller does not say."""

Decimal = Annotated[str, Field(examples=["62.50"])]
Time = Annotated[str, Field(examples=["2026-05-01T12:00:00.000000Z"])]


class Out(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(frozen=True)


# -- errors --------------------------------------------------------------------------
class ErrorBody(Out):
    """What went wrong. A program reads `code`; `detail` depends on it."""

    code: Annotated[str, Field(description="Stable.", examples=["unknown_symbol"])]
    message: Annotated[str, Field(description="For people.", examples=["no market 'RAIN'"])]
    detail: Any = None


class ErrorEnvelope(Out):
    """The body of every answer with a status of 400 or above."""

    error: ErrorBody


COMMAND_ERRORS: Final = (400, 408, 413, 415, 422, 429, 503)
"""Statuses that any command may be answered with."""
QUERY_ERRORS: Final = (404, 422, 503)
"""Statuses that any query may be answered with."""

_DESCRIPTIONS: Final = {
    400: "The body is not JSON (`malformed`), or the cursor is none that a page gave.",
    401: "No valid session, or a signature that does not match or was used before.",
    403: "The key may not do this.",
    404: "No such account, market, order, event, source or review, or no such `at`.",
    408: "The body did not arrive in time.",
    409: "Refused as things stand now.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "A field or parameter is missing, out of range or makes no sense.",
    429: "More than this account or network may have: try again after `Retry-After`.",
    503: "The log or the tables cannot be reached, or a bound is reached: try again after "
    "`Retry-After`. With `append_unknown` the request may have been stored: repeat it with the "
    "same id.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of error statuses, as FastAPI's `responses` takes them."""
    return {
        status: {"model": ErrorEnvelope, "description": _DESCRIPTIONS[status]}
        for status in sorted(set(statuses))
    }


# -- query parameters ----------------------------------------------------------------
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE_ROWS, description="Rows at most.")]
NumberCursor = Annotated[
    int | None, Field(ge=0, le=MAX_INT64, description="Only what is older than this cursor.")
]
NameCursor = Annotated[
    str | None,
    Field(max_length=64, pattern=r"^[ -~]*$", description="Only what is behind this cursor."),
]
PositionCursor = Annotated[
    str | None,
    Field(
        max_length=MAX_CURSOR_CHARS,
        description="Only what is older than this cursor, as `next` gave it.",
    ),
]
WaitFor = Annotated[
    int | None,
    Field(
        ge=1,
        le=MAX_INT64,
        description="Answer only once the tables show what became of the message at this log "
        "sequence, such as that of an order; 503 `tables_behind` when that takes too long.",
    ),
]
AtText = Annotated[
    str | None,
    Field(
        max_length=MAX_AT_CHARS,
        description="Answer as of this log sequence, or as of this time (ISO 8601).",
        examples=["4711", "2026-11-20T18:00:00Z"],
    ),
]
