"""The three ways in which most projections collect their changes.

A table file says which event leads to which row; the base says what becomes of several rows
in one batch. `AppendedInOrder` keeps all of them, `LatestByKey` the last one for each key,
`MergedByKey` one for each key, with the columns that its events set.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from projections.store.projection import Change, Handler, Row, RowPosition, Statement
from schemas.codec import Message

RowOf = Callable[[Any, RowPosition], Row]
"""Makes the one row that follows from an event."""
RowsOf = Callable[[Any, RowPosition], Iterable[Row]]
"""Makes the rows that follow from an event, if any."""
ColumnsOf = Callable[[Any, RowPosition], Mapping[str, Any]]
"""Makes what an event sets of a row, its key included."""


class AppendedInOrder:
    """Each event leads to one row for each of its statements; all are kept, in log order.

    Neighbouring rows of a statement go to Postgres together, as long as no two of them have
    the same key.
    """

    def __init__(self, rows: Mapping[type[Message], Sequence[tuple[Statement, RowOf]]]) -> None:
        self._rows = rows
        self._changes: list[Change] = []
        self._last: list[Row] = []
        self._keys: set[Any] = set()
        self._ordinals: dict[str, tuple[int, int]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            kind: self._handler(statement, make) if not more else self._handlers(makers)
            for kind, makers in self._rows.items()
            for (statement, make), *more in [makers]
        }

    def changes(self) -> list[Change]:
        return self._changes

    def _handlers(self, makers: Sequence[tuple[Statement, RowOf]]) -> Handler:
        each = [self._handler(statement, make) for statement, make in makers]

        def handle(event: Message, at: RowPosition) -> None:
            for one in each:
                one(event, at)

        return handle

    def _handler(self, statement: Statement, make: RowOf) -> Handler:
        def handle(event: Message, at: RowPosition) -> None:
            self._append(statement, make(event, at))

        def handle_numbered(event: Message, at: RowPosition) -> None:
            handle(event, at._replace(ordinal=self._ordinal(statement, at)))

        return handle_numbered if "ordinal" in statement.columns else handle

    def _append(self, statement: Statement, row: Row) -> None:
        fits = bool(self._changes) and self._changes[-1].statement is statement
        if statement.sql is not None:  # new rows have keys of their own
            key = statement.key_of(row)
            fits = fits and key not in self._keys
            self._keys = self._keys if fits else set()
            self._keys.add(key)
        if not fits:
            self._last = []
            self._changes.append(Change(statement, self._last))
        self._last.append(row)

    def _ordinal(self, statement: Statement, at: RowPosition) -> int:
        sequence, ordinal = self._ordinals.get(statement.name, (0, 0))
        ordinal = ordinal if sequence == at.sequence else 0
        self._ordinals[statement.name] = at.sequence, ordinal + 1
        return ordinal


class LatestByKey:
    """Of several rows with one key, the one of the latest event is kept."""

    def __init__(self, statement: Statement, rows: Mapping[type[Message], RowsOf]) -> None:
        self._statement = statement
        self._makers = rows
        self._rows: dict[Any, Row] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {kind: self._handler(make) for kind, make in self._makers.items()}

    def changes(self) -> list[Change]:
        return [Change(self._statement, list(self._rows.values()))]

    def _handler(self, make: RowsOf) -> Handler:
        rows, key_of = self._rows, self._statement.key_of

        def handle(event: Message, at: RowPosition) -> None:
            for row in make(event, at):
                rows[key_of(row)] = row

        return handle


class MergedByKey:
    """Several rows with one key become one: the latest event that sets a column has its say.

    What no event of the batch set is None, which a sparse statement leaves as it was. The key
    is the statement's first column.
    """

    def __init__(self, statement: Statement, columns: Mapping[type[Message], ColumnsOf]) -> None:
        self._statement = statement
        self._makers = columns
        self._key = next(iter(statement.columns))
        self._rows: dict[Any, dict[str, Any]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {kind: self._handler(make) for kind, make in self._makers.items()}

    def changes(self) -> list[Change]:
        names = self._statement.columns
        rows = [tuple(row.get(name) for name in names) for row in self._rows.values()]
        return [Change(self._statement, rows)]

    def _handler(self, make: ColumnsOf) -> Handler:
        rows, key = self._rows, self._key

        def handle(event: Message, at: RowPosition) -> None:
            columns = make(event, at)
            row = rows.setdefault(columns[key], {})
            row.update(columns)

        return handle
