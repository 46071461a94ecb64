"""States at any sequence: with snapshots or without, whichever way they are folded."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from engines.kernel import fold, state_hash
from replay.travel import travel
from replay.travel.snapshot_store import SnapshotStore, TravelSnapshotFolder
from replay.travel.travel import EngineStates, Keeper, StateReplay
from schemas.chain import digest
from schemas.errors import InputError, LogDiverged, LogGap, UnknownRecord
from schemas.record_chain import Head
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from schemas.subjects import ENGINES, events
from streams.host.snapshots import Snapshot, SnapshotHeader
from tests.replay.venue import engines, history, server_with
from tests.simulated.log import SimulatedLog, SimulatedReader, SimulatedServer
from tests.simulated.virtual_time import simulate
from tests.support.drawing import drawn


def naive(messages: tuple[Stored, ...], sequence: int) -> str:
    """Fold everything up to `sequence`, engine by engine, with nothing clever."""
    lines = ""
    by_name = {engine.name: engine for engine in engines()}
    for name in ENGINES:
        engine: Any = by_name[name]
        state, head = engine.initial(), Head()
        for message in messages[:sequence]:
            if message.subject == events("main", name):
                record = EVENT_MESSAGES.decode(message.payload)
                head = fold(engine, state, head, record, message.payload)
        lines += f"{name}:{state_hash(engine, state)}\n"
    return digest(lines.encode())


def stores(folder: Path, kept: int = 200) -> dict[str, TravelSnapshotFolder]:
    return {name: TravelSnapshotFolder(folder, name, kept=kept) for name in ENGINES}


def ordered() -> list[Any]:
    by_name = {engine.name: engine for engine in engines()}
    return [by_name[name] for name in ENGINES]


def at(
    server: SimulatedServer, sequence: int, stores_: dict[str, Any] | None = None
) -> EngineStates:
    return simulate(StateReplay(server.connect(), ordered, stores_).at(sequence))


def keep(server: SimulatedServer, folder: Path, kept: int = 200, records: int = 2) -> int:
    stores_ = stores(folder, kept)
    keeper = Keeper(server.connect("keeper"), ordered, stores_, records=records, events=10_000)
    simulate(keeper.catch_up())
    return keeper.saved


@pytest.fixture(scope="module")
def messages() -> tuple[Stored, ...]:
    return history()


@pytest.fixture(scope="module")
def server(messages: tuple[Stored, ...]) -> SimulatedServer:
    return server_with(messages)


@pytest.fixture(scope="module")
def kept(server: SimulatedServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("travel")
    assert keep(server, folder) > 10
    return folder


@drawn(30, HealthCheck.function_scoped_fixture)
@given(data=st.data())
def test_with_snapshots_without_and_by_hand_are_the_same(
    data: st.DataObject, server: SimulatedServer, messages: tuple[Stored, ...], kept: Path
) -> None:
    sequence = data.draw(st.integers(1, len(messages)))
    with_them, without = at(server, sequence, stores(kept)), at(server, sequence)
    assert with_them == without
    assert without.state_hash == naive(messages, sequence)
    assert without.sequence == sequence
    assert without.time_ns == max(one.time_ns for one in without.engines)


def test_snapshots_are_used(server: SimulatedServer, kept: Path) -> None:
    asked: list[tuple[int, int]] = []

    class Watched(TravelSnapshotFolder):
        def before(self, sequence: int) -> Snapshot | None:
            found = super().before(sequence)
            asked.append((sequence, found.header.sequence if found else 0))
            return found

    end = server.last_sequence
    at(server, end, {name: Watched(kept, name) for name in ENGINES})
    assert len(asked) == len(ENGINES)
    assert sum(found > end // 2 for _, found in asked) >= 2


def test_a_walk_gives_the_same(server: SimulatedServer, messages: tuple[Stored, ...]) -> None:
    dice = random.Random(1)
    chosen = sorted(dice.sample(range(1, len(messages) + 1), 40))

    async def walk() -> list[EngineStates]:
        machine = StateReplay(server.connect(), ordered)
        return [states async for states in machine.along(chosen)]

    moments = simulate(walk())
    assert [states.sequence for states in moments] == chosen
    for states in moments[::8]:
        assert states == at(server, states.sequence)


def test_the_state_changes_with_records_only(messages: tuple[Stored, ...]) -> None:
    hashes = {}
    server = server_with(messages)

    async def walk() -> None:
        machine = StateReplay(server.connect(), ordered)
        async for states in machine.along(range(1, 120)):
            hashes[states.sequence] = states.state_hash

    simulate(walk())
    for sequence in range(2, 120):
        if ".evt." not in messages[sequence - 1].subject:
            assert hashes[sequence] == hashes[sequence - 1]
    assert len(set(hashes.values())) > 5


@pytest.mark.parametrize("sequence", [0, -1, 10**9])
def test_the_log_must_reach_there(server: SimulatedServer, sequence: int) -> None:
    with pytest.raises(InputError):
        at(server, sequence)


@pytest.mark.parametrize("damage", ["bytes", "state", "sequence", "code", "cut"])
def test_a_damaged_snapshot_is_not_used(
    server: SimulatedServer, tmp_path: Path, damage: str
) -> None:
    keep(server, tmp_path)
    end = server.last_sequence
    good = at(server, end)
    for path in tmp_path.glob("*.travel"):
        content = path.read_bytes()
        match damage:
            case "bytes":
                path.write_bytes(content[:-9] + b"x" + content[-8:])
            case "cut":
                path.write_bytes(content[: len(content) // 2])
            case "state":
                forged(path, data=b"{}")
            case "sequence":
                forged(path, sequence=3)
            case _:
                forged(path, code="0" * 64)
    assert at(server, end, stores(tmp_path)) == good


def forged(path: Path, **changes: Any) -> None:
    """Write a snapshot anew with its file's digest right and something in it wrong."""
    import msgspec

    from streams.host.snapshots import lines_of, parse, write_whole

    snapshot = parse(path.read_bytes())
    data = changes.pop("data", snapshot.data)
    header = msgspec.structs.replace(snapshot.header, **changes)
    write_whole(path, lines_of(Snapshot(header, data)), sync=False)


