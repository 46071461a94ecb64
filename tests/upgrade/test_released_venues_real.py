"""The same with the command line, a real nats-server and Postgres: as an operator would do it."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.venue import up
from deploy.venue.engines import engine_of
from engines.kernel import Engine
from projections.store.projector import Projector
from replay.archive.segments import SegmentFolder
from schemas.subjects import NOTARY
from tests.projections.reading import running
from tests.support.postgres import PostgresServer
from tests.support.venue import Venue
from tests.support.waiting import wait_until
from tests.upgrade.checkouts import newer
from tests.upgrade.released import ReleasedVenue, contents, differences

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def restored(
    venue: ReleasedVenue, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Venue]:
    """Return a home that was restored; its log runs alone, so that nothing is added to it."""
    home = tmp_path_factory.mktemp(f"restored-{venue.release}")
    shutil.copytree(venue.keys, home / "keys")
    found = Venue(home, ingest=False)
    found.environment["DATABASE_URL"] = postgres.new_database()
    options = "--from", str(venue.archive_folder), "--key", venue.expected["root_key"]
    told = found.json("restore", *options)
    assert (told["messages"], told["lost"]) == (venue.expected["end"], [])
    alone = up.Venue(found.place, lambda _: None, lambda _: contextlib.nullcontext())
    alone.start_log_alone()
    try:
        yield found
    finally:
        alone.stop()


def test_verify_finds_nothing_and_follows_where_rules_have_changed(
    venue: ReleasedVenue, restored: Venue
) -> None:
    done = restored.run("verify", "--json", check=False)
    told = json.loads(done.stdout)
    assert differences(venue.verified, told) == []
    assert {one["engine"]: one["records"] for one in told["followed"]} == venue.followed
    assert done.returncode == told["exit_code"]


def test_what_it_follows_is_decided_again_by_the_release(
    venue: ReleasedVenue, restored: Venue, v010: Path
) -> None:
    through = venue.expected["verify"]["sealed_through"]  # a record behind it is nobody's yet
    told = restored.json("verify", "--until", str(through), "--with", str(v010))
    assert (told["exit_code"], told["followed"]) == (0, [])
    assert {one["engine"] for one in told["decided_elsewhere"]} == {*venue.followed}


def test_verify_has_another_checkout_decide_what_it_followed(
    venue: ReleasedVenue, restored: Venue, v010: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No later seal covers the notary's last record, so the notary keeps its decider."""

    def all_newer(shard: str) -> list[Engine[Any]]:
        return [*newer(shard)[:-1], engine_of(NOTARY, shard)]

    for name, value in restored.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("deploy.venue.engines.all_engines", all_newer)
    through = venue.expected["verify"]["sealed_through"]
    command = ["verify", "--until", str(through)]
    alone = CliRunner().invoke(app, command)
    assert alone.exit_code == 2, alone.output
    assert "--with a checkout of v0.1.0 decides them again" in alone.output
    together = CliRunner().invoke(app, [*command, "--with", str(v010)])
    assert together.exit_code == 0, together.output
    assert together.output.count("decided again, 0 followed") == 5
    assert together.output.count("DECIDED ELSEWHERE") == 4
    nothing = CliRunner().invoke(app, [*command, "--with", str(restored.home)])
    assert nothing.exit_code != 0


def test_rebuild_finds_every_table_equal(venue: ReleasedVenue, restored: Venue) -> None:
    async def project() -> None:
        log = await restored.place.log("replay")
        projector = Projector(log, restored.environment["DATABASE_URL"], writer="test")
        async with running(projector) as task:
            await wait_until(lambda: projector.status()["sequence"] >= expected["tables_at"], task)
        await log.close()

    expected = venue.expected
    asyncio.run(project())
    told = restored.json("rebuild")
    assert told["equal"]
    found = {one["table"]: one for one in told["tables"]}
    assert {name: found[name]["rows"] for name in expected["tables"]} == {
        name: one["rows"] for name, one in expected["tables"].items()
    }


def test_it_is_archived_and_exported_as_before(
    venue: ReleasedVenue, restored: Venue, tmp_path: Path
) -> None:
    told = restored.json("archive", "--all", "--to", str(tmp_path / "archive"))
    assert (told["messages"], told["chain"]) == (venue.expected["end"], venue.expected["chain"])
    before = SegmentFolder(venue.archive_folder, venue.expected["verify"]["shard"])
    again = SegmentFolder(tmp_path / "archive", venue.expected["verify"]["shard"])
    assert contents(again.sealed()) == contents(before.sealed())
    bundle = str(tmp_path / "some.bundle")
    restored.run("export", "1000..1100", "-o", bundle, "--states")
    proved = restored.json("verify", "--bundle", bundle, "--key", venue.expected["root_key"])
    assert (proved["exit_code"], proved["findings"]) == (0, [])
