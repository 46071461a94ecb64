"""Helpers: run projectors against a simulated log, and read what they made."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from projections.store.hashes import TableHash, hash_model
from projections.store.postgres import connect
from projections.store.projector import Projector, projected_subjects
from projections.store.schemas import find_live
from projections.tables import PROJECTIONS
from schemas.stored import Stored
from schemas.subjects import matches
from tests.simulated.log import SimulatedServer
from tests.support.postgres import fetch, run
from tests.support.waiting import wait_until


def projected(server: SimulatedServer) -> list[Stored]:
    """Return the records and observations on the log that projections read."""
    wanted = projected_subjects(server.shard)
    return [
        message
        for message in server.messages()
        if any(matches(pattern, message.subject) for pattern in wanted)
    ]


def last_projected(server: SimulatedServer) -> int:
    """Return the sequence of the last message on the log that projections read."""
    return projected(server)[-1].sequence


@asynccontextmanager
async def running(projector: Projector) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(projector.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def project_all(server: SimulatedServer, dsn: str, name: str = "one") -> Projector:
    """Run a projector until it has all that is on the log now."""
    projector = Projector(server.connect(name), dsn, writer=name)
    target = last_projected(server)
    async with running(projector) as task:
        await wait_until(lambda: projector.status()["sequence"] >= target, task)
    return projector


async def hashes(dsn: str) -> dict[str, TableHash]:
    """Return the hash of every table of the live read model."""
    connection = await connect(dsn, "test")
    try:
        live = await find_live(connection)
        assert live is not None
        return await hash_model(connection, live.model, PROJECTIONS)
    finally:
        await connection.close()


def rows(dsn: str, query: str, schema: str = "rm_1") -> list[dict[str, Any]]:
    """Run one query in a read model's schema."""
    return [dict(row) for row in fetch(dsn, query, schema=schema)]


def execute(dsn: str, statement: str) -> None:
    run(dsn, statement)
