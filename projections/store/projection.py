"""What a projection is made of: tables, statements that bring rows into them, and collectors.

A projection is one file in `projections/tables`. Its collectors are a pure function from a
batch of records and observations to changes: fresh ones are made for every batch, are given
the batch's events and observations in log order, and then say which rows change and how.
They do no I/O and remember nothing between batches, so the cut between batches leaves no
trace. Most are made of the three bases in `collectors.py`.

Every table has a column `sequence`: the log sequence of the message that last changed the
row. Tables whose rows each follow from one event also have `cause`, that event's cause.

An observation comes from outside and may come twice. So its own row is found by its sequence,
and a statement that changes other rows for it is not `exact`: there may be none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
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
class Statement:
    """One way to bring rows into a table.

    Without `sql` the rows are new and are copied into the table. With it they are copied
    into `stage`, which has `columns`, and the SQL brings them on from there. An `exact`
    statement must touch one row for each staged one.

    A `rare` statement has no stage: it is given its few rows as a parameter, and finds them
    under the stage's name. Postgres empties each stage of a connection at every commit, so
    only what trading needs has one.
    """

    name: str
    table: Table
    columns: Mapping[str, str]
    sql: str | None = None
    exact: bool = True
    rare: bool = False
    stage: str = field(init=False, compare=False)
    stage_ddl: str = field(init=False, compare=False)
    """Creates the stage, for one connection."""
    direct_sql: str = field(init=False, compare=False)
    """Does the same without a stage; its one parameter is `direct_rows`."""
    key_of: Callable[[Row], Any] = field(init=False, compare=False)
    """Returns what the statement finds a row by: the table's key, else its first column."""

    def __post_init__(self) -> None:
        kinds = ((name, kind.removesuffix(_NOT_NULL)) for name, kind in self.columns.items())
        stage, columns = f"stage_{self.name}", ", ".join(f"{name} {kind}" for name, kind in kinds)
        rows = f"SELECT * FROM json_to_recordset($1) AS r({columns})"
        names = ", ".join(self.columns)
        sql = self.sql or f"INSERT INTO {self.table.name} ({names}) SELECT {names} FROM {stage}"
        places = [place for place, name in enumerate(self.columns) if name in self.table.key]
        whole = len(places) == len(self.table.key)
        made = {
            "stage": stage,
            "stage_ddl": f"CREATE TEMP TABLE {stage} ({columns}) ON COMMIT DELETE ROWS",
            "direct_sql": f"WITH {stage} AS ({rows}) {sql}",
            "key_of": itemgetter(*places) if whole else itemgetter(0),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def direct_rows(self, rows: Sequence[Row]) -> str:
        """Return `rows` as the JSON that `direct_sql` takes."""
        return encode([dict(zip(self.columns, row, strict=True)) for row in rows]).decode()


class Change(NamedTuple):
    """Rows for one statement; a batch's changes are carried out in the order they are given."""

    statement: Statement
    rows: Sequence[Row]


class RowPosition(NamedTuple):
    """Where on the log a row comes from: its message's sequence and time.

    An observation's time is what its observer says, and need not grow along the log.
    `ordinal` counts the rows of one message, from 0, for tables with a column of that name.
    """

    sequence: int
    time_ns: int
    ordinal: int = 0


class Entry(NamedTuple):
    """What one message of the log says: a record's events, or the one observation."""

    sequence: int
    time_ns: int
    events: Sequence[Message]


Handler = Callable[[Any, RowPosition], None]


class ChangeCollector(Protocol):
    """Collects the row changes of one batch, event by event."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        """Return what to call for which event; other events do not concern the collector."""

    def changes(self) -> Iterable[Change]:
        """Return what the batch changes, once all its events were handled."""


@dataclass(frozen=True, slots=True)
class Projection:
    """One read model: `version` grows when the same log would lead to other rows.

    `collectors` makes the collectors of one batch; their changes follow in that order.
    """

    name: str
    tables: tuple[Table, ...]
    statements: tuple[Statement, ...]
    collectors: Callable[[], Sequence[ChangeCollector]] = field(compare=False)
    version: int = 1
    kinds: frozenset[type[Message]] = field(init=False, compare=False)
    """The types of the events that concern it."""

    def __post_init__(self) -> None:
        kinds = frozenset(kind for one in self.collectors() for kind in one.handlers())
        object.__setattr__(self, "kinds", kinds)


def collect(projections: Sequence[Projection], batch: Sequence[Entry]) -> list[Change]:
    """Return all row changes of a batch. Pure: depends on nothing but its arguments."""
    present = {type(event) for entry in batch for event in entry.events}
    collectors = [
        collector
        for projection in projections
        if not projection.kinds.isdisjoint(present)
        for collector in projection.collectors()
    ]
    handlers: dict[type[Message], list[Handler]] = {}
    for collector in collectors:
        for kind, handler in collector.handlers().items():
            handlers.setdefault(kind, []).append(handler)
    for sequence, time_ns, events in batch:
        at = RowPosition(sequence, time_ns)
        for event in events:
            for handle in handlers.get(type(event), ()):
                handle(event, at)
    return [change for collector in collectors for change in collector.changes() if change.rows]


def insert(table: Table) -> Statement:
    """Bring in rows that cannot be there yet; one that is breaks an invariant."""
    return Statement(name=table.name, table=table, columns=table.columns)


def upsert(table: Table, *, sparse: bool = False, rare: bool = False) -> Statement:
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
    sql = (
        f"INSERT INTO {table.name} ({', '.join(names)}) "
        f"SELECT {', '.join(names)} FROM stage_{name} "
        f"ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {sets}"
    )
    return Statement(name, table, table.columns, sql, rare=rare)


def patch(
    name: str,
    table: Table,
    columns: Sequence[str],
    *,
    sparse: bool = False,
    exact: bool = True,
    rare: bool = False,
) -> Statement:
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
    sql = f"UPDATE {table.name} t SET {sets} FROM stage_{full} s WHERE {on}"
    return Statement(full, table, staged, sql, exact, rare)


def clean(text: str) -> str:
    """Return `text` as Postgres can hold it: the log may carry NUL, a text column may not."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
