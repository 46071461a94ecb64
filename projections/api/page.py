"""Lists: which part of one is asked for, under which conditions, and how it is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, NamedTuple, Self, TypeVar

from fastapi import Depends

from projections.api.context import AsOf
from projections.api.store import At, ReadView, Row
from schemas.errors import MalformedMessage
from schemas.http import MAX_INT64, PAGE_ROWS, Limit, NameCursor, NumberCursor, PositionCursor

Cursor = TypeVar("Cursor", int, str, tuple[int, int], tuple[int, str])

_MAX_POSITION_DIGITS: Final = 18


class Conditions:
    """Conditions of a query, and their parameters.

    A condition that is not asked for is left out, so that Postgres sees which index will do.
    """

    def __init__(self) -> None:
        self.params: list[Any] = []
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        return " AND ".join(self._texts) or "true"

    def add(self, text: str, *params: Any) -> Self:
        """Ask for one thing more; `text` is this package's own, with `{}` for each parameter."""
        self._texts.append(text.format(*map(self.parameter, params)))
        return self

    def parameter(self, value: Any) -> str:
        """Add a parameter to the query and return what stands for it there."""
        self.params.append(value)
        return f"${len(self.params)}"

    def equal(self, column: str, value: Any) -> Self:
        """Ask that `column` is `value`, unless that is None."""
        return self if value is None else self.add(f"{column} = {{}}", value)

    def status(self, value: str | None) -> Self:
        """Ask for a status, which is a literal of this package's own, unless it is None.

        It becomes text of the query: Postgres uses no partial index for a parameter.
        """
        return self if value is None else self.add(f"status = '{value}'")


class Slice(NamedTuple):
    """The rows of one page, and whether there are more behind them."""

    rows: Sequence[Row]
    more: bool

    def next(self, cursor_of: Callable[[Row], str]) -> str | None:
        """Return the cursor to go on with, None at the end."""
        return cursor_of(self.rows[-1]) if self.more else None


@dataclass(frozen=True)
class Page(Generic[Cursor]):
    """The page of a list that a request asks for, and as of when."""

    at: At
    cursor: Cursor
    limit: int

    async def read(self, view: ReadView, select: str, where: Conditions, order: str) -> Slice:
        """Return the page's rows. One more row is asked for, to see whether there is more."""
        rows = where.parameter(self.limit + 1)
        query = f"{select} WHERE {where.text} ORDER BY {order} LIMIT {rows}"
        found = await view.all(query, where.params)
        return Slice(found[: self.limit], len(found) > self.limit)


def position_of(text: str | None) -> tuple[int, int]:
    """Read a cursor such as `4711-0`, a sequence and an index within it; None is the end.

    Raises MalformedMessage for anything else.
    """
    if text is None:
        return MAX_INT64, 0
    sequence, _, index = text.partition("-")
    digits = sequence.isdecimal() and index.isdecimal()
    if not digits or len(sequence + index) > _MAX_POSITION_DIGITS:
        raise MalformedMessage(f"not a cursor: {text!r}")
    return int(sequence), int(index)


def day_and_name(text: str | None) -> tuple[int, str]:
    """Read a cursor such as `20787-RAIN`, a day and a name within it; None is the end.

    Raises MalformedMessage for anything else.
    """
    if text is None:
        return MAX_INT64, ""
    day, dash, name = text.partition("-")
    good = day.isdecimal() and dash and name.isascii() and name.isprintable()
    if not good or len(day) > _MAX_POSITION_DIGITS:
        raise MalformedMessage(f"not a cursor: {text!r}")
    return int(day), name


async def _by_number(at: AsOf, limit: Limit = PAGE_ROWS, before: NumberCursor = None) -> Page[int]:
    return Page(at, MAX_INT64 if before is None else before, limit)


async def _by_name(at: AsOf, limit: Limit = PAGE_ROWS, after: NameCursor = None) -> Page[str]:
    return Page(at, after or "", limit)


async def _by_position(
    at: AsOf, limit: Limit = PAGE_ROWS, before: PositionCursor = None
) -> Page[tuple[int, int]]:
    return Page(at, position_of(before), limit)


async def _by_day(
    at: AsOf, limit: Limit = PAGE_ROWS, before: PositionCursor = None
) -> Page[tuple[int, str]]:
    return Page(at, day_and_name(before), limit)


NumberPage = Annotated[Page[int], Depends(_by_number)]
"""A page of a list that goes down from a number."""
NamePage = Annotated[Page[str], Depends(_by_name)]
"""A page of a list that goes up from a name."""
PositionPage = Annotated[Page[tuple[int, int]], Depends(_by_position)]
"""A page of a list that goes down from a position: a sequence and an index within it."""
DayPage = Annotated[Page[tuple[int, str]], Depends(_by_day)]
"""A page of a list that goes down from a day, and within one up from a name."""
