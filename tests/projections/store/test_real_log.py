"""The projector over a real nats-server that is killed while it works."""

from pathlib import Path

import pytest

from projections.store.projector import Projector
from projections.store.rebuild import rebuild
from schemas.limits import MAX_ATOMIC_BATCH
from tests.projections.reading import hashes, last_projected, project_all, running
from tests.projections.real import busy_day
from tests.projections.story import told
from tests.support.nats import nats_server
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until


@pytest.mark.slow
@pytest.mark.parametrize("real", [True, False])
async def test_a_killed_server_costs_nothing_but_time(
    dsn: str, postgres: PostgresServer, tmp_path: Path, real: bool
) -> None:
    told_of = busy_day(seed=5, commands=1500).server if real else told(5, 300).scribe.server
    messages = told_of.messages()
    half = len(messages) // 2
    async with nats_server(tmp_path) as server:
        log = await server.connect("projector")
        writer = await server.connect("writer")
        projector = Projector(log, dsn)
        async with running(projector) as task:
            last = 0
            for part in (messages[:half], messages[half:]):
                for start in range(0, len(part), MAX_ATOMIC_BATCH):
                    chunk = part[start : start + MAX_ATOMIC_BATCH]
                    last = await writer.append_batch([(m.subject, m.payload) for m in chunk])
                await wait_until(lambda: projector.status()["sequence"] > 0, task)
                if part[-1].sequence == half:
                    await server.kill9()
                    await server.start()
                    await writer.close()
                    writer = await server.connect("writer")
            assert last == messages[-1].sequence
            target = last_projected(told_of)
            await wait_until(lambda: projector.status()["sequence"] == target, task)
        report = await rebuild(log, dsn, switch=True)
        assert report.equal
        await log.close()
        await writer.close()
    other = postgres.new_database()
    await project_all(told_of, other)
    assert await hashes(dsn) == await hashes(other)