def test_a_snapshot_of_another_log_is_not_used(
    server: SimulatedServer, messages: tuple[Stored, ...], tmp_path: Path
) -> None:
    other = server_with(history(120, 2))
    keep(other, tmp_path)
    end = len(messages)
    assert at(server, end, stores(tmp_path)) == at(server, end)


def test_a_broken_past_is_said(messages: tuple[Stored, ...]) -> None:
    broken = server_with(messages)
    record = [one for one in messages if one.subject == events("main", "exchange")][3]
    broken.replace(record.sequence, record.payload.replace(b"0", b"1", 1))
    with pytest.raises(LogDiverged, match=str(record.sequence)):
        at(broken, len(messages))
    broken.replace(record.sequence, b"{}")
    with pytest.raises(UnknownRecord, match=str(record.sequence)):
        at(broken, len(messages))
    at(broken, record.sequence - 1)


def test_too_many_are_thinned_evenly(tmp_path: Path) -> None:
    store = TravelSnapshotFolder(tmp_path, "exchange", "c" * 64, kept=20)
    for number in range(1, 401):
        sequence = number * 50
        header = SnapshotHeader("exchange", store.code, number, sequence, "h", digest(b"s"))
        store.save(Snapshot(header, b"s"))
        assert len(list(tmp_path.iterdir())) <= 20
    nearest = [store.before(sequence) for sequence in range(0, 20_001, 50)]
    found = sorted({one.header.sequence for one in nearest if one is not None})
    assert found[-1] == store.newest() == 20_000
    assert 8 <= len(found) <= 20
    gaps = [b - a for a, b in zip([0, *found], found, strict=False)]
    assert max(gaps) <= 20_000 // 5


def test_thinned_snapshots_lead_to_the_same(server: SimulatedServer, tmp_path: Path) -> None:
    keep(server, tmp_path, kept=4, records=1)
    assert len(list(tmp_path.glob("exchange-*"))) <= 4
    for sequence in range(1, server.last_sequence, 97):
        assert at(server, sequence, stores(tmp_path)) == at(server, sequence)


def test_a_keeper_goes_on_where_it_was_killed(messages: tuple[Stored, ...], tmp_path: Path) -> None:
    half = server_with(messages[: len(messages) // 2])
    first = keep(half, tmp_path)
    whole = server_with(messages)
    keep(whole, tmp_path)
    total = keep(whole, tmp_path / "whole")
    assert 0 < first < total
    end = len(messages)
    assert at(whole, end, stores(tmp_path)) == at(whole, end)


async def test_a_keeper_follows_what_is_written(
    messages: tuple[Stored, ...], tmp_path: Path
) -> None:
    live = server_with(messages[:200])
    stores_: dict[str, SnapshotStore] = dict(stores(tmp_path))
    keeper = Keeper(live.connect("keeper"), ordered, stores_, records=2, events=10_000)
    task = asyncio.create_task(keeper.run())
    try:
        live.store([(message.subject, message.payload) for message in messages[200:]])
        async with asyncio.timeout(30):
            while stores_["exchange"].newest() < 200:
                assert not task.done()
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert keeper.saved > 0


class _Counting(SimulatedLog):
    """Counts the readers that it is asked for."""

    readers = 0

    async def open_reader(self, subjects: Sequence[str], after: int) -> SimulatedReader:
        self.readers += 1
        return await super().open_reader(subjects, after)


def test_an_engine_that_says_little_is_kept_by_distance(
    server: SimulatedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By records and events alone it would have none, and each question cost the whole log."""
    monkeypatch.setattr(travel, "TRAVEL_SNAPSHOT_MESSAGES", 100)
    keep(server, tmp_path, records=10**9)
    kept = {name: len(list(tmp_path.glob(f"{name}-*"))) for name in ENGINES}
    assert min(kept.values()) >= 2
    for sequence in range(1, server.last_sequence, 97):
        assert at(server, sequence, stores(tmp_path)) == at(server, sequence)


def test_where_no_record_is_to_be_folded_none_is_looked_for(
    server: SimulatedServer, tmp_path: Path
) -> None:
    keep(server, tmp_path, records=1)
    log = _Counting("main", server=server)
    states = simulate(StateReplay(log, ordered, stores(tmp_path)).at(server.last_sequence))
    assert states == at(server, server.last_sequence)
    assert log.readers == 0


def test_a_record_that_the_log_has_and_no_reader_gets_is_said(messages: tuple[Stored, ...]) -> None:
    first, second, *_ = (one for one in messages if one.subject == events("main", "exchange"))
    lossy = server_with(messages)
    lossy.lose(first.sequence)

    class Remembering(SimulatedLog):
        async def last(self, subject: str, at: int | None = None) -> Stored | None:
            return first if subject == first.subject else await super().last(subject, at)

    log = Remembering("main", server=lossy)
    with pytest.raises(LogGap, match=str(first.sequence)):
        simulate(StateReplay(log, ordered).at(second.sequence - 1))
