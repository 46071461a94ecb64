"""The projector against crashes, rivals, a changed past and a database that goes away."""

import asyncio
import random
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.store.checkpoint import Batch, Checkpoint, Follower
from projections.store.hashes import TableHash, hash_model
from projections.store.model import Model
from projections.store.postgres import connect
from projections.store.projector import Projector
from projections.store.schemas import ensure_live, make_model, model_digest
from projections.tables import PROJECTIONS
from schemas.codec import encode
from schemas.errors import (
    BrokenInvariant,
    Fenced,
    GenesisMismatch,
    Halt,
    LogDiverged,
    SchemaDrift,
    StoreUnavailable,
    UnknownRecord,
)
from schemas.events import exchange as ex
from schemas.records import Epoch
from schemas.subjects import last_token
from tests.projections.reading import (
    execute,
    hashes,
    last_projected,
    project_all,
    projected,
    rows,
    running,
)
from tests.projections.story import Scribe, told
from tests.simulated.log import SimulatedServer
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

ENDS_S = 20
MOST_KILLS = 8
"""Starts cost seconds on a busy machine; the last one may go on to the end."""


async def halts(projector: Projector) -> Halt:
    """Run a projector that must halt, and return why it did."""
    with pytest.raises(Halt) as caught:
        async with asyncio.timeout(ENDS_S):
            await projector.run()
    return caught.value


async def projected_in(cuts: list[int], server: SimulatedServer, dsn: str) -> dict[str, TableHash]:
    """Project the log into a model of its own, in batches of the sizes `cuts`, and hash it."""
    messages = projected(server)
    connection = await connect(dsn, "test")
    try:
        await ensure_live(connection, PROJECTIONS)
        model = Model(connection, await make_model(connection, PROJECTIONS), PROJECTIONS)
        await model.open("test")
        follower = Follower(model.checkpoint)
        position = 0
        while position < len(messages):
            size = cuts.pop() if cuts else len(messages)
            entries = [follower.follow(m) for m in messages[position : position + size]]
            await model.commit(Batch(entries, follower.checkpoint), must_be_live=False)
            position += size
        return await hash_model(connection, model.number, PROJECTIONS)
    finally:
        await connection.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(1, 30), max_size=60))
def test_the_cut_between_batches_leaves_no_trace(dsn: str, seed: int, cuts: list[int]) -> None:
    server = told(seed, records=8).scribe.server

    async def both() -> None:
        whole = await projected_in([], server, dsn)
        assert await projected_in(list(cuts), server, dsn) == whole
        assert await projected_in([1] * 1000, server, dsn) == whole

    asyncio.run(both())


async def test_it_goes_on_where_it_stopped_and_follows_live(
    dsn: str, postgres: PostgresServer
) -> None:
    story = told(seed=1)
    server = story.scribe.server
    projector = await project_all(server, dsn)
    story.trade(20)
    await project_all(server, dsn, "two")
    other = postgres.new_database()
    await project_all(server, other)
    assert await hashes(dsn) == await hashes(other)
    assert projector.status()["sequence"] < last_projected(server)


