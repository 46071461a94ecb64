"""Rebuilding beside the live model: equal, different, switched, rolled back."""

import asyncio

import asyncpg
import pytest

from projections.store.checkpoint import Checkpoint, Follower
from projections.store.model import Model, Switched
from projections.store.postgres import connect
from projections.store.projection import Projection
from projections.store.projector import Projector
from projections.store.rebuild import Progress, rebuild, rollback
from projections.store.schemas import ensure_live, find_live
from projections.tables import PROJECTIONS
from schemas.errors import Fenced, LogDiverged, LogUnavailable, SchemaDrift, StoreUnavailable
from streams.log import cursor
from streams.log.limits import READ_PATIENCE
from tests.projections.reading import (
    execute,
    hashes,
    last_projected,
    project_all,
    projected,
    rows,
    running,
)
from tests.projections.story import told
from tests.simulated.faults import DeliveryFault, Faults
from tests.simulated.log import SimulatedServer
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until


async def live_schema(dsn: str) -> str:
    connection = await connect(dsn, "test")
    try:
        live = await find_live(connection)
        assert live is not None
        return live.schema
    finally:
        await connection.close()


def schemas(dsn: str) -> set[str]:
    found = rows(dsn, "SELECT nspname FROM pg_namespace WHERE nspname ~ '^rm_'", "public")
    return {row["nspname"] for row in found}


async def test_a_rebuild_finds_every_table_equal_and_leaves_nothing_behind(dsn: str) -> None:
    server = told(seed=1).scribe.server
    await project_all(server, dsn)
    seen: list[Progress] = []
    report = await rebuild(server.connect("rebuild"), dsn, switch=False, progress=seen.append)
    assert report.equal
    assert {one.verdict for one in report.tables} == {"equal"}
    assert {one.name for one in report.tables} == set(await hashes(dsn))
    assert report.sequence == last_projected(server) == seen[-1].sequence
    assert report.records > 0
    assert report.events > 0
    assert not report.switched
    assert schemas(dsn) == {"rm_1"}


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer) -> tuple[SimulatedServer, str]:
    """A story and the database that it was projected into; tests leave it as it was."""
    server, dsn = told(seed=2).scribe.server, postgres.new_database()

    async def project() -> None:
        await project_all(server, dsn)

    asyncio.run(project())
    return server, dsn


@pytest.mark.parametrize("table", sorted(t.name for one in PROJECTIONS for t in one.tables))
async def test_a_single_changed_row_is_found_and_not_switched_away_from(
    shared: tuple[SimulatedServer, str], table: str
) -> None:
    server, dsn = shared
    [changed] = rows(
        dsn,
        f"UPDATE {table} SET sequence = sequence + 1 "
        f"WHERE ctid = (SELECT ctid FROM {table} LIMIT 1) RETURNING ctid::text AS place",
    )
    report = await rebuild(server.connect("rebuild"), dsn, switch=True)
    execute(
        dsn,
        f"UPDATE rm_1.{table} SET sequence = sequence - 1 WHERE ctid = '{changed['place']}'",
    )
    assert not report.equal
    assert [one.name for one in report.tables if one.verdict == "different"] == [table]
    assert not report.switched
    assert await live_schema(dsn) == "rm_1"


async def test_a_damaged_model_can_be_replaced_on_purpose(dsn: str) -> None:
    server = told(seed=3).scribe.server
    await project_all(server, dsn)
    before = await hashes(dsn)
    execute(dsn, "DELETE FROM rm_1.orders")
    log = server.connect("rebuild")
    report = await rebuild(log, dsn, switch=True, even_if_different=True)
    assert report.switched
    assert not report.equal
    assert await hashes(dsn) == before


