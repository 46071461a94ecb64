"""Tables of this version are built beside another release's, compared, switched, rolled back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from projections.store.beside import (
    BesideBuilder,
    compare_beside,
    roll_back_upgrade,
    switch_beside,
    table_versions,
)
from projections.store.postgres import connect
from projections.store.projector import Projector
from projections.store.rebuild import Progress, rebuild
from projections.store.schemas import CONTROL, model_digest
from projections.tables import PROJECTIONS
from schemas.errors import SchemaDrift, StoreUnavailable
from tests.projections.reading import execute, hashes, last_projected, project_all, rows, running
from tests.projections.story import told
from tests.simulated.log import SimulatedServer
from tests.support.waiting import wait_until


class Killed(Exception):
    pass


@asynccontextmanager
async def building(builder: BesideBuilder) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(builder.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def other_release(dsn: str, seed: int) -> SimulatedServer:
    """Project a story, and have the tables say that another release made them."""
    server = told(seed=seed).scribe.server
    await project_all(server, dsn)
    execute(dsn, "UPDATE control.models SET digest = 'another'")
    return server


async def built(server: SimulatedServer, dsn: str) -> None:
    builder = BesideBuilder(server.connect("beside"), dsn)
    async with building(builder) as task:
        await wait_until(lambda: builder.status()["phase"] == "built beside", task)
        assert not task.done()


async def test_nothing_is_built_where_nothing_differs(dsn: str) -> None:
    server = told(seed=1).scribe.server
    await BesideBuilder(server.connect("beside"), dsn).run()
    await project_all(server, dsn)
    await BesideBuilder(server.connect("beside"), dsn).run()
    assert len(rows(dsn, "SELECT * FROM control.models")) == 1


async def test_built_beside_compared_switched_and_rolled_back(dsn: str) -> None:
    server = await other_release(dsn, 2)
    before = await hashes(dsn)
    await built(server, dsn)
    versions = await table_versions(dsn)
    assert versions.needs_upgrade
    assert versions.is_built
    assert versions.own is not None
    assert versions.own.sequence == last_projected(server)
    assert await hashes(dsn) == before
    compared = await compare_beside(dsn)
    assert {one.verdict for one in compared} == {"equal"}
    assert {one.name for one in compared} == set(before)
    with pytest.raises(SchemaDrift, match="already"):
        await roll_back_upgrade(dsn)
    assert (await switch_beside(dsn, even_if_different=False)).switched
    await project_all(server, dsn)
    assert await hashes(dsn) == before
    assert (await roll_back_upgrade(dsn)).schema == "rm_1"
    assert (await table_versions(dsn)).is_built
    reasons = [row["reason"] for row in rows(dsn, "SELECT reason FROM control.switches")]
    assert reasons == ["first start", "upgrade", "upgrade rolled back"]


async def test_the_builder_ends_once_its_tables_are_live(dsn: str) -> None:
    server = await other_release(dsn, 3)
    builder = BesideBuilder(server.connect("beside"), dsn)
    async with building(builder) as task:
        await wait_until(lambda: builder.status()["phase"] == "built beside", task)
        await switch_beside(dsn, even_if_different=False)
        await asyncio.wait_for(task, 10)
    projector = Projector(server.connect("one"), dsn)
    async with running(projector) as task:
        await wait_until(lambda: projector.status()["model"] == 2, task)


async def test_an_interrupted_builder_is_gone_on_from(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one ends right after its first commit, as if it were killed."""

    def killed(progress: Progress) -> None:
        raise Killed

    monkeypatch.setattr("projections.store.rebuild.PROJECT_BATCH_RECORDS", 5)
    server = await other_release(dsn, 4)
    first = BesideBuilder(server.connect("first"), dsn)
    monkeypatch.setattr(first, "_note", killed)
    with pytest.raises(Killed):
        await first.run()
    begun = (await table_versions(dsn)).own
    assert begun is not None
    assert 0 < begun.sequence < last_projected(server)
    with pytest.raises(StoreUnavailable, match="not built"):
        await switch_beside(dsn, even_if_different=False)
    await built(server, dsn)
    models = rows(dsn, "SELECT number, state FROM control.models ORDER BY number")
    assert [tuple(row.values()) for row in models] == [(1, "ready"), (2, "ready")]
    assert {one.verdict for one in await compare_beside(dsn)} == {"equal"}


async def test_a_model_without_tables_is_not_gone_on_from(dsn: str) -> None:
    server = await other_release(dsn, 4)
    connection = await connect(dsn, "test")
    await CONTROL.add(connection, model_digest(PROJECTIONS))
    await connection.close()
    assert (await table_versions(dsn)).own is None
    await built(server, dsn)
    models = rows(dsn, "SELECT number, state FROM control.models ORDER BY number")
    assert [tuple(row.values()) for row in models] == [(1, "ready"), (2, "dropped"), (3, "ready")]


async def test_tables_that_differ_are_not_switched_to_by_mistake(dsn: str) -> None:
    server = await other_release(dsn, 5)
    execute(dsn, "UPDATE rm_1.accounts SET sequence = sequence + 1")
    await built(server, dsn)
    report = await switch_beside(dsn, even_if_different=False)
    assert (report.differing, report.switched) == (["accounts"], False)
    assert (await switch_beside(dsn, even_if_different=True)).switched


async def test_a_table_with_other_columns_is_new(dsn: str) -> None:
    server = await other_release(dsn, 6)
    execute(dsn, "ALTER TABLE rm_1.stocks DROP COLUMN region")
    await built(server, dsn)
    compared = {one.name: one.verdict for one in await compare_beside(dsn)}
    assert {name for name, verdict in compared.items() if verdict != "equal"} == {"stocks"}
    assert compared["stocks"] == "new"
    assert (await switch_beside(dsn, even_if_different=False)).switched


async def test_a_rebuild_is_a_way_out_as_ever(dsn: str) -> None:
    server = await other_release(dsn, 7)
    builder = BesideBuilder(server.connect("beside"), dsn)
    async with building(builder) as task:
        await wait_until(lambda: builder.status()["phase"] == "built beside", task)
        assert (await rebuild(server.connect("rebuild"), dsn, switch=True)).switched
        await asyncio.wait_for(task, 10)
    states = {row["number"]: row["state"] for row in rows(dsn, "SELECT * FROM control.models")}
    assert states == {1: "ready", 2: "dropped", 3: "ready"}
