"""The read model's database in a simulation: the real projector's SQL, on SQLite in memory.

The projector's own code runs as it is, down to its statements; this stands where asyncpg
does. The two dialects differ in little, see `_translate`. Transactions follow one another,
as they do on the checkpoint's row, and one whose connection dies is rolled back.
"""

import asyncio
import json
import random
import re
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import asyncpg

from projections.store.projection import Projection
from projections.store.schemas import Live, model_ddl
from tests.sim.plan import Storing

LIVE: Final = Live(1, "simulated", 1)

_RECORDSET: Final = re.compile(r"json_to_recordset\((\?\d+)\) AS r\(([^)]*)\)")
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
        """Run one statement; raises what asyncpg would."""
        try:
            return self._database.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise AssertionError(f"{error}: not SQLite's words: {statement}") from error
        except sqlite3.IntegrityError as error:
            raise asyncpg.IntegrityConstraintViolationError(str(error)) from error

    def fill(self, statement: str, rows: Iterable[Any]) -> None:
        """Run one statement for each row."""
        try:
            self._database.executemany(statement, rows)
        except sqlite3.IntegrityError as error:
            raise asyncpg.IntegrityConstraintViolationError(str(error)) from error

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
    """Stands for an asyncpg connection: as much of it as the projector uses."""

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

    async def execute(self, query: str, *values: Any) -> str:
        """Run a statement and return its status."""
        return (await self.run(query, values))[1]

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """Run a statement and return its rows."""
        return (await self.run(query, values))[0]

    async def fetchrow(self, query: str, *values: Any) -> Any:
        """Return the first row, or None."""
        rows = await self.fetch(query, *values)
        return rows[0] if rows else None

    async def prepare(self, query: str) -> "Statement":
        """Return a statement that can be run again and again."""
        return Statement(self, query)

    async def run(self, query: str, values: Sequence[Any]) -> tuple[list[Any], str]:
        """Run a statement, in the transaction if there is one."""
        statement = _translate(query)
        await asyncio.sleep(0)
        if statement.startswith(_IGNORED):
            return [], ""
        if self._inside:
            self._check()
            return self._run(statement, values)
        async with self._store.lock:
            self._check()
            return self._run(statement, values)

    def _run(self, statement: str, values: Sequence[Any]) -> tuple[list[Any], str]:
        result = self._store.run(statement, _plain(values))
        rows = result.fetchall() if result.description else []
        changed = len(rows) if rows else result.rowcount
        if statement.startswith("WITH "):  # of which the driver does not say it
            changed = self._store.run("SELECT changes()").fetchone()[0]
        return rows, f"DONE {max(changed, 0)}"

    def transaction(self, *, isolation: str | None, readonly: bool) -> "Transaction":
        """Return what does all until its end as one, or not at all."""
        return Transaction(self)

    async def begin(self) -> None:
        """Begin a transaction."""
        self._check()
        await self._store.lock.acquire()
        self._inside = True
        self._store.run("BEGIN")

    async def commit(self) -> None:
        """End it; the answer may get lost."""
        self._check()
        self._leave("COMMIT")
        if self._strikes(self._rates.answer_lost_e4):
            raise asyncpg.ConnectionDoesNotExistError("the connection broke after the commit")

    async def rollback(self) -> None:
        """Undo it, if the connection's end has not."""
        if self._inside:
            self._leave("ROLLBACK")

    async def copy_records_to_table(
        self, table: str, *, records: Sequence[Any], columns: Sequence[str]
    ) -> None:
        """Bring rows in."""
        self._check()
        self._stages.append(table)
        holes = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holes})"
        self._store.fill(statement, map(_plain, records))

    async def close(self, *, timeout: float | None = None) -> None:
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
            raise asyncpg.ConnectionDoesNotExistError("the connection is closed")
        if self._strikes(self._rates.fails_e4):
            self.die()
            raise asyncpg.ConnectionDoesNotExistError("the server closed the connection")

    def _strikes(self, rate_e4: int) -> bool:
        return bool(rate_e4) and self._dice.randrange(10_000) < rate_e4


class Statement:
    """A prepared statement."""

    def __init__(self, connection: Connection, query: str) -> None:
        self._connection = connection
        self._query = query
        self._status = ""

    async def fetch(self, *values: Any) -> list[Any]:
        """Run it and return its rows."""
        rows, self._status = await self._connection.run(self._query, values)
        return rows

    def get_statusmsg(self) -> str:
        """Return what the last run said at its end."""
        return self._status


class Transaction:
    """One transaction of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def start(self) -> None:
        """Begin."""
        await self._connection.begin()

    async def commit(self) -> None:
        """Keep what was done."""
        await self._connection.commit()

    async def rollback(self) -> None:
        """Undo what was done."""
        await self._connection.rollback()


@cache
def _translate(statement: str) -> str:
    """Say in SQLite's words what a statement of the projector says in Postgres's."""
    text = " ".join(statement.split())
    text = re.sub(r"\$(\d+)", r"?\1", text)
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
    for column in found[2].split(", "):
        name, _, kind = column.partition(" ")
        value = f"json_extract(value, '$.{name}')"
        columns.append(f"{f'joined({value})' if kind.endswith('[]') else value} AS {name}")
    return f"(SELECT {', '.join(columns)} FROM json_each({found[1]})) AS r"


def _joined(text: str | None) -> str | None:
    return None if text is None else "".join(json.loads(text))


def _plain(values: Sequence[Any]) -> list[Any]:
    """Turn lists into texts, for which `||` appends as well."""
    return ["".join(value) if isinstance(value, list) else value for value in values]


def _greatest(*values: Any) -> Any:
    return max((value for value in values if value is not None), default=None)


def _least(*values: Any) -> Any:
    return min((value for value in values if value is not None), default=None)
