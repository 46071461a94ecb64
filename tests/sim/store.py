"""The read model's database in a simulation: the real projector's SQL, on SQLite in memory.

The projector's own code runs as it is, down to its statements; this stands where psycopg
does. The two dialects differ in little, see `_translate`. Transactions follow one another,
as they do on the checkpoint's row, and one whose connection dies is rolled back.
"""

import asyncio
import json
import random
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

import psycopg

from projections.store.projection import Projection
from projections.store.schemas import Live, model_ddl
from tests.sim.plan import Storing

LIVE: Final = Live(1, "simulated", 1)

_RECORDSET: Final = re.compile(r"json_to_recordset\(\?\) AS r\(([^)]*)\)")
_IGNORED: Final = ("SET ", "LOCK ")


class Store:
    """The database. It outlives its connections."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        self.tables = [table for projection in projections for table in projection.tables]
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._database.create_function("greatest", -1, _greatest, deterministic=True)
        self._database.create_function("least", -1, _least, deterministic=True)
        self._database.create_function("joined", 1, _joined, deterministic=True)
        self._database.create_function("repeat", 2, lambda text, times: text * times)
        for statement in model_ddl(projections):
            if not statement.startswith("CREATE INDEX"):
                self._database.execute(_translate(statement))
        self.lock = asyncio.Lock()

    def run(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        """Run one statement; raises what psycopg would."""
        try:
            return self._database.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise AssertionError(f"{error}: not SQLite's words: {statement}") from error
        except sqlite3.IntegrityError as error:
            raise psycopg.errors.IntegrityError(str(error)) from error

    def fill(self, statement: str, rows: Iterable[Any]) -> None:
        """Run one statement for each row."""
        try:
            self._database.executemany(statement, rows)
        except sqlite3.IntegrityError as error:
            raise psycopg.errors.IntegrityError(str(error)) from error

    def rows(self) -> dict[str, list[Any]]:
        """Return every table's rows in the order of its key."""
        return {
            table.name: self.run(
                f"SELECT {', '.join(table.columns)} FROM {table.name} "
                f"ORDER BY {', '.join(table.key)}"
            ).fetchall()
            for table in self.tables
        }

    def checkpoint(self) -> int:
        """Return how far the read model is."""
        return int(self.run("SELECT sequence FROM checkpoint").fetchone()[0])

    def close(self) -> None:
        """Let go of the memory."""
        self._database.close()


