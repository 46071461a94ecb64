"""Snapshots speed a start up and are never believed."""

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.chain import digest
from schemas.errors import LogDiverged
from streams.host.leadership import HostConfig, RecoveredState, acquire_leadership
from streams.host.limits import SNAPSHOTS_KEPT
from streams.host.snapshots import (
    Snapshot,
    SnapshotFolder,
    SnapshotHeader,
    SnapshotMemory,
    SnapshotOrigin,
)
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import VirtualClock, simulate
from tests.streams.host.checks import check_accounts, records
from tests.streams.host.rig import Running, add, new_server, running, settled
from tests.streams.host.toys import Ledger, Toy
from tests.support.waiting import wait_until

EVERY = 10


def folder(path: Path, code: str = "code") -> SnapshotFolder:
    return SnapshotFolder(path, "toy", code)


def files(path: Path) -> list[Path]:
    """Return the snapshots in a folder, newest record first."""
    return sorted(path.glob("*.snapshot"), reverse=True)


async def filled(path: Path, commands: int = 35) -> SimulatedServer:
    """Return a log with one record per command, snapshots of which are in `path`."""
    server = new_server()
    run = Running(server, Toy(), snapshots=folder(path), snapshot_every=EVERY)
    for number in range(commands):
        server.store([add(number)])
        await wait_until(settled(server), run.task)
    await run.killed()
    return server


async def start(
    server: SimulatedServer, snapshots: Any, origin: SnapshotOrigin | None = None
) -> RecoveredState[Ledger]:
    """Become leader, and return the recovered state."""
    config = HostConfig(Toy(), server.connect(), VirtualClock(), "next", snapshots)
    return await acquire_leadership(config, asyncio.Event(), origin, lambda _: None)


def same(one: RecoveredState[Ledger], other: RecoveredState[Ledger]) -> bool:
    dumped = Toy().dump(one.state) == Toy().dump(other.state)
    return dumped and one.head == other.head and one.sequence == other.sequence


def test_snapshot_and_tail_are_the_genesis_fold(tmp_path: Path) -> None:
    async def main() -> None:
        server = await filled(tmp_path)
        assert len(files(tmp_path)) == SNAPSHOTS_KEPT
        quick = await start(server, folder(tmp_path))
        whole = await start(server, None)
        assert (quick.folded, whole.folded) == (5, 35)
        assert same(quick, whole)

    simulate(main())


def test_a_host_goes_on_from_a_snapshot(tmp_path: Path) -> None:
    async def main() -> None:
        server = await filled(tmp_path)
        for life in range(3):
            async with running(
                server, Toy(), writer=f"w{life}", snapshots=folder(tmp_path), snapshot_every=EVERY
            ) as run:
                for number in range(7):
                    server.store([add(1_000 + number)])
                    await wait_until(settled(server), run.task)
            # A clean stop leaves nothing to fold.
            assert (await start(server, folder(tmp_path))).folded == 0
        assert check_accounts(server.messages(), Toy()) == 35 + 21

    simulate(main())


def test_any_damaged_byte_makes_a_snapshot_ignored(tmp_path: Path) -> None:
    async def main() -> None:
        server = await filled(tmp_path)
        whole = await start(server, None)
        newest, older = files(tmp_path)
        older.unlink()
        content = newest.read_bytes()
        for place in [*range(0, len(content), 17), len(content) - 1]:
            damaged = bytearray(content)
            damaged[place] ^= 1
            newest.write_bytes(damaged)
            recovered = await start(server, folder(tmp_path))
            assert recovered.folded == 35
            assert same(recovered, whole)
        for length in (0, 1, 64, 65, 100, len(content) - 1):
            newest.write_bytes(content[:length])
            assert (await start(server, folder(tmp_path))).folded == 35

    simulate(main())


def test_a_damaged_snapshot_leaves_the_older_one(tmp_path: Path) -> None:
    async def main() -> None:
        server = await filled(tmp_path)
        newest, _ = files(tmp_path)
        newest.write_bytes(b"nothing")
        assert (await start(server, folder(tmp_path))).folded == 15

    simulate(main())


def forged(path: Path, header: SnapshotHeader, data: bytes) -> None:
    """Write a snapshot whose own digest is right."""
    head = msgspec.json.encode(header) + b"\n"
    rest = head + data
    path.write_bytes(sha256(rest).hexdigest().encode() + b"\n" + rest)


def test_a_forged_state_is_not_believed(tmp_path: Path) -> None:
    async def main() -> None:
        server = await filled(tmp_path)
        newest, older = files(tmp_path)
        older.unlink()
        (snapshot,) = await folder(tmp_path).load()
        richer = snapshot.data.replace(b'"alice":', b'"alice":9')
        assert richer != snapshot.data
        forged(newest, snapshot.header, richer)
        assert len(await folder(tmp_path).load()) == 1
        assert (await start(server, folder(tmp_path))).folded == 35
        forged(newest, snapshot.header, b"[[[")
        assert (await start(server, folder(tmp_path))).folded == 35

    simulate(main())


