"""Rebuilding one table alone: compared, switched, recorded, rolled back, and nothing else."""

import pytest

from projections.store.projector import Projector
from projections.store.rebuild import feeding, rebuild, rollback
from projections.tables import PROJECTIONS
from schemas.errors import NotFound, SchemaDrift
from tests.projections.reading import (
    execute,
    hashes,
    last_projected,
    project_all,
    rows,
    running,
)
from tests.projections.store.test_rebuild import live_schema, schemas
from tests.projections.story import told
from tests.support.waiting import wait_until

TABLES = [table.name for projection in PROJECTIONS for table in projection.tables]


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest) -> str:
    """One database for tests that only compare."""
    dsn: str = request.getfixturevalue("postgres").new_database()
    return dsn


@pytest.mark.parametrize("table", TABLES)
async def test_each_table_alone_comes_out_equal(table: str, shared: str) -> None:
    server = told(seed=21, records=40).scribe.server
    await project_all(server, shared)
    report = await rebuild(server.connect("rebuild"), shared, switch=False, table=table)
    assert [(one.name, one.verdict) for one in report.tables] == [(table, "equal")]
    assert report.equal
    assert schemas(shared) == {"rm_1"}


def test_a_table_is_made_with_what_its_statements_read() -> None:
    assert [one.name for one in feeding(PROJECTIONS, "keys")] == ["keys"]
    assert [one.name for one in feeding(PROJECTIONS, "books")] == ["orders", "books"]
    assert {"articles", "llm_calls", "events"} <= {
        one.name for one in feeding(PROJECTIONS, "event_articles")
    }


async def test_a_damaged_table_is_repaired_while_the_projector_follows(dsn: str) -> None:
    story = told(seed=22)
    server = story.scribe.server
    await project_all(server, dsn, "first")
    right = await hashes(dsn)
    execute(dsn, "DELETE FROM rm_1.trade_history WHERE trade_id % 2 = 0")
    unseen = await rebuild(server.connect("a"), dsn, switch=False, table="orders")
    assert unseen.equal, "only the table that was asked for is compared"
    refused = await rebuild(server.connect("b"), dsn, switch=True, table="trade_history")
    assert not refused.equal
    assert not refused.switched
    assert await live_schema(dsn) == "rm_1"

    projector = Projector(server.connect("p"), dsn, writer="p")
    async with running(projector) as task:
        await wait_until(lambda: projector.status()["sequence"] > 0, task)
        story.trade(10)
        switched = await rebuild(
            server.connect("c"), dsn, switch=True, even_if_different=True, table="trade_history"
        )
        assert switched.switched
        story.trade(10)
        target = last_projected(server)
        await wait_until(lambda: projector.status()["sequence"] >= target, task)
    live = await live_schema(dsn)
    assert live == switched.fresh_schema != "rm_1"
    assert (await rebuild(server.connect("d"), dsn, switch=False)).equal
    assert await hashes(dsn) != right, "more was traded since"
    history = rows(dsn, "SELECT model, reason FROM control.switches ORDER BY number", "control")
    assert [row["reason"] for row in history] == ["first start", "rebuild of trade_history"]


async def test_what_else_is_wrong_is_taken_over_as_it_is(dsn: str) -> None:
    """Orders feed books, and are made again for that, but are not what was asked for."""
    server = told(seed=23).scribe.server
    await project_all(server, dsn)
    execute(dsn, "UPDATE rm_1.orders SET sequence = 1")
    before = await hashes(dsn)
    report = await rebuild(server.connect("a"), dsn, switch=True, table="books")
    assert report.switched
    assert await hashes(dsn) == before
    whole = await rebuild(server.connect("b"), dsn, switch=False)
    assert {one.name for one in whole.tables if one.verdict == "different"} == {"orders"}


async def test_a_switch_of_one_table_is_rolled_back_like_any_other(dsn: str) -> None:
    story = told(seed=24)
    server = story.scribe.server
    await project_all(server, dsn)
    await rebuild(server.connect("a"), dsn, switch=True, table="orders")
    story.trade(10)
    await project_all(server, dsn)
    after = await hashes(dsn)
    assert (await rollback(dsn)).schema == "rm_1"
    await project_all(server, dsn)
    assert await live_schema(dsn) == "rm_1"
    assert await hashes(dsn) == after


async def test_there_must_be_such_a_table_in_a_model_of_this_version(dsn: str) -> None:
    server = told(seed=25).scribe.server
    await project_all(server, dsn)
    with pytest.raises(NotFound, match="trade_history"):
        await rebuild(server.connect("a"), dsn, switch=True, table="no_such_table")
    execute(dsn, "UPDATE control.models SET digest = 'older'")
    with pytest.raises(SchemaDrift):
        await rebuild(server.connect("b"), dsn, switch=True, table="orders")
    assert schemas(dsn) == {"rm_1"}