class Connection:
    """Stands for a psycopg connection: as much of it as the projector uses."""

    def __init__(self, store: Store, rates: Storing, dice: random.Random) -> None:
        self._store = store
        self._rates = rates
        self._dice = dice
        self._alive = True
        self._inside = False
        self._stages: list[str] = []
        """Staging tables with rows in them; a commit empties them."""

    def die(self) -> None:
        """Break; what is not committed is rolled back."""
        self._alive = False
        if self._inside:
            self._leave("ROLLBACK")

    def heal(self) -> None:
        """Let nothing more go wrong."""
        self._rates = Storing()

    async def execute(self, query: bytes | str, values: Any = None) -> "Cursor":
        """Run a statement, in the transaction if there is one."""
        statement = _translate(query if isinstance(query, str) else query.decode())
        await asyncio.sleep(0)
        if statement.startswith(_IGNORED):
            return Cursor(self, None)
        if self._inside:
            self._check()
            return self._run(statement, values)
        async with self._store.lock:
            self._check()
            return self._run(statement, values)

    def _run(self, statement: str, values: Any) -> "Cursor":
        result = self._store.run(statement, _plain(values or ()))
        changed = result.rowcount
        if statement.startswith("WITH "):  # of which the driver does not say it
            changed = self._store.run("SELECT changes()").fetchone()[0]
        return Cursor(self, result, changed)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Do what is inside as one, or not at all."""
        self._check()
        await self._store.lock.acquire()
        self._inside = True
        self._store.run("BEGIN")
        try:
            yield
            self._check()
        except BaseException:
            if self._inside:
                self._leave("ROLLBACK")
            raise
        self._leave("COMMIT")
        if self._strikes(self._rates.answer_lost_e4):
            raise psycopg.OperationalError("the connection broke after the commit")

    def cursor(self) -> "Cursor":
        """Return a cursor to copy with."""
        return Cursor(self, None)

    def copy(self, query: str, rows: list[Any]) -> None:
        """Bring rows in."""
        self._check()
        target = query.removeprefix("COPY ").removesuffix(" FROM STDIN")
        self._stages.append(target.partition(" ")[0])
        holes = ", ".join("?" * (target.count(",") + 1))
        self._store.fill(f"INSERT INTO {target} VALUES ({holes})", map(_plain, rows))

    async def close(self) -> None:
        """Hang up."""
        self.die()

    def _leave(self, how: str) -> None:
        self._inside = False
        stages, self._stages = self._stages, []
        for stage in stages if how == "COMMIT" else ():
            if stage.startswith("stage_"):
                self._store.run(f"DELETE FROM {stage}")
        self._store.run(how)
        self._store.lock.release()

    def _check(self) -> None:
        if not self._alive:
            raise psycopg.OperationalError("the connection is closed")
        if self._strikes(self._rates.fails_e4):
            self.die()
            raise psycopg.OperationalError("the server closed the connection")

    def _strikes(self, rate_e4: int) -> bool:
        return bool(rate_e4) and self._dice.randrange(10_000) < rate_e4


class Cursor:
    """A statement's result, or a way to copy rows in."""

    def __init__(
        self, connection: Connection, result: sqlite3.Cursor | None, changed: int = -1
    ) -> None:
        self._connection = connection
        self._rows = result.fetchall() if result is not None and result.description else []
        self.rowcount = len(self._rows) if self._rows else changed

    async def fetchone(self) -> Any:
        """Return the first row, or None."""
        return self._rows[0] if self._rows else None

    @asynccontextmanager
    async def copy(self, query: bytes) -> AsyncIterator["Copy"]:
        """Gather rows and bring them in at the end."""
        copy = Copy()
        yield copy
        self._connection.copy(query.decode(), copy.rows)

    async def __aenter__(self) -> "Cursor":
        return self

    async def __aexit__(self, *error: object) -> None: ...


class Copy:
    """Rows on their way in."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    async def write_row(self, row: Any) -> None:
        """Add one."""
        self.rows.append(row)


@cache
def _translate(statement: str) -> str:
    """Say in SQLite's words what a statement of the projector says in Postgres's."""
    text = " ".join(statement.split()).replace("%s", "?")
    text = _RECORDSET.sub(_each, text)
    text = text.replace('COLLATE "C"', "").replace("TRUNCATE ", "DELETE FROM ")
    if text.startswith("CREATE TEMP TABLE"):
        text = text.replace("CREATE TEMP TABLE", "CREATE TEMP TABLE IF NOT EXISTS")
    text = text.replace(" ON COMMIT DELETE ROWS", "").replace("[]", "")
    text = re.sub(r"\bUPDATE (\w+) (?!SET)(\w+) SET", r"UPDATE \1 AS \2 SET", text)
    return re.sub(r"(FROM \w+) ON CONFLICT", r"\1 WHERE true ON CONFLICT", text)


def _each(found: "re.Match[str]") -> str:
    """Return a subquery that makes rows of a JSON list, as json_to_recordset does."""
    columns = []
    for column in found[1].split(", "):
        name, _, kind = column.partition(" ")
        value = f"json_extract(value, '$.{name}')"
        columns.append(f"{f'joined({value})' if kind.endswith('[]') else value} AS {name}")
    return f"(SELECT {', '.join(columns)} FROM json_each(?)) AS r"


def _joined(text: str | None) -> str | None:
    return None if text is None else "".join(json.loads(text))


def _plain(values: Sequence[Any]) -> list[Any]:
    """Turn lists into texts, for which `||` appends as well."""
    return ["".join(value) if isinstance(value, list) else value for value in values]


def _greatest(*values: Any) -> Any:
    return max((value for value in values if value is not None), default=None)


def _least(*values: Any) -> Any:
    return min((value for value in values if value is not None), default=None)