def test_the_state_hash_on_the_log_outweighs_the_snapshots_own() -> None:
    async def main() -> None:
        server, snapshots = new_server(), SnapshotMemory()
        run = Running(server, Toy(), snapshots=snapshots, snapshot_every=1_000)
        for number in range(1_000):
            server.store([add(number)])
            await wait_until(settled(server), run.task)
        await wait_until(lambda: bool(snapshots.kept), run.task)
        await run.killed()
        (snapshot,) = snapshots.kept
        assert (await start(server, snapshots)).folded == 0
        richer = snapshot.data.replace(b'"alice":', b'"alice":9')
        header = msgspec.structs.replace(snapshot.header, state_hash=digest(richer))
        snapshots.kept = [Snapshot(header, richer)]
        assert (await start(server, snapshots)).folded == 1_000

    simulate(main())


def test_a_snapshot_of_other_code_is_not_used(tmp_path: Path) -> None:
    async def main() -> None:
        server = await filled(tmp_path)
        assert (await start(server, folder(tmp_path, "newer code"))).folded == 35

    simulate(main())


@pytest.mark.parametrize("code", ["code", "newer code"])
def test_a_log_that_lost_the_snapshots_record_halts_and_is_named(tmp_path: Path, code: str) -> None:
    async def main() -> None:
        server = await filled(tmp_path)
        sequence, _, _ = records(server.messages(), "toy")[29]
        server.truncate(sequence - 1)
        with pytest.raises(LogDiverged, match=f"sequence {sequence} "):
            await start(server, folder(tmp_path, code))
        # A truncated store gives its sequences again: other records stand there by then.
        async with running(server, Toy(), writer="unaware") as run:
            server.store([add(5_000 + number) for number in range(3)])
            await wait_until(settled(server), run.task)
            for number in range(30):
                server.store([add(6_000 + number)])
                await wait_until(settled(server), run.task)
        with pytest.raises(LogDiverged, match=f"sequence {sequence} "):
            await start(server, folder(tmp_path, code))

    simulate(main())


def test_what_the_host_itself_saw_must_still_be_there() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            server.store([add(1)])
            await wait_until(settled(server), run.task)
        sequence, record, _ = records(server.messages(), "toy")[0]
        await start(server, None, SnapshotOrigin(sequence, record.hash))
        with pytest.raises(LogDiverged, match=f"sequence {sequence} "):
            await start(server, None, SnapshotOrigin(sequence, "0" * 64))
        with pytest.raises(LogDiverged, match=f"sequence {sequence + 500} "):
            await start(server, None, SnapshotOrigin(sequence + 500, record.hash))

    simulate(main())


def test_an_engine_killed_before_any_snapshot_notices_that_the_log_lost_its_end(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        server = new_server()
        run = Running(server, Toy(), snapshots=folder(tmp_path))
        for number in range(30):
            server.store([add(number)])
            await wait_until(settled(server), run.task)
        await asyncio.sleep(2)
        await run.killed()
        assert files(tmp_path) == []
        sequence, record, _ = records(server.messages(), "toy")[-1]
        assert await folder(tmp_path).load_origin() == SnapshotOrigin(sequence, record.hash)
        server.truncate(sequence - 1)
        for number in range(50):
            server.store([add(number)])
        second = Running(server, Toy(), writer="two", snapshots=folder(tmp_path))
        with pytest.raises(LogDiverged, match=f"sequence {sequence} "):
            await second.task

    simulate(main())


async def test_a_damaged_anchor_is_ignored(tmp_path: Path) -> None:
    origin = SnapshotOrigin(12, "a" * 64)
    assert await folder(tmp_path).load_origin() is None
    await folder(tmp_path).save_origin(origin)
    assert await folder(tmp_path).load_origin() == origin
    path = tmp_path / "toy.anchor"
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert await folder(tmp_path).load_origin() is None


def test_many_events_make_a_snapshot_due_at_the_next_state_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.host.leader_loop.SNAPSHOT_EVERY_EVENTS", 30)
    monkeypatch.setattr("streams.host.leader_loop.STATE_HASH_EVERY_RECORDS", 20)

    async def main() -> None:
        server, snapshots = new_server(), SnapshotMemory()
        run = Running(server, Toy(), snapshots=snapshots)
        for number in range(85):
            server.store([add(number)])
            await wait_until(settled(server), run.task)
        await run.killed()
        assert [one.header.number for one in snapshots.kept] == [80, 40]

    simulate(main())


def test_a_disk_that_takes_no_snapshot_does_not_stop_the_host(tmp_path: Path) -> None:
    async def main() -> None:
        blocked = tmp_path / "file"
        blocked.write_text("in the way")
        server = new_server()
        async with running(server, Toy(), snapshots=folder(blocked / "x"), snapshot_every=3) as run:
            for number in range(10):
                server.store([add(number)])
                await wait_until(settled(server), run.task)
        assert check_accounts(server.messages(), Toy()) == 10

    simulate(main())


async def test_files_are_named_and_none_is_left_half_written(tmp_path: Path) -> None:
    snapshots = folder(tmp_path, "c" * 64)
    for number in (1, 20, 300, 4_000):
        header = SnapshotHeader("toy", "c" * 64, number, number * 2, "r" * 64, "s" * 64)
        await snapshots.save(Snapshot(header, b"state\nwith a line break"))
    names = [path.name for path in reversed(files(tmp_path))]
    assert names == [
        f"toy-{number:012d}-cccccccccccc-ssssssssssss.snapshot" for number in (300, 4_000)
    ]
    kept = await snapshots.load()
    assert [one.header.number for one in kept] == [4_000, 300]
    assert kept[0].data == b"state\nwith a line break"
    assert files(tmp_path)[0].stat().st_mode & 0o077 == 0
