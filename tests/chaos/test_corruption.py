"""A damaged JetStream store under a running venue: everything halts, nothing is skipped.

The server itself says nothing of it: it drops what does not fit its checksum, cuts the log
off, or uses sequences again. So each process of the venue must notice, and `verify` must
find what they could not.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from schemas import subjects
from schemas.errors import LogDiverged, LogGap
from tests.chaos.reckoning import Reckoning
from tests.chaos.restoring import check_restored, keep
from tests.chaos.trading import Load, trading
from tests.chaos.watch import SHARD, Watch
from tests.support.venue import Venue
from tests.support.waiting import NotInTime, wait_for

pytestmark = pytest.mark.timeout(300)

ALL = {
    "engine-governance",
    "engine-exchange",
    "engine-reality",
    "engine-pricing",
    "engine-notary",
    "projector",
    "feeds",
    "relay",
    "gateway",
}
READS_ALL_RECORDS = {"engine-notary", "projector"}
"""Who has surely read a record that stands last. The others halt if they had heard of it."""
SCRUBS = {"engine-notary"}
"""Who reads the whole log again and again."""
HALTS = {LogDiverged.exit_code: LogDiverged.code, LogGap.exit_code: LogGap.code}
HALTED = re.compile(r"(\S+) halted: (\w+) \(exit (\d+)\)")
NOTICED_WITHIN_S = 60
PLACE = re.compile(r"sequences?(?:\": | )\d+|ends at \d+|messages up to sequence \d+")
ENOUGH_MESSAGES = 3_000


@dataclass
class Aftermath:
    """What became of a venue whose store was damaged."""

    halted: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    verify_exit: int = 0
    verify: dict[str, Any] = field(default_factory=dict)

    def lines(self) -> list[str]:
        said = [f"{name:<18} {code}: {self.reasons[name]}" for name, code in self.halted.items()]
        found = [finding["note"] for finding in self.verify.get("findings", [])]
        return [*said, f"verify             exit {self.verify_exit}: {found or self.verify}"]


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Venue]:
    it = Venue(tmp_path / "home", ingest=False)
    it.start()
    yield it
    assert it.stop() == 0
    assert it.leftovers() == []


async def traded(venue: Venue) -> int:
    """Trade for a while, let all of it be decided and sealed, and return where the log ends.

    Behind a seal that stands last, who reads everything has surely read everything.
    """
    watch = Watch(venue)
    await watch.open()

    async def sealed() -> bool:
        seal = await watch.log.last(subjects.events(SHARD, subjects.NOTARY))
        return seal is not None and seal.sequence == await watch.log.last_sequence()

    try:
        async with trading(venue, Load(rate=3_000)) as now:

            async def enough() -> bool:
                return now.ledger.highest > ENOUGH_MESSAGES

            await watch.until("enough is traded", enough)
        await watch.quiet(now.load.accounts)
        await watch.until("all is sealed", sealed)
        end = await watch.log.last_sequence()
        await watch.until("the last seal is projected", watch.projected_to(end))
        return end
    finally:
        await watch.close()


def damage(venue: Venue, kind: str) -> None:
    """Change the log's blocks as a bad disk would."""
    blocks = list((venue.home / "nats").rglob("LOG_main/msgs/*.blk"))
    path = max(blocks, key=lambda block: int(block.stem) if block.stat().st_size else -1)
    data = bytearray(path.read_bytes())
    match kind:
        case "a bit in the middle":
            data[len(data) // 2] ^= 1
        case "a bit of the last message":
            data[-20] ^= 1
        case "cut in the middle":
            del data[len(data) // 2 :]
        case "cut in the last message":
            del data[-20:]
    path.write_bytes(data)


def damaged(venue: Venue, kind: str, how: str) -> None:
    """End the server, damage its store, and let `up` start it again."""
    pid = venue.pids()["nats-server"]
    with venue.unwatched():
        os.kill(pid, signal.SIGKILL if how == "killed" else signal.SIGTERM)
        wait_for("the server has ended", lambda: _ended(pid))
        damage(venue, kind)


def _ended(pid: int) -> bool:
    """Tell whether a process has ended; `up` is held still, so it stays a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] == "Z"


def aftermath(venue: Venue, must_halt: set[str]) -> Aftermath:
    """Wait until `must_halt` have halted, or time is up, and ask `verify`.

    Others need not notice, but may; who has until `verify` is done is looked at, too.
    """
    after = Aftermath()

    def halted() -> bool:
        for name, code, number in HALTED.findall(venue.up_log()):
            assert HALTS.get(int(number)) == code, f"{name}: {code} {number}"
            after.halted[name] = code
        return set(after.halted) >= must_halt

    with contextlib.suppress(NotInTime):
        wait_for("halts", halted, NOTICED_WITHIN_S)
    done = venue.run("verify", "--json", check=False)
    after.verify_exit = done.returncode
    after.verify = json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}
    halted()
    for name in after.halted:
        after.reasons[name] = _reason(venue, name)
    return after


def _reason(venue: Venue, name: str) -> str:
    for line in reversed(venue.log_of(name).read_text().splitlines()):
        if '"halted"' in line:
            return str(json.loads(line)["reason"])
    return ""


def slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


def long(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.long)


@pytest.mark.parametrize(
    ("kind", "how", "must_halt"),
    [
        long("a bit in the middle", "killed", ALL),  # the server cuts the log off there
        slow("a bit in the middle", "stopped", SCRUBS),  # all have read that message long ago
        long("a bit of the last message", "killed", READS_ALL_RECORDS),
        long("a bit of the last message", "stopped", READS_ALL_RECORDS),
        slow("cut in the middle", "killed", ALL),
        long("cut in the middle", "stopped", ALL),
        long("cut in the last message", "killed", READS_ALL_RECORDS),
        long("cut in the last message", "stopped", ALL),
    ],
)
async def test_damage_halts_the_venue(
    venue: Venue, kind: str, how: str, must_halt: set[str]
) -> None:
    end = await traded(venue)
    await asyncio.to_thread(damaged, venue, kind, how)
    after = await asyncio.to_thread(aftermath, venue, must_halt)
    print(f"\n{kind}, server {how}, log of {end}:", *after.lines(), sep="\n  ")
    silent = must_halt - set(after.halted)
    assert silent == set(), f"went on as if nothing had happened: {sorted(silent)}"
    for name, reason in after.reasons.items():
        assert re.search(PLACE, reason), f"{name} names no place: {reason}"
    assert after.verify_exit != 0
    assert re.search(PLACE, json.dumps(after.verify)), after.verify


@pytest.mark.long
async def test_a_damaged_venue_comes_back_from_its_archive(venue: Venue, tmp_path: Path) -> None:
    await traded(venue)
    kept = await asyncio.to_thread(keep, venue, tmp_path / "archive")
    await asyncio.to_thread(damaged, venue, "a bit in the middle", "killed")
    after = await asyncio.to_thread(aftermath, venue, SCRUBS)
    assert after.verify_exit != 0
    again = venue.run("archive", "--to", str(kept.archive), "--all", check=False)
    assert again.returncode != 0, "a log that lost its middle is not archived over a whole one"
    reckoning = Reckoning()
    await asyncio.to_thread(check_restored, kept, tmp_path / "restored", reckoning, print)
    assert reckoning.wrong == {}
