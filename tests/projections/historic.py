"""Helpers: run historians against a simulated log, and read what they kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from projections.history.historian import Historian
from projections.history.versions import views_schema
from projections.store.checkpoint import Checkpoint, Follower
from projections.store.hashes import TableHash, hash_in, hash_model
from projections.store.model import Model
from projections.store.postgres import connect
from projections.store.projector import projected_subjects
from projections.store.schemas import ensure_live
from projections.tables import PROJECTIONS
from schemas.subjects import matches
from tests.simulated.log import SimulatedServer
from tests.support.waiting import wait_until


@asynccontextmanager
async def at_work(historian: Historian) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(historian.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def keep_all(server: SimulatedServer, dsn: str, name: str = "one") -> Historian:
    """Run a historian until it has seen all that is on the log now, and is read."""
    historian = Historian(server.connect(name), dsn, writer=name)
    end = server.last_sequence
    async with at_work(historian) as task:
        await wait_until(
            lambda: (
                historian.status()["sequence"] >= end and historian.status()["phase"] == "following"
            ),
            task,
        )
    return historian


async def hashes_at(dsn: str, sequence: int, number: int = 1) -> dict[str, TableHash]:
    """Return the hash of every table as a history has it at `sequence`."""
    connection = await connect(dsn, "test")
    try:
        await connection.execute(f"SET everything.at = '{sequence}'")
        return {
            table.name: await hash_in(connection, views_schema(number), table)
            for projection in PROJECTIONS
            for table in projection.tables
        }
    finally:
        await connection.close()


async def checkpoint_at(dsn: str, sequence: int) -> dict[str, str]:
    """Return what the view of the checkpoint says at `sequence`."""
    connection = await connect(dsn, "test")
    try:
        await connection.execute(f"SET everything.at = '{sequence}'")
        row = await connection.fetchrow(
            "SELECT message_hash, chain, ends FROM history_1_at.checkpoint"
        )
    finally:
        await connection.close()
    assert row is not None
    return {"message_hash": row[0], "chain": row[1], "ends": row[2]}


async def hashes_of_a_rebuild(
    server: SimulatedServer, dsn: str, sequence: int
) -> tuple[dict[str, TableHash], Checkpoint]:
    """Project the log up to `sequence` into an empty database, and hash every table."""
    wanted = [
        message
        for message in server.messages()
        if message.sequence <= sequence
        and any(matches(pattern, message.subject) for pattern in projected_subjects(server.shard))
    ]
    connection = await connect(dsn, "test")
    try:
        live = await ensure_live(connection, PROJECTIONS)
        model = Model(connection, live.model, PROJECTIONS)
        await model.open("fresh")
        for batch in Follower(Checkpoint()).batches(wanted):
            await model.commit(batch, must_be_live=False)
        return await hash_model(connection, live.model, PROJECTIONS), model.checkpoint
    finally:
        await connection.close()
