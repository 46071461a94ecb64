"""The shape of a projection: its tables, and the steps that bring rows into them.

A projection is one file in `projections/tables`: DDL, and a pure function from a batch of
records and observations to changes. The function is a *gatherer*: a fresh one is made for
every batch, is handed the batch's events and observations in log order, and then says which
rows change and how. It does no I/O and remembers nothing between batches, so the cut between
batches leaves no trace.

Every table has a column `sequence`: the log sequence of the message that last changed the
row. Tables whose rows each follow from one event also have `cause`, that event's cause.

An observation comes from outside and may come twice, so a row of its own is found by its
sequence, and what it does to other rows is not `exact`: there may be none.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from schemas.codec import Message, encode

Row = Sequence[Any]

TEXT: Final = "text NOT NULL"
BIGINT: Final = "bigint NOT NULL"
BOOLEAN: Final = "boolean NOT NULL"
TEXT_LIST: Final = "text[] NOT NULL"
TEXT_OR_NULL: Final = "text"
BIGINT_OR_NULL: Final = "bigint"

SEQUENCE: Final = {"sequence": BIGINT}
CAUSE: Final = {"cause": BIGINT, "sequence": BIGINT}

_NOT_NULL: Final = " NOT NULL"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a read model. `columns` maps a name to its SQL type; `key` is primary.

    `indexes` are what follows `CREATE INDEX ON <table>`.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    indexes: tuple[str, ...] = ()

    def ddl(self) -> list[str]:
        """Return the statements that create the table, unqualified."""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        create = f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)}))"
        return [create, *(f"CREATE INDEX ON {self.name} {index}" for index in self.indexes)]

    def canonical_order(self) -> str:
        """Return the ORDER BY that is the same in every database, whatever its collation."""
        return ", ".join(
            f'{name} COLLATE "C"' if self.columns[name].startswith("text") else name
            for name in self.key
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One way of bringing rows into a table.

    Without a `statement` the rows are new and are copied straight into the table; else
    they are copied into `stage` (with `columns`) and the statement brings them on from
    there. With `exact` it must touch one row for each staged one.

    A `rare` step has no stage: its statement finds its few rows under the stage's name all
    the same. Postgres empties each stage that a connection has at every commit, so stages
    are for what trading needs.
    """

    name: str
    table: Table
    columns: Mapping[str, str]
    statement: str | None = None
    exact: bool = True
    rare: bool = False

    @property
    def stage(self) -> str:
        return f"stage_{self.name}"

    def stage_ddl(self) -> str:
        """Return the statement that creates the step's stage for one connection."""
        return f"CREATE TEMP TABLE {self.stage} ({self._nullable()}) ON COMMIT DELETE ROWS"

    def rare_statement(self) -> str:
        """Return the step as one statement without a stage; its one parameter is `rare_rows`."""
        rows = f"SELECT * FROM json_to_recordset($1) AS r({self._nullable()})"
        names = ", ".join(self.columns)
        new = f"INSERT INTO {self.table.name} ({names}) SELECT {names} FROM {self.stage}"
        return f"WITH {self.stage} AS ({rows}) {self.statement or new}"

    def rare_rows(self, rows: Sequence[Row]) -> str:
        """Return `rows` as the JSON that `rare_statement` takes."""
        return encode([dict(zip(self.columns, row, strict=True)) for row in rows]).decode()

    def _nullable(self) -> str:
        kinds = ((name, kind.removesuffix(_NOT_NULL)) for name, kind in self.columns.items())
        return ", ".join(f"{name} {kind}" for name, kind in kinds)


class Change(NamedTuple):
    """Rows for one step; a projection's changes are carried out in the order it gives them."""

    step: Step
    rows: Sequence[Row]


class Place(NamedTuple):
    """Where an event or observation stands: its message's log sequence and time.

    An observation's time is what its observer says, and need not grow along the log.
    """

    sequence: int
    time_ns: int


class Entry(NamedTuple):
    """What one message of the log says: a record's events, or the one observation."""

    sequence: int
    time_ns: int
    events: Sequence[Message]


Handler = Callable[[Any, Place], None]


