"""The tables as of any sequence are what a fresh projection of the log up to there makes."""

import asyncio
import random
from collections.abc import Callable

import msgspec
import pytest

from projections.api.store import decode_ends
from projections.history.historian import Historian
from projections.history.writer import HistoryWriter
from projections.store.postgres import connect
from projections.store.projection import Projection
from projections.tables import PROJECTIONS
from schemas.errors import BrokenInvariant, Fenced, LogDiverged
from tests.projections.historic import (
    at_work,
    checkpoint_at,
    hashes_at,
    hashes_of_a_rebuild,
    keep_all,
)
from tests.projections.reading import execute, project_all, projected, rows
from tests.projections.real import busy_day
from tests.projections.real_news import newsy_day
from tests.projections.story import told
from tests.simulated.log import SimulatedServer
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

STORIES: dict[str, Callable[[], SimulatedServer]] = {
    "told": lambda: told(seed=21, records=60).scribe.server,
    "traded": lambda: busy_day(seed=21, commands=200).server,
    "reported": lambda: newsy_day(seed=21, articles=30).venue.server,
}


@pytest.mark.parametrize("name", STORIES)
async def test_views_at_any_sequence_are_a_rebuild_until_it(
    dsn: str, postgres: PostgresServer, name: str
) -> None:
    server = STORIES[name]()
    await keep_all(server, dsn)
    dice = random.Random(name)
    last = server.last_sequence
    chosen = {1, 2, last, last - 1, *(dice.randint(1, last) for _ in range(8))}
    seen = set()
    for sequence in sorted(chosen):
        fresh, checkpoint = await hashes_of_a_rebuild(server, postgres.new_database(), sequence)
        assert await hashes_at(dsn, sequence) == fresh, sequence
        there = await checkpoint_at(dsn, sequence)
        assert there["message_hash"] == checkpoint.message_hash
        assert there["chain"] == checkpoint.chain
        assert decode_ends(there["ends"]) == checkpoint.ends
        seen.add(checkpoint.chain)
    assert len(seen) > 5, "the sequences must differ in what was projected"


async def test_now_is_what_the_projector_says(dsn: str) -> None:
    server = STORIES["traded"]()
    await project_all(server, dsn)
    await keep_all(server, dsn)
    at_the_end = await hashes_at(dsn, server.last_sequence)
    connection = await connect(dsn, "test")
    try:
        from projections.store.hashes import hash_model

        assert at_the_end == await hash_model(connection, 1, PROJECTIONS)
    finally:
        await connection.close()


async def test_how_the_log_was_cut_into_transactions_leaves_no_trace(
    dsn: str, postgres: PostgresServer
) -> None:
    story = told(seed=22, records=40)
    server = story.scribe.server
    historian = Historian(server.connect("slow"), dsn)
    async with at_work(historian) as task:
        for _ in range(20):
            story.trade(1)
            end = server.last_sequence
            await wait_until(lambda end=end: historian.status()["sequence"] >= end, task)  # type: ignore[misc]
    other = postgres.new_database()
    await keep_all(server, other)
    query = "SELECT * FROM {}__past ORDER BY {}, from_sequence"
    for table in (table for one in PROJECTIONS for table in one.tables):
        ask = query.format(table.name, table.canonical_order())
        assert rows(dsn, ask, "history_1") == rows(other, ask, "history_1"), table.name


async def test_it_goes_on_where_it_was_killed(dsn: str, postgres: PostgresServer) -> None:
    story = told(seed=23, records=40)
    server = story.scribe.server
    await keep_all(server, dsn, "first")
    story.trade(20)
    await keep_all(server, dsn, "second")
    fresh, _ = await hashes_of_a_rebuild(server, postgres.new_database(), server.last_sequence)
    assert await hashes_at(dsn, server.last_sequence) == fresh


async def test_a_second_historian_takes_over_and_the_first_halts(dsn: str) -> None:
    story = told(seed=24, records=20)
    server = story.scribe.server
    first = Historian(server.connect("first"), dsn, writer="first")
    async with at_work(first) as task:
        await wait_until(lambda: first.status()["sequence"] >= server.last_sequence, task)
        await keep_all(server, dsn, "second")
        story.trade(1)
        await asyncio.wait({task}, timeout=20)
        assert isinstance(task.exception(), Fenced)


