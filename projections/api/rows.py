"""From a row of a table to a part of an answer: a field says which column it comes from.

    price: Annotated[Decimal, as_decimal("price_ticks")]

A field without a column is the column of its own name, as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from projections.api.store import Row
from schemas.http import Out
from schemas.texts import time_of
from schemas.units import to_decimal, to_fraction


@dataclass(frozen=True)
class Column:
    """The column that a field is made from, and how; NULL stays null."""

    name: str
    convert: Callable[[Any], Any] | None = None

    def read(self, row: Row) -> Any:
        value = row[self.name]
        return value if value is None or self.convert is None else self.convert(value)


def column(name: str) -> Column:
    """Take a column as it is."""
    return Column(name)


def as_decimal(name: str) -> Column:
    """Take hundredths as a decimal."""
    return Column(name, to_decimal)


def as_fraction(name: str) -> Column:
    """Take basis points as a fraction."""
    return Column(name, to_fraction)


def as_time(name: str) -> Column:
    """Take nanoseconds as a time in ISO 8601."""
    return Column(name, time_of)


def as_time_unless_zero(name: str) -> Column:
    """Take nanoseconds as a time in ISO 8601; 0 is none."""
    return Column(name, lambda time_ns: time_of(time_ns) if time_ns else None)


class RowOut(Out):
    """A part of an answer that is made from a row."""

    _columns: ClassVar[dict[str, Column]]

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls._columns = {
            name: next((one for one in field.metadata if isinstance(one, Column)), Column(name))
            for name, field in cls.model_fields.items()
        }

    @classmethod
    def from_row(cls, row: Row, **given: Any) -> Self:
        """Return the answer's part for `row`; `given` fields come from elsewhere."""
        values = {name: one.read(row) for name, one in cls._columns.items() if name not in given}
        return cls(**values, **given)