class Gatherer(Protocol):
    """Gathers the row changes of one batch, event by event."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        """Return what to call for which event; other events do not concern the projection."""

    def changes(self) -> Iterable[Change]:
        """Return what the batch changes, once all its events were handled."""


@dataclass(frozen=True, slots=True)
class Projection:
    """One read model: `version` grows when the same log would lead to other rows."""

    name: str
    tables: tuple[Table, ...]
    steps: tuple[Step, ...]
    gatherer: Callable[[], Gatherer] = field(compare=False)
    version: int = 1


def gather(projections: Sequence[Projection], batch: Sequence[Entry]) -> list[Change]:
    """Return all row changes of a batch. Pure: depends on nothing but its arguments."""
    gatherers = [projection.gatherer() for projection in projections]
    handlers: dict[type[Message], list[Handler]] = {}
    for gatherer in gatherers:
        for kind, handler in gatherer.handlers().items():
            handlers.setdefault(kind, []).append(handler)
    for sequence, time_ns, events in batch:
        place = Place(sequence, time_ns)
        for event in events:
            for handle in handlers.get(type(event), ()):
                handle(event, place)
    return [
        change for gatherer in gatherers for change in gatherer.changes() if len(change.rows) > 0
    ]


def insert(table: Table) -> Step:
    """Bring in rows that cannot be there yet; one that is breaks an invariant."""
    return Step(name=table.name, table=table, columns=table.columns)


def upsert(table: Table, *, sparse: bool = False, rare: bool = False) -> Step:
    """Bring in rows or replace them by key; with `sparse`, None leaves a column as it was."""
    names = list(table.columns)
    values = [name for name in names if name not in table.key]
    sets = ", ".join(
        f"{name} = coalesce(excluded.{name}, {table.name}.{name})"
        if sparse
        else f"{name} = excluded.{name}"
        for name in values
    )
    name = f"{table.name}_upsert"
    statement = (
        f"INSERT INTO {table.name} ({', '.join(names)}) "
        f"SELECT {', '.join(names)} FROM stage_{name} "
        f"ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {sets}"
    )
    return Step(name, table, table.columns, statement, rare=rare)


def patch(
    name: str,
    table: Table,
    columns: Sequence[str],
    *,
    sparse: bool = False,
    exact: bool = True,
    rare: bool = False,
) -> Step:
    """Replace some columns of rows, found by the table's key, that must be there if `exact`.

    With `sparse`, None leaves a column as it was.
    """
    staged = {column: table.columns[column] for column in (*table.key, *columns)}
    sets = ", ".join(
        f"{column} = coalesce(s.{column}, t.{column})" if sparse else f"{column} = s.{column}"
        for column in columns
    )
    on = " AND ".join(f"t.{column} = s.{column}" for column in table.key)
    full = f"{table.name}_{name}"
    statement = f"UPDATE {table.name} t SET {sets} FROM stage_{full} s WHERE {on}"
    return Step(full, table, staged, statement, exact, rare)


class InOrder:
    """Changes kept in log order, for events so rare that nothing is gained by merging them.

    Neighbouring rows of one step go together as long as their keys differ.
    """

    def __init__(self) -> None:
        self._changes: list[tuple[Step, dict[Hashable, Row]]] = []

    def add(self, step: Step, row: Row) -> None:
        """Append one row; the step's first column is what the row is found by."""
        key = row[0]
        if self._changes:
            last, rows = self._changes[-1]
            if last is step and key not in rows:
                rows[key] = row
                return
        self._changes.append((step, {key: row}))

    def changes(self) -> list[Change]:
        return [Change(step, list(rows.values())) for step, rows in self._changes]


class Ordinal:
    """Counts a projection's rows within one message, from 0."""

    def __init__(self) -> None:
        self._sequence = 0
        self._next = 0

    def of(self, at: Place) -> int:
        """Return the ordinal of the next row that comes from the message at `at`."""
        if at.sequence != self._sequence:
            self._sequence, self._next = at.sequence, 0
        ordinal = self._next
        self._next += 1
        return ordinal


def clean(text: str) -> str:
    """Return `text` as Postgres can hold it: the log may carry NUL, a text column may not."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