async def test_time_never_goes_back_along_the_moments(dsn: str) -> None:
    server = STORIES["reported"]()
    await keep_all(server, dsn)
    found = rows(dsn, "SELECT sequence, time_ns FROM moments ORDER BY sequence", "history_1")
    assert [row["sequence"] for row in found] == [one.sequence for one in projected(server)]
    times = [row["time_ns"] for row in found]
    assert times == sorted(times)


async def test_another_version_begins_anew_beside_and_is_switched_to(dsn: str) -> None:
    server = told(seed=25, records=20).scribe.server
    await keep_all(server, dsn)
    first = PROJECTIONS[0]
    newer = Projection(
        first.name, first.tables, first.statements, first.collectors, first.version + 1
    )
    for version in ((newer, *PROJECTIONS[1:]), PROJECTIONS[:-1]):
        historian = Historian(server.connect("new"), dsn, projections=version)
        async with at_work(historian) as task:
            await wait_until(lambda it=historian: it.status()["phase"] == "following", task)  # type: ignore[misc]
    switches = rows(dsn, "SELECT model, reason FROM switches ORDER BY number", "history")
    assert [row["model"] for row in switches] == [1, 2, 3]
    states = rows(dsn, "SELECT state FROM models ORDER BY number", "history")
    assert [row["state"] for row in states] == ["dropped", "ready", "ready"]
    left = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^history_' ORDER BY 1"
    assert [row["nspname"] for row in rows(dsn, left, "public")] == [
        "history_2", "history_2_at", "history_3", "history_3_at",
    ]  # fmt: skip


async def test_a_changed_past_stops_it(dsn: str) -> None:
    story = told(seed=26, records=20)
    server = story.scribe.server
    await keep_all(server, dsn)
    last = projected(server)[-1]
    server.replace(last.sequence, last.payload.replace(b"0", b"1", 1))
    with pytest.raises(LogDiverged, match=str(last.sequence)):
        await Historian(server.connect("again"), dsn).run()


async def test_a_log_that_became_shorter_stops_it(dsn: str) -> None:
    server = told(seed=26, records=20).scribe.server
    until = projected(server)[-1].sequence
    server.store([("main.cmd.order.someone", b"{}")] * 3)
    await keep_all(server, dsn)
    shorter = SimulatedServer()
    shorter.store([(one.subject, one.payload) for one in server.messages()[:until]])
    with pytest.raises(LogDiverged, match="ends at"):
        await Historian(shorter.connect("again"), dsn).run()


async def test_rows_are_never_deleted(dsn: str) -> None:
    await keep_all(told(seed=27, records=20).scribe.server, dsn)
    with pytest.raises(Exception, match="never deleted"):
        execute(dsn, "DELETE FROM history_1.orders")
    with pytest.raises(Exception, match="never deleted"):
        execute(dsn, "TRUNCATE history_1.orders")


async def test_a_row_changed_twice_by_one_message_has_one_version_of_it(dsn: str) -> None:
    await keep_all(told(seed=28, records=20).scribe.server, dsn)
    for table in (table for one in PROJECTIONS for table in one.tables):
        key = ", ".join(table.key)
        twice = (
            f"SELECT {key} FROM {table.name}__past GROUP BY {key}, from_sequence "
            "HAVING count(*) > 1"
        )
        wrong = f"SELECT 1 FROM {table.name}__past WHERE to_sequence <= from_sequence"
        assert rows(dsn, f"({twice})", "history_1") == []
        assert rows(dsn, wrong, "history_1") == []


async def test_rows_that_do_not_fit_halt_it(dsn: str) -> None:
    story = told(seed=29, records=20)
    server = story.scribe.server
    await keep_all(server, dsn)
    connection = await connect(dsn, "test")
    try:
        writer = HistoryWriter(connection, 1, PROJECTIONS)
        await writer.open("test")
        at = writer.checkpoint
        assert msgspec.structs.asdict(at)["sequence"] == projected(server)[-1].sequence
        with pytest.raises(BrokenInvariant):
            from projections.history.writer import ProjectedMessage
            from projections.store.checkpoint import Checkpoint, Follower

            follower = Follower(Checkpoint())
            again = [
                ProjectedMessage(follower.follow(message), follower.checkpoint, None)
                for message in projected(server)
            ]
            await writer.commit(again, writer.through + 1)
    finally:
        await connection.close()
