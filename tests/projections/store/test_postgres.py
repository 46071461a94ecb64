"""The driver's errors, transactions that end in trouble, and statements that grow stale."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from projections.store.postgres import (
    Connection,
    PreparedStatements,
    connect,
    disconnect,
    touched,
    transaction,
    typed_errors,
)
from schemas.errors import BrokenInvariant, StoreUnavailable
from tests.projections.reading import execute, rows


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[Connection]:
    execute(dsn, "CREATE TABLE numbers (n bigint PRIMARY KEY, word text)")
    connection = await connect(dsn, "test")
    yield connection
    await disconnect(connection)


async def _end(dsn: str, connection: Connection) -> None:
    """Have Postgres end a connection, and wait until that is known on this side."""
    ended = asyncio.Event()
    connection.add_termination_listener(lambda _: ended.set())
    execute(dsn, f"SELECT pg_terminate_backend({connection.get_server_pid()})")
    async with asyncio.timeout(10):
        await ended.wait()


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELECT nonsense", ()),
        ("SELECT 1 / 0", ()),
        ("INSERT INTO numbers VALUES ($1)", ("not a number",)),
        ("INSERT INTO numbers VALUES ($1)", (2**63,)),
        ("INSERT INTO numbers VALUES (1), (1)", ()),
    ],
)
async def test_a_wrong_statement_is_a_bug(
    connection: Connection, statement: str, values: tuple[object, ...]
) -> None:
    with pytest.raises(BrokenInvariant, match="try"), typed_errors("try"):
        await connection.execute(statement, *values)


async def test_a_closed_connection_may_be_replaced(dsn: str, connection: Connection) -> None:
    await _end(dsn, connection)
    for _ in range(2):
        with pytest.raises(StoreUnavailable), typed_errors("try"):
            await connection.execute("SELECT 1")


async def test_a_statement_that_takes_too_long_may_be_repeated(connection: Connection) -> None:
    await connection.execute("SET statement_timeout TO 10")
    with pytest.raises(StoreUnavailable), typed_errors("try"):
        await connection.execute("SELECT pg_sleep(10)")


@pytest.mark.parametrize("address", ["postgresql://x@127.0.0.1:1/x", "postgresql://x@/x?host=/no"])
async def test_nobody_at_the_address_may_pass(address: str) -> None:
    with pytest.raises(StoreUnavailable):
        await connect(address, "test")


async def test_a_database_that_is_not_there_yet_may_pass(dsn: str) -> None:
    with pytest.raises(StoreUnavailable):
        await connect(dsn.replace("/test_", "/absent_"), "test")


async def test_an_address_that_is_none_is_a_bug() -> None:
    with pytest.raises(BrokenInvariant):
        await connect("not an address", "test")


async def test_a_transaction_is_all_or_nothing(dsn: str, connection: Connection) -> None:
    async with transaction(connection):
        await connection.execute("INSERT INTO numbers VALUES (1)")
    with pytest.raises(ZeroDivisionError):
        async with transaction(connection):
            await connection.execute("INSERT INTO numbers VALUES (2)")
            raise ZeroDivisionError
    assert rows(dsn, "SELECT n FROM numbers", "public") == [{"n": 1}]


async def test_a_cancellation_outlives_a_rollback_that_fails(
    dsn: str, connection: Connection
) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with transaction(connection):
            inside.set()
            await asyncio.sleep(3_600)

    task = asyncio.create_task(work())
    await inside.wait()
    await _end(dsn, connection)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_statement_leaves_the_connection_fit_for_use(
    connection: Connection,
) -> None:
    async def work() -> None:
        async with transaction(connection):
            await connection.execute("SELECT pg_sleep(3600)")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await connection.fetchval("SELECT 1") == 1


async def test_a_statement_says_how_many_rows_it_touched(connection: Connection) -> None:
    run = PreparedStatements(connection).run
    assert await run("INSERT INTO numbers SELECT generate_series(1, $1::bigint)", 5) == 5
    assert await run("UPDATE numbers SET word = $1 WHERE n > 3", "big") == 2
    assert await run("UPDATE numbers SET word = $1 WHERE n > 3", "vast") == 2
    assert await run("DELETE FROM numbers WHERE n > 100") == 0
    assert await run("SET search_path TO public") == 0
    assert touched(None) == 0


async def test_a_statement_follows_the_search_path(connection: Connection) -> None:
    await connection.execute("CREATE SCHEMA other; CREATE TABLE other.numbers (n bigint)")
    await connection.execute("INSERT INTO other.numbers VALUES (7)")
    query = "SELECT count(*) FROM numbers WHERE n = $1"
    for schema, count in (("public", 0), ("other", 1), ("public", 0)):
        async with transaction(connection, snapshot=True, readonly=True):
            await connection.execute(f"SET LOCAL search_path TO {schema}")
            assert await connection.fetchval(query, 7) == count


async def test_a_statement_whose_answer_has_another_type_now_may_be_repeated(
    connection: Connection,
) -> None:
    await connection.execute("CREATE SCHEMA other; CREATE TABLE other.numbers (n text)")

    async def read(schema: str) -> None:
        async with transaction(connection, snapshot=True, readonly=True):
            await connection.execute(f"SET LOCAL search_path TO {schema}")
            await connection.fetch("SELECT n FROM numbers")

    await read("public")
    with pytest.raises(StoreUnavailable), typed_errors("read"):
        await read("other")
    await read("other")


async def test_readonly_holds(connection: Connection) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with transaction(connection, readonly=True):
            await connection.execute("INSERT INTO numbers VALUES (1)")
