"""How stored integers are written at the public edge, and how queries are checked."""

from typing import Annotated, Any, Final

from fastapi import Query

from projections.api.models import ReadError
from schemas.errors import MalformedMessage, Refusal, Refused
from schemas.limits import MAX_PAGE_ROWS
from schemas.subjects import is_symbol
from schemas.texts import time_of
from schemas.units import to_decimal, to_fraction

MAX_INT64: Final = 2**63 - 1

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS, description="Rows at most.")]
Before = Annotated[
    int | None, Query(ge=0, le=MAX_INT64, description="Only what is older than this cursor.")
]
After = Annotated[
    str | None,
    Query(max_length=64, pattern=r"^[ -~]*$", description="Only what is behind this cursor."),
]
PlaceCursor = Annotated[
    str | None,
    Query(max_length=40, description="Only what is older than this cursor, as `next` gave it."),
]
SymbolFilter = Annotated[str | None, Query(max_length=64, examples=["RAIN-OSLO"])]
Word = Annotated[
    str | None, Query(max_length=120, pattern=r"^[^\x00-\x1f]*$", examples=["politics"])
]
PAGE: Final = 100
"""Rows of a page when the caller does not say."""

_DESCRIPTIONS: Final = {
    400: "The cursor is none that a page gave.",
    401: "No valid session.",
    404: "No such market, account, order, event, source or review, or no such `at`.",
    422: "A parameter is out of range or makes no sense.",
    503: "The read models cannot be reached; try again after `Retry-After`.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of error statuses; those of any read come on top."""
    return {
        status: {"model": ReadError, "description": _DESCRIPTIONS[status]}
        for status in sorted({*statuses, 404, 422, 503})
    }


def decimal_or_none(hundredths: int | None) -> str | None:
    return None if hundredths is None else to_decimal(hundredths)


def fraction_or_none(weight_bp: int | None) -> str | None:
    return None if weight_bp is None else to_fraction(weight_bp)


def time_or_none(time_ns: int | None) -> str | None:
    return None if time_ns is None else time_of(time_ns)


def checked_symbol(symbol: str) -> str:
    """Return `symbol` if it can be one; raises Refused as for one that is not listed."""
    if not is_symbol(symbol):
        raise unknown_symbol(symbol)
    return symbol


def unknown_symbol(symbol: str) -> Refused:
    return Refused(Refusal.UNKNOWN_SYMBOL, f"no market {symbol[:24]!r}")


def page(rows: list[Any], limit: int) -> tuple[list[Any], bool]:
    """Cut the one row off that was asked for beyond `limit`; tell whether there is more."""
    return rows[:limit], len(rows) > limit


def place_of(text: str | None) -> tuple[int, int]:
    """Read a cursor such as `4711-0`, a sequence and what it counts within it; None is the end.

    Raises MalformedMessage for anything else.
    """
    if text is None:
        return MAX_INT64, 0
    sequence, _, ordinal = text.partition("-")
    if not (sequence.isdecimal() and ordinal.isdecimal() and len(sequence + ordinal) <= 18):
        raise MalformedMessage(f"not a cursor: {text!r}")
    return int(sequence), int(ordinal)
