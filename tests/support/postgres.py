"""A real Postgres for a test session, and a fresh database for every test."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import asyncpg

from deploy.venue.postgres import Postgres
from tests.support.running import SHARED_VARIABLE, locked

STOP_WITHIN_S = 20

T = TypeVar("T")


def run(dsn: str, statements: str) -> None:
    """Run statements over a connection of their own, each on its own."""
    _over_a_connection(dsn, lambda connection: connection.execute(statements))


def fetch(dsn: str, query: str, *, schema: str = "public") -> list[asyncpg.Record]:
    """Run one query over a connection of its own, in `schema`, and return its rows."""

    async def fetching(connection: asyncpg.Connection) -> list[asyncpg.Record]:
        await connection.execute(f"SET search_path TO {schema}")
        return await connection.fetch(query)

    return _over_a_connection(dsn, fetching)


def _over_a_connection(dsn: str, use: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Connect and wait for `use` in a thread, since the caller may itself run an event loop."""

    async def connected() -> T:
        connection = await asyncpg.connect(dsn)
        try:
            return await use(connection)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, connected()).result()


def lay_out(folder: Path) -> None:
    """Make `folder` a fresh data folder: a copy of the one that this run of the tests has made.

    Outside of such a run the server makes its own, as it does where it finds none.
    """
    shared = os.environ.get(SHARED_VARIABLE)
    if shared is None or folder.exists():
        return
    template = Path(shared) / "postgres"
    with locked(template):
        if not template.exists():
            new = template.with_suffix(".new")
            new.mkdir()
            Postgres(new).initialise()
            new.rename(template)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # By `cp`, which keeps the owner: where root runs the tests, Postgres is another user.
    subprocess.run(["cp", "-a", str(template), str(folder)], check=True)


class PostgresServer:
    """One server in a temporary directory, on a Unix socket only."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="em-pg-"))
        lay_out(self.folder / "data")
        self._server = Postgres(self.folder / "data")
        self._server.start()
        self._databases = 0
        # The tests kill processes, not the machine, so nothing need reach the disk.
        run(self.dsn("postgres"), "ALTER SYSTEM SET fsync TO off")
        run(self.dsn("postgres"), "SELECT pg_reload_conf()")

    def dsn(self, database: str) -> str:
        return self._server.url_of(database)

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        self._databases += 1
        name = f"test_{self._databases}"
        run(self.dsn("postgres"), f"CREATE DATABASE {name}")
        return self.dsn(name)

    def kill9_and_restart(self) -> None:
        """Kill the postmaster and all its children without warning, and start it again."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for one in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        end = time.monotonic() + STOP_WITHIN_S
        while any(_runs(one) for one in (pid, *map(int, children))):
            assert time.monotonic() < end, "postgres survives SIGKILL"
            time.sleep(0.02)
        # Where nobody reaps orphans the dead postmaster stays a zombie, and its lock files
        # would look as if it were alive.
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        for lock in self.folder.rglob(".s.PGSQL.*"):
            lock.unlink()
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server for as long as the context lasts."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.stop()
