"""The log's disk is full under load: nothing is acknowledged that is not kept.

With room again and the server started anew, the venue goes on by itself.
"""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.reckoning import Reckoning
from tests.chaos.restoring import bring_back
from tests.chaos.run import account_for, halts
from tests.chaos.trading import Load, trading
from tests.chaos.watch import Watch
from tests.support.venue import Venue

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

SIZE = "2g"
"""The server will not start with less than it has promised its streams."""
LEFT_BYTES = 12 * 2**20
FULL_WITHIN_S = 120
STILL_S = 4.0
"""So long without an acknowledgement, and it is full."""


def as_root(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as root: as ourselves, or by a sudo that asks for no password."""
    prefix = ["sudo", "-n"] if os.geteuid() and shutil.which("sudo") else []
    return subprocess.run([*prefix, *command], capture_output=True, text=True, check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own for the log of the venue in `home`."""
    path = tmp_path / "home" / "nats"
    path.mkdir(parents=True)
    options = f"size={SIZE},uid={os.geteuid()},gid={os.getegid()}"
    done = as_root("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path))
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    yield path
    assert as_root("umount", "--lazy", str(path)).returncode == 0


def fill(disk: Path) -> Path:
    """Leave no more than LEFT_BYTES; return the file that takes the rest."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - LEFT_BYTES)
    return ballast


async def test_a_full_disk_loses_nothing_and_is_recovered_from(disk: Path, tmp_path: Path) -> None:
    venue = Venue(disk.parent, ingest=False)
    venue.start()
    watch = Watch(venue)
    reckoning = Reckoning()
    await watch.open()
    try:
        async with trading(venue, Load(rate=3_000)) as now:
            ballast = fill(disk)
            last, since = 0, time.monotonic()

            async def full() -> bool:
                nonlocal last, since
                if now.ledger.acks > last:
                    last, since = now.ledger.acks, time.monotonic()
                return time.monotonic() - since > STILL_S

            await watch.until("the disk is full", full, FULL_WITHIN_S)
            free = shutil.disk_usage(disk).free
            ballast.unlink()
            before, acks = venue.kill("nats-server"), now.ledger.acks
            await asyncio.to_thread(venue.restarted, "nats-server", before)

            async def going_on() -> bool:
                return now.ledger.acks > acks + 1_000

            await watch.until("trading goes on", going_on)
        await account_for(venue, watch, now.ledger, now.load.accounts, reckoning, print)
        await asyncio.to_thread(bring_back, venue, tmp_path, reckoning, print)
    finally:
        await watch.close()
        code = venue.stop()
    print(f"full with {free:,} bytes free; acknowledged {acks:,} until then")
    print("\n".join(reckoning.lines()))
    assert reckoning.wrong == {}
    assert (code, venue.leftovers(), halts(venue)) == (0, [], [])
    assert free < 2**20, "the disk was not full"
    assert acks > 1_000