async def test_the_projector_moves_over_by_itself_and_readers_never_go_back(dsn: str) -> None:
    story = told(seed=4)
    server = story.scribe.server
    projector = Projector(server.connect("live"), dsn)
    async with running(projector) as task:
        await wait_until(lambda: projector.status()["sequence"] == last_projected(server), task)

        async def keep_trading() -> None:
            while True:
                story.trade(1)
                await asyncio.sleep(0.001)

        trading = asyncio.create_task(keep_trading())
        seen: list[int] = []
        reading = asyncio.create_task(_watch(dsn, seen))
        for _ in range(3):
            report = await rebuild(server.connect("rebuild"), dsn, switch=True)
            assert report.equal
            assert report.switched
            await wait_until(
                lambda want=report.fresh_schema: f"rm_{projector.status()['model']}" == want,  # type: ignore[misc]
                task,
            )
        trading.cancel()
        reading.cancel()
        await asyncio.gather(trading, reading, return_exceptions=True)
        await wait_until(lambda: projector.status()["sequence"] == last_projected(server), task)
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert schemas(dsn) == {"rm_3", "rm_4"}, "the live one and the one before it"
    history = rows(dsn, "SELECT model, reason FROM control.switches ORDER BY number", "control")
    assert [(row["model"], row["reason"]) for row in history] == [
        (1, "first start"),
        (2, "rebuild"),
        (3, "rebuild"),
        (4, "rebuild"),
    ]
    assert (await rebuild(server.connect("again"), dsn, switch=False)).equal


async def _watch(dsn: str, seen: list[int]) -> None:
    """Note the sequence that a reader sees, over and over."""
    connection = await asyncpg.connect(dsn)
    try:
        while True:
            async with connection.transaction(isolation="repeatable_read"):
                live = await find_live(connection)
                assert live is not None
                sequence = await connection.fetchval(
                    f"SELECT sequence FROM {live.schema}.checkpoint"
                )
            seen.append(sequence)
            await asyncio.sleep(0.001)
    finally:
        await connection.close()


async def test_a_rollback_goes_back_and_the_projector_catches_up(dsn: str) -> None:
    story = told(seed=5)
    server = story.scribe.server
    await project_all(server, dsn)
    await rebuild(server.connect("rebuild"), dsn, switch=True)
    story.trade(10)
    await project_all(server, dsn)
    after = await hashes(dsn)
    assert (await rollback(dsn)).schema == "rm_1"
    await project_all(server, dsn)
    assert await live_schema(dsn) == "rm_1"
    assert await hashes(dsn) == after


async def test_there_is_nothing_to_roll_back_to_at_first(dsn: str) -> None:
    with pytest.raises(SchemaDrift):
        await rollback(dsn)
    await project_all(told(seed=5).scribe.server, dsn)
    with pytest.raises(SchemaDrift):
        await rollback(dsn)
    assert await live_schema(dsn) == "rm_1"


async def test_a_new_version_is_reached_by_a_rebuild_only(dsn: str) -> None:
    server = told(seed=6).scribe.server
    older = PROJECTIONS[:-1]
    projector = Projector(server.connect("old"), dsn, projections=older)
    async with running(projector) as task:
        await wait_until(lambda: projector.status()["sequence"] == last_projected(server), task)
        report = await rebuild(server.connect("rebuild"), dsn, switch=True)
        assert report.switched
        assert not report.same_version
        verdicts = {one.name: one.verdict for one in report.tables}
        assert verdicts.pop(PROJECTIONS[-1].tables[0].name) == "new"
        assert set(verdicts.values()) == {"equal"}
        await wait_until(task.done)
        with pytest.raises(SchemaDrift):
            task.result()
    await project_all(server, dsn)


async def test_a_zombie_does_not_follow_a_switch(dsn: str) -> None:
    server = told(seed=7).scribe.server
    messages = projected(server)
    connections = [await connect(dsn, "test") for _ in range(3)]
    try:
        live = await ensure_live(connections[0], PROJECTIONS)
        zombie = Model(connections[0], live.model, PROJECTIONS)
        rival = Model(connections[1], live.model, PROJECTIONS)
        await zombie.open("zombie")
        await rival.open("rival")
        await rebuild(server.connect("rebuild"), dsn, switch=True)
        batch = next(Follower(Checkpoint()).batches(messages))
        with pytest.raises(Fenced):
            await zombie.commit(batch, must_be_live=True)
        with pytest.raises(Switched):
            await rival.commit(batch, must_be_live=True)
    finally:
        for connection in connections:
            await connection.close()


