"""A venue that an earlier release made restores, verifies and comes to the same hashes."""

import asyncio
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.venue.engines import all_engines
from projections.store.hashes import hash_in
from projections.store.postgres import connect
from projections.store.rebuild import rebuild
from projections.tables import PROJECTIONS
from replay.archive.archiver import Archiver
from replay.archive.segments import SegmentFolder
from replay.bundle.check import check_bundle
from replay.bundle.export import export
from replay.travel.travel import StateReplay
from replay.verify.verify import verify
from tests.projections.reading import project_all
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import VirtualClock, simulate
from tests.support.postgres import PostgresServer
from tests.upgrade.released import ReleasedVenue, contents, differences


@pytest.fixture(scope="session")
def server(venue: ReleasedVenue) -> SimulatedServer:
    """Return the restored log, which no test changes."""
    return venue.server()


def test_the_archive_is_whole_and_of_this_venue(
    venue: ReleasedVenue, server: SimulatedServer
) -> None:
    archive, expected = venue.archive, venue.expected
    assert archive.founding.venue_id == expected["venue_id"]
    assert archive.chain == expected["chain"]
    assert server.last_sequence == archive.last == expected["end"]


def test_all_is_decided_again_or_followed_where_rules_have_changed(
    venue: ReleasedVenue, server: SimulatedServer
) -> None:
    report = simulate(verify(server.connect(), all_engines(server.shard)))
    assert (report.findings, report.unable) == ([], [])
    followed = {one.engine: one.records for one in report.followed}
    assert followed == venue.followed
    assert {one.release for one in report.followed} <= {venue.release}
    told = {**msgspec.to_builtins(report), "exit_code": report.exit_code}
    assert differences(venue.verified, told) == []


def test_each_engine_comes_to_the_same_states(
    venue: ReleasedVenue, server: SimulatedServer
) -> None:
    expected = venue.expected["states"]

    async def states() -> dict[str, Any]:
        machine = StateReplay(server.connect(), partial(all_engines, server.shard))
        return {
            str(state.sequence): {
                "state_hash": state.state_hash,
                "engines": {one.name: one.state_hash for one in state.engines},
            }
            async for state in machine.along(sorted(map(int, expected)))
        }

    found = simulate(states())
    assert len(found) == len(expected) >= 10
    engines = {at: venue.hashes(told["engines"]) for at, told in expected.items()}
    assert differences(engines, {at: told["engines"] for at, told in found.items()}) == []


async def test_each_table_comes_to_the_same_rows(
    venue: ReleasedVenue, postgres: PostgresServer
) -> None:
    server, dsn = await asyncio.to_thread(venue.server), postgres.new_database()
    await project_all(server, dsn)
    report = await rebuild(server.connect("rebuild"), dsn, switch=False)
    assert report.equal
    expected = venue.expected["tables"]
    tables = {table.name: table for one in PROJECTIONS for table in one.tables}
    connection = await connect(dsn, "test")
    try:
        found = {}
        for name, told in expected.items():
            columns = {column: tables[name].columns[column] for column in told["columns"]}
            of_the_release = replace(tables[name], columns=columns)
            rows, hash_ = await hash_in(connection, report.live_schema, of_the_release)
            found[name] = {"rows": rows, "hash": hash_}
    finally:
        await connection.close()
    told = {name: {"rows": one["rows"], "hash": one["hash"]} for name, one in expected.items()}
    assert differences(told, found) == []


@pytest.mark.parametrize("states", [False, True])
def test_a_range_of_it_proves_itself(
    venue: ReleasedVenue, server: SimulatedServer, tmp_path: Path, states: bool
) -> None:
    middle = venue.expected["end"] // 2
    path = tmp_path / "range.bundle"
    engines = all_engines(server.shard) if states else ()
    simulate(export(server.connect(), middle, middle + 100, path, states=engines))
    report = simulate(check_bundle(path, all_engines, key=venue.expected["root_key"]))
    assert (report.exit_code, report.findings, report.unable) == (0, [], [])
    assert report.proved
    named = [one for one in report.not_proved if "decided them, and this is" in one]
    followed = sum(int(re.findall(r"decide (\d+) of", one)[0]) for one in named)
    assert (report.redecided + followed > 50) == states


def test_archived_again_it_is_the_same_archive(
    venue: ReleasedVenue, server: SimulatedServer, tmp_path: Path
) -> None:
    folder = SegmentFolder(tmp_path, server.shard)

    async def archive() -> None:
        archiver = Archiver(server.connect("archiver"), VirtualClock(), folder)
        try:
            await archiver.finish(unsealed=True)
        finally:
            await archiver.close()

    simulate(archive())
    before = SegmentFolder(venue.archive_folder, server.shard)
    assert contents(folder.sealed()) == contents(before.sealed())
    assert contents(folder.unsealed()) == contents(before.unsealed())