async def test_what_arrives_is_committed_before_the_log_falls_silent(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for a batch to fill, or for a poll to come back empty: no poll does here."""
    monkeypatch.setattr("streams.log.cursor.READ_POLL_S", 3_600)
    story = told(seed=2)
    server = story.scribe.server
    await project_all(server, dsn)
    seen: list[Checkpoint] = []
    projector = Projector(server.connect("live"), dsn, on_commit=seen.append)
    async with running(projector) as task:
        await wait_until(lambda: projector.status()["epoch"] == 2, task)
        for _ in range(30):
            story.trade(1)
            target = last_projected(server)
            await wait_until(lambda t=target: bool(seen) and seen[-1].sequence >= t, task)  # type: ignore[misc]


async def test_a_second_projector_takes_over_and_the_first_halts(dsn: str) -> None:
    story = told(seed=3)
    server = story.scribe.server
    target = last_projected(server)
    first = Projector(server.connect("first"), dsn, writer="first")
    second = Projector(server.connect("second"), dsn, writer="second")
    async with running(first) as one:
        await wait_until(lambda: first.status()["sequence"] == target, one)
        async with running(second) as two:
            await wait_until(lambda: second.status()["epoch"] == 2, two)
            story.trade(5)
            await wait_until(lambda: second.status()["sequence"] == last_projected(server), two)
            await wait_until(one.done)
            with pytest.raises(Fenced):
                one.result()
    assert first.status()["sequence"] == target


async def test_an_idle_projector_notices_that_it_was_replaced(dsn: str) -> None:
    server = told(seed=3).scribe.server
    first = Projector(server.connect("first"), dsn)
    async with running(first) as one:
        await wait_until(lambda: first.status()["sequence"] == last_projected(server), one)
        execute(dsn, "UPDATE rm_1.checkpoint SET epoch = epoch + 1")
        await wait_until(one.done)
        with pytest.raises(Fenced):
            one.result()


async def test_a_truncated_log_that_grew_again_is_not_followed(dsn: str) -> None:
    story = told(seed=4)
    server = story.scribe.server
    await project_all(server, dsn)
    checkpoint = last_projected(server)
    server.truncate(checkpoint - 3)
    error = await halts(Projector(server.connect("a"), dsn))
    assert isinstance(error, LogDiverged)
    assert str(checkpoint) in str(error)
    while server.last_sequence < checkpoint + 3:
        story.scribe.command()
    error = await halts(Projector(server.connect("b"), dsn))
    assert isinstance(error, LogDiverged)
    assert str(checkpoint) in str(error)


async def test_another_record_in_the_checkpoints_place_is_noticed(dsn: str) -> None:
    server = told(seed=4).scribe.server
    await project_all(server, dsn)
    checkpoint = last_projected(server)
    other = told(seed=4)
    other.scribe.server.truncate(checkpoint - 1)
    engine = last_token(server.messages()[checkpoint - 1].subject)
    other.scribe._heads.pop(engine)
    data, _ = other.scribe.build(engine, [])
    server.replace(checkpoint, data)
    error = await halts(Projector(server.connect("a"), dsn))
    assert isinstance(error, LogDiverged)
    assert str(checkpoint) in str(error)


async def test_a_checkpoint_may_stand_at_an_observation(dsn: str, postgres: PostgresServer) -> None:
    story = told(seed=4)
    server = story.scribe.server
    story.news.fetch("fetched", 2)
    await project_all(server, dsn)
    assert rows(dsn, "SELECT sequence FROM checkpoint") == [{"sequence": server.last_sequence}]
    story.trade(1)
    await project_all(server, dsn, "two")
    other = postgres.new_database()
    await project_all(server, other)
    assert await hashes(dsn) == await hashes(other)


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_another_observation_in_the_checkpoints_place_is_noticed(
    dsn: str, elsewhere: bool
) -> None:
    story = told(seed=4)
    server = story.scribe.server
    story.news.fetch("fetched", 2)
    await project_all(server, dsn)
    last = server.messages()[-1]
    if elsewhere:
        server.truncate(last.sequence - 1)
        server.store([("main.obs-fetch.another", last.payload)])
    else:
        server.replace(last.sequence, last.payload + b" ")
    error = await halts(Projector(server.connect("a"), dsn))
    assert isinstance(error, LogDiverged)
    assert str(last.sequence) in str(error)


async def test_another_venues_log_is_not_followed(dsn: str) -> None:
    server = told(seed=4).scribe.server
    await project_all(server, dsn)
    other = SimulatedServer()
    Scribe(other).command(b"not a genesis")
    assert isinstance(await halts(Projector(other.connect("x"), dsn)), GenesisMismatch)


def _flipped(payload: bytes) -> bytes:
    return payload.replace(b'"tick":false', b'"tick":true ')


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"not json", UnknownRecord),
        (b'{"type":"record/9"}', UnknownRecord),
        (encode(Epoch("exchange", "w", "exchange/1", 1)), UnknownRecord),
        (None, LogDiverged),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_halts_and_what_came_before_is_kept(
    dsn: str, payload: bytes | None, error: type[Halt]
) -> None:
    story = told(seed=5)
    server = story.scribe.server
    good = last_projected(server)
    if payload is None:
        payload = _flipped(story.scribe.build("exchange", [])[0])
    bad = server.store([("main.evt.exchange", payload)])
    story.trade(3)
    found = await halts(Projector(server.connect("x"), dsn))
    assert isinstance(found, error)
    assert str(bad) in str(found)
    assert rows(dsn, "SELECT sequence FROM checkpoint") == [{"sequence": good}]


@pytest.mark.parametrize("engine", ["pricing", "exchange"])
async def test_a_missing_or_foreign_record_halts(dsn: str, engine: str) -> None:
    story = told(seed=6)
    server = story.scribe.server
    data, _ = story.scribe.build(engine, [])
    if engine == "exchange":
        story.trade(1)  # the record above now repeats a number
    sequence = server.store([("main.evt.exchange", data)])
    error = await halts(Projector(server.connect("x"), dsn))
    assert isinstance(error, UnknownRecord if engine == "pricing" else LogDiverged)
    assert str(sequence) in str(error)


async def test_a_lost_record_is_noticed_by_the_next_of_its_engine(dsn: str) -> None:
    story = told(seed=6)
    server = story.scribe.server
    lost = [m.sequence for m in server.messages() if m.subject == "main.evt.exchange"][5]
    server.lose(lost)
    assert isinstance(await halts(Projector(server.connect("x"), dsn)), LogDiverged)


async def test_an_event_about_an_order_that_nobody_placed_breaks_an_invariant(dsn: str) -> None:
    story = told(seed=7)
    good = last_projected(story.scribe.server)
    story.scribe.write("exchange", ex.OrdersCancelled(1, "acct0", "x", [123456]))
    server = story.scribe.server
    assert isinstance(await halts(Projector(server.connect("x"), dsn)), BrokenInvariant)
    assert rows(dsn, "SELECT sequence FROM checkpoint")[0]["sequence"] <= good


async def test_another_version_of_the_tables_is_refused(dsn: str) -> None:
    server = told(seed=8).scribe.server
    older = PROJECTIONS[:-1]
    assert model_digest(older) != model_digest(PROJECTIONS)
    connection = await connect(dsn, "test")
    await ensure_live(connection, older)
    await connection.close()
    assert isinstance(await halts(Projector(server.connect("x"), dsn)), SchemaDrift)


async def test_a_database_that_is_not_empty_is_left_alone(dsn: str) -> None:
    execute(dsn, "CREATE SCHEMA rm_1")
    server = told(seed=8).scribe.server
    assert isinstance(await halts(Projector(server.connect("x"), dsn)), SchemaDrift)


async def test_two_first_starts_at_once_make_one_model(dsn: str) -> None:
    connections = [await connect(dsn, "test") for _ in range(4)]
    try:
        lives = await asyncio.gather(*(ensure_live(one, PROJECTIONS) for one in connections))
        assert len(set(lives)) == 1
    finally:
        for connection in connections:
            await connection.close()


async def test_nobody_at_the_address_is_an_operating_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.store.sessions.STORE_ATTEMPTS", 2)
    server = told(seed=8).scribe.server
    projector = Projector(server.connect("x"), "postgresql://x@127.0.0.1:1/x")
    with pytest.raises(StoreUnavailable):
        await projector.run()


@pytest.mark.slow
async def test_postgres_killed_under_load_loses_nothing(dsn: str, postgres: PostgresServer) -> None:
    story = told(seed=9)
    server = story.scribe.server
    projector = Projector(server.connect("x"), dsn)
    async with running(projector) as task:
        for _ in range(3):
            story.trade(60)
            await wait_until(lambda: projector.status()["sequence"] > 0, task)
            await asyncio.to_thread(postgres.kill9_and_restart)
        story.trade(10)
        await wait_until(lambda: projector.status()["sequence"] == last_projected(server), task)
    assert projector.status()["store_failures"] == 0, "failures are counted in a row"
    other = postgres.new_database()
    await project_all(server, other)
    assert await hashes(dsn) == await hashes(other)


@pytest.mark.slow
async def test_a_projector_killed_at_any_moment_leaves_whole_batches(
    dsn: str, postgres: PostgresServer
) -> None:
    seed, records, dice = 10, 1500, random.Random(10)
    target = last_projected(told(seed, records).scribe.server)
    kills = 0
    while True:
        process = _start_process(dsn, seed, records)
        before = _sequence(dsn)
        deadline = time.monotonic() + 60
        stop_at = before + 1 if kills < MOST_KILLS else target
        while _sequence(dsn) < min(stop_at, target):
            assert process.poll() is None
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        await asyncio.sleep(dice.random() * 0.2)
        process.kill()
        process.wait()
        kills += 1
        if _sequence(dsn) == target:
            break
    assert kills >= 2
    other = postgres.new_database()
    await project_all(told(seed, records).scribe.server, other)
    assert await hashes(dsn) == await hashes(other)


def _start_process(dsn: str, seed: int, records: int) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "tests.projections.projecting"]
    return subprocess.Popen([*program, dsn, str(seed), str(records)])


def _sequence(dsn: str) -> int:
    if not rows(dsn, "SELECT 1 AS x FROM pg_namespace WHERE nspname = 'rm_1'", "public"):
        return 0
    return int(rows(dsn, "SELECT sequence FROM checkpoint")[0]["sequence"])