async def test_a_changed_past_stops_a_rebuild_too(dsn: str) -> None:
    story = told(seed=8)
    server = story.scribe.server
    await project_all(server, dsn)
    record = projected(server)[4]
    server.replace(record.sequence, record.payload.replace(b"0", b"1", 1))
    with pytest.raises(LogDiverged, match=str(record.sequence)):
        await rebuild(server.connect("rebuild"), dsn, switch=True)
    assert schemas(dsn) == {"rm_1"}
    assert await live_schema(dsn) == "rm_1"


@pytest.mark.parametrize("change", ["lost", "replaced"])
async def test_a_changed_observation_of_the_past_is_found(dsn: str, change: str) -> None:
    server = told(seed=8).scribe.server
    await project_all(server, dsn)
    one = next(m for m in projected(server) if m.subject == "main.obs.article")
    if change == "lost":
        server.lose(one.sequence)
    else:
        server.replace(one.sequence, one.payload.replace(b'"raw":""', b'"raw":"x"'))
    report = await rebuild(server.connect("rebuild"), dsn, switch=True)
    assert not report.chain_equal
    assert not report.switched
    different = {table.name for table in report.tables if table.verdict == "different"}
    assert ("articles" in different) == (change == "lost")


class SlowAtFirst(Faults):
    """The first polls bring nothing, although there is something."""

    def __init__(self, polls: int) -> None:
        self._left = polls

    def on_poll(self, client: str) -> DeliveryFault:
        self._left -= 1
        return DeliveryFault(silent=self._left >= 0)


async def test_a_rebuild_waits_for_a_log_that_is_slow_to_answer(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursor, "READ_POLL_S", 0.01)
    server = told(seed=9).scribe.server
    await project_all(server, dsn)
    slow = server.connect("rebuild", SlowAtFirst(READ_PATIENCE - 1))
    assert (await rebuild(slow, dsn, switch=False)).equal
    with pytest.raises(LogUnavailable):
        await rebuild(server.connect("rebuild", SlowAtFirst(READ_PATIENCE)), dsn, switch=False)


async def test_one_rebuild_at_a_time_and_leftovers_are_cleared(dsn: str) -> None:
    server = told(seed=9).scribe.server
    await project_all(server, dsn)
    execute(dsn, "INSERT INTO control.models VALUES (2, 'x', 'building'); CREATE SCHEMA rm_2")
    first, second = await asyncio.gather(
        rebuild(server.connect("a"), dsn, switch=False),
        rebuild(server.connect("b"), dsn, switch=False),
        return_exceptions=True,
    )
    refused = [one for one in (first, second) if isinstance(one, StoreUnavailable)]
    assert len(refused) == 1
    assert schemas(dsn) == {"rm_1"}


async def test_there_must_be_something_to_compare_with(dsn: str) -> None:
    with pytest.raises(SchemaDrift):
        await rebuild(told(seed=9).scribe.server.connect("x"), dsn, switch=False)


async def test_an_empty_live_model_is_equal_to_an_empty_one(dsn: str) -> None:
    server = told(seed=9).scribe.server
    connection = await connect(dsn, "test")
    await ensure_live(connection, PROJECTIONS)
    await connection.close()
    report = await rebuild(server.connect("x"), dsn, switch=True)
    assert report.equal
    assert report.sequence == 0
    await project_all(server, dsn)


def test_a_projections_version_changes_the_digest() -> None:
    from projections.store.schemas import model_digest

    first = PROJECTIONS[0]
    raised = Projection(
        first.name, first.tables, first.statements, first.collectors, first.version + 1
    )
    assert model_digest([raised]) != model_digest([first])
