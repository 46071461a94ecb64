"""A home whose tables another release made is opened, upgraded and rolled back, as a person would.

A home restored from the log has tables of this release, so the test writes another digest into it.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from deploy import http
from deploy.venue.postgres import Postgres
from tests.support.postgres import fetch, run
from tests.support.venue import Venue
from tests.support.waiting import wait_for
from tests.upgrade.released import ReleasedVenue

pytestmark = pytest.mark.slow

READS: Final = ("/venue", "/markets", "/articles", "/sources", "/score-changes", "/reviews")
SAID: Final = "the tables (rm_1) were made by another release"
REST_S: Final = 6
"""Longer than a seal is waited for, and tables follow a record."""
READY: Final = "this release's tables are built"


@pytest.fixture(scope="module")
def home(venue: ReleasedVenue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """Return a home with the venue of the release, which nothing runs in."""
    folder = tmp_path_factory.mktemp(f"upgraded-{venue.release}")
    shutil.copytree(venue.keys, folder / "keys")
    opened = Venue(folder, ingest=False)
    opened.json("restore", "--from", str(venue.archive_folder), "--key", venue.expected["root_key"])
    yield opened
    if opened.leftovers():
        opened.stop()


def read(home: Venue, path: str, **query: Any) -> Any:
    answer = http.request("GET", f"{home.url}/api/v1{path}", query=query)
    assert not answer.is_error, (path, query, answer.body)
    return answer.json()


def reads(home: Venue, **query: Any) -> dict[str, Any]:
    """Return what people read, without how far the tables are: engines go on by themselves."""
    found = {path: read(home, path, **query) for path in READS}
    for answer in found.values():
        answer.pop("sequence", None)
    return found


def same(home: Venue, before: dict[str, Any], **query: Any) -> None:
    """See that people read what they read before, and say which fields are others if not."""
    now = reads(home, **query)
    assert now == before, sorted(set(_leaves(now)) ^ set(_leaves(before)), key=str)


def _leaves(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    match node:
        case dict():
            for key, child in node.items():
                yield from _leaves(child, f"{place}.{key}")
        case list():
            yield place, len(node)
            for number, child in enumerate(node):
                yield from _leaves(child, f"{place}[{number}]")
        case _:
            yield place, node


def has_history(home: Venue, sequence: int) -> None:
    """Wait until `?at=` is answered at `sequence`."""
    url = f"{home.url}/api/v1/markets"

    def is_answered() -> bool:
        return not http.request("GET", url, query={"at": sequence}, timeout_s=20).is_error

    wait_for(f"?at={sequence} is answered", is_answered, 90)


def follows(home: Venue, sequence: int) -> None:
    """Wait until the tables are at `sequence` at least."""
    wait_for("the tables follow", lambda: read(home, "/projection")["sequence"] >= sequence, 60)


def rests(home: Venue) -> None:
    """Wait until nothing more is written: windows of volume that are over are told first."""
    seen = [-1]

    def is_at_rest() -> bool:
        last, seen[0] = seen[0], home.json("status")["log"]["messages"]
        time.sleep(REST_S)
        return last == seen[0]

    wait_for("the log rests", is_at_rest, 90)


def states_are_as_the_release_said(home: Venue, venue: ReleasedVenue) -> None:
    for sequence, told in venue.expected["states"].items():
        engines = read(home, "/state", at=sequence)["engines"]
        found = {name: engine["state_hash"] for name, engine in engines.items()}
        assert venue.hashes(found) == venue.hashes(told["engines"])


def say_that_another_release_made_it(home: Venue) -> None:
    """Change the digests that the home, in which nothing runs, says its tables are of."""
    postgres = Postgres(home.home / "postgres")
    postgres.start()
    try:
        for registry in ("control", "history"):
            run(postgres.url, f"UPDATE {registry}.models SET digest = 'f' || substr(digest, 2)")
    finally:
        postgres.stop()


def kill_the_builder_once(home: Venue) -> None:
    """Kill the projector as soon as it builds; `everything up` starts it again."""
    dsn = home.place.home.database_url.read_text()
    query = "SELECT 1 FROM models WHERE state = 'building'"
    wait_for("the projector builds", lambda: fetch(dsn, query, schema="control"), 60)
    pid = home.pids()["projector"]
    os.kill(pid, signal.SIGKILL)
    home.restarted("projector", pid)


def test_a_home_of_another_release_is_upgraded_and_rolled_back(
    venue: ReleasedVenue, home: Venue
) -> None:
    end = venue.expected["end"]
    home.start()
    follows(home, venue.expected["tables_at"])
    has_history(home, end)
    done = home.run("upgrade")
    assert done.stdout.startswith("nothing to do: rm_1")
    rests(home)
    before, past = reads(home), reads(home, at=2000)
    states_are_as_the_release_said(home, venue)
    assert home.stop() == 0
    say_that_another_release_made_it(home)

    home.launch()
    ready = home.home / "run" / "ready"
    wait_for("it says what it found", lambda: SAID in home.up_log(), 60)
    kill_the_builder_once(home)
    wait_for("the venue is ready", ready.exists, 90)
    wait_for("it says that the tables are built", lambda: READY in home.up_log(), 90)
    assert "halted" not in home.up_log()
    same(home, before)
    assert read(home, "/projection")["schema_name"] == "rm_1"
    same(home, past, at=2000)
    home.run("account", "new", "henry")
    symbol = next(
        one["symbol"] for one in read(home, "/markets")["markets"] if one["status"] == "open"
    )
    assert home.json("order", "henry", "buy", symbol, "1", "--price", "1")["status"] == "placed"

    has_history(home, end)
    told = home.json("upgrade")
    assert (told["needed"], told["ready"], told["switched"]) == (True, True, False)
    assert set(told["tables"]["compared"].values()) == {"equal"}
    assert home.run("upgrade", "--switch", check=False).returncode == 1  # nobody says yes
    assert home.json("upgrade", "--switch", "--yes")["switched"]
    own = told["tables"]["own"]["schema"]
    assert read(home, "/projection")["schema_name"] == own
    follows(home, end + 1)
    same(home, before)
    same(home, past, at=2000)
    states_are_as_the_release_said(home, venue)
    told = json.loads(home.run("verify", "--json", check=False).stdout)
    assert (told["findings"], told["exit_code"]) == ([], venue.verified["exit_code"])

    assert home.json("upgrade", "--rollback", "--yes")["live_schema"] == "rm_1"
    same(home, before)
    assert home.run("upgrade", "--rollback", "--yes", check=False).returncode != 0
    assert home.json("upgrade", "--switch", "--yes")["switched"]
    assert read(home, "/projection")["schema_name"] == own
    # the history switches by itself, once it is built
    wait_for("all is done", lambda: home.run("upgrade").stdout.startswith("nothing to do"), 90)
    assert home.stop() == 0
    assert "halted" not in home.up_log()
