"""Time travel on a venue that runs: every door says the same of a moment, whoever was killed."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.venue.engines import all_engines
from deploy.venue.state_service import snapshot_stores
from replay.travel.travel import EngineStates, StateReplay
from tests.support.venue import Venue, venue
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SYMBOL = "RAIN-2027"
Answers = dict[tuple[str, ...], Any]
Reads = tuple[tuple[str, ...], ...]


async def fold(it: Venue, sequence: int) -> EngineStates:
    """Fold the venue's log here, with no snapshot."""
    log = await it.place.log("replay")
    try:
        return await StateReplay(log, partial(all_engines, "main")).at(sequence)
    finally:
        await log.close()


def get(it: Venue, path: str, at: str | int | None = None) -> httpx.Response:
    query = {} if at is None else {"at": str(at)}
    return httpx.get(f"{it.url}/api/v1{path}", params=query, timeout=60)


def said(it: Venue, *arguments: str) -> Any:
    """Return the document of a read, once the tables have caught up with the log."""
    end = get(it, "/status").json()["log"]["messages"]

    def caught_up() -> bool:
        answer = get(it, "/markets", end)
        return (
            answer.status_code == 200
            and get(it, "/markets").json()["markets"] == (answer.json()["markets"])
        )

    wait_for("tables and history agree", caught_up)
    return it.json(*arguments)


def state_service(it: Venue) -> psutil.Process:
    gateway = psutil.Process(it.pids()["gateway"])
    (child,) = [one for one in gateway.children() if "state_service" in " ".join(one.cmdline())]
    return child


def at_once(it: Venue, reads: Reads) -> tuple[Answers, int] | None:
    """Return what all reads say at one sequence of the tables, None if that moved meanwhile."""
    then = projected(it)
    answers: Answers = {read: said(it, *read) for read in reads}
    return (answers, then) if projected(it) == then else None


def projected(it: Venue) -> int:
    return int(get(it, "/projection").json()["sequence"])


def test_a_moment_stays_what_it_was(tmp_path: Path) -> None:
    with venue(tmp_path / "home", ingest=False) as it:
        it.run("init", "My venue")
        it.run("admin", "list-market", SYMBOL, "--name", "Rain in 2027", "--type", "sports")
        for account in ("alice", "bob"):
            it.run("account", "new", account)
            it.run("admin", "mint", account, "1000")
        it.json("order", "alice", "buy", SYMBOL, "10", "--price", "62.50")
        reads: Reads = (
            ("markets",),
            ("book", SYMBOL),
            ("orders", "alice"),
            ("account", "show", "alice"),
        )
        before, then = wait_for("the tables stand still", lambda: at_once(it, reads))
        when = get(it, "/state", then).json()["time"]
        sold = it.json("order", "bob", "sell", SYMBOL, "4", "--price", "60")
        wait_for("it is told", lambda: all(said(it, *read) != before[read] for read in reads))
        _same_as(it, before, then)

        state = it.json("state", "--at", str(then))
        assert state["sequence"] == then
        moment = asyncio.run(fold(it, then))
        assert state["state_hash"] == moment.state_hash
        assert {name: one["state_hash"] for name, one in state["engines"].items()} == {
            one.name: one.state_hash for one in moment.engines
        }
        answer = get(it, f"/market/{SYMBOL}", then)
        assert answer.headers["X-At-Sequence"] == str(then)
        assert answer.headers["X-State-Hash"] == moment.state_hash
        # what is observed has no time of its own, so it may still belong to that moment
        assert then <= int(get(it, "/markets", when).headers["X-At-Sequence"]) < sold["sequence"]
        told = it.run("trades", SYMBOL, "--at", str(then))
        assert f"as of message {then}, state {moment.state_hash}" in told.stderr
        assert "no trades yet" in told.stdout
        behind = it.run("markets", "--at", "1000000", check=False)
        assert "not_found" in behind.stderr

        old = it.kill("historian")
        state_service(it).kill()
        it.json("order", "bob", "sell", SYMBOL, "1", "--price", "60")
        end = get(it, "/status").json()["log"]["messages"]
        it.restarted("historian", old)
        wait_for("the historian is back", lambda: get(it, "/markets", end).status_code == 200)
        assert get(it, "/state", end).json()["state_hash"] == asyncio.run(fold(it, end)).state_hash
        _same_as(it, before, then)
        assert (it.run("verify").returncode, it.run("rebuild").returncode) == (0, 0)
        names = {one.name for one in moment.engines}
        wait_for("states are kept", lambda: set(snapshot_stores(it.place)) == names)
        child = state_service(it)
        assert it.stop() == 0
        wait_for("the state service has ended", lambda: not child.is_running())
        assert it.leftovers() == []


def _same_as(it: Venue, before: Answers, then: int) -> None:
    for read, expected in before.items():
        found = it.json(*read, "--at", str(then))
        if "last_sequence" in found:
            found["last_sequence"] = expected["last_sequence"]
        assert found == expected, read
