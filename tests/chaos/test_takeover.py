"""Two exchange engines at once, under load: the newcomer takes over, the other is fenced."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas import subjects
from schemas.records import EPOCHS, EVENT_MESSAGES
from schemas.units import SECOND_NS
from tests.chaos.reckoning import Reckoning
from tests.chaos.restoring import bring_back
from tests.chaos.run import account_for, halts
from tests.chaos.trading import Load, Trading, trading
from tests.chaos.watch import SHARD, Watch
from tests.support.venue import Venue

pytestmark = pytest.mark.timeout(400)

ENGINE = "engine-exchange"
FULL = Load(rate=6_000)
TAKES_OVER_WITHIN_S = 15
FENCED_WITHIN_S = 30
FROZEN_S = 3


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Venue]:
    it = Venue(tmp_path / "home", ingest=False)
    it.start()
    yield it
    assert it.stop() == 0
    assert it.leftovers() == []


class Rivals:
    """The engine that `up` runs, and a second one started by hand."""

    def __init__(self, venue: Venue, watch: Watch, now: Trading) -> None:
        self._venue = venue
        self._watch = watch
        self._now = now
        self.first_pid = venue.pids()[ENGINE]
        self.second: subprocess.Popen[bytes] | None = None

    async def warm_up(self) -> int:
        """Trade until the first engine has decided thousands; return its epoch."""

        async def busy() -> bool:
            return (await self._watch.covered())[0] > 5_000

        await self._watch.until("the first engine is busy", busy)
        return await self._watch.epoch(subjects.EXCHANGE)

    async def start_second(self, epoch: int) -> int:
        """Start the second engine and return its epoch once it has written a record."""
        self.second = self._venue.start_process(ENGINE)

        async def in_office() -> bool:
            newest = await self._watch.epoch(subjects.EXCHANGE)
            return newest > epoch and (await self._watch.covered())[1] > newest

        await self._watch.until("the second is in office", in_office, TAKES_OVER_WITHIN_S)
        return await self._watch.epoch(subjects.EXCHANGE)

    async def first_fenced(self) -> None:
        async def fenced() -> bool:
            return bool(halts(self._venue))

        await self._watch.until("the first is fenced", fenced, FENCED_WITHIN_S)
        (line,) = halts(self._venue)
        assert f"{ENGINE} halted: fenced (exit 71). It stays down" in line
        assert self._venue.pids()[ENGINE] == self.first_pid, "it was started again"

    async def trade_on(self) -> None:
        """See that the second engine decides thousands more."""
        since = self._now.ledger.highest

        async def further() -> bool:
            return (await self._watch.covered())[0] > since + 3_000

        await self._watch.until("the second goes on", further)

    def stop_second(self) -> None:
        assert self.second is not None
        assert self.second.poll() is None, "the second has ended by itself"
        self.second.terminate()
        assert self.second.wait(30) == 0


async def interregnum_ms(watch: Watch, epoch: int) -> tuple[float, float]:
    """Return how long no record was written, and how long the Epoch's own writer took."""
    before = after = None
    sequence = epoch
    while before is None:
        sequence -= 1
        stored = await watch.log.get(sequence)
        assert stored is not None
        if stored.subject == subjects.events(SHARD, subjects.EXCHANGE):
            before = EVENT_MESSAGES.decode(stored.payload)
    sequence = epoch
    while after is None:
        sequence += 1
        stored = await watch.log.get(sequence)
        assert stored is not None
        if stored.subject == subjects.events(SHARD, subjects.EXCHANGE):
            after = EVENT_MESSAGES.decode(stored.payload)
    stored = await watch.log.get(epoch)
    assert stored is not None
    sworn_ns = EPOCHS.decode(stored.payload).time_ns
    assert before.epoch < epoch == after.epoch
    milliseconds = SECOND_NS / 1_000
    return (
        (after.time_ns - before.time_ns) / milliseconds,
        (after.time_ns - sworn_ns) / milliseconds,
    )


async def accounted(venue: Venue, watch: Watch, done: Trading, folder: Path) -> None:
    """All orders are there once, no record stands under an epoch gone by, and all of it can be
    restored from an archive in `folder`."""
    reckoning = Reckoning()
    await account_for(venue, watch, done.ledger, done.load.accounts, reckoning, print)
    await asyncio.to_thread(bring_back, venue, folder, reckoning, print)
    print("\n".join(reckoning.lines()))
    assert reckoning.wrong == {}


@pytest.mark.slow
async def test_a_second_engine_takes_over_at_once(venue: Venue, tmp_path: Path) -> None:
    watch = Watch(venue)
    await watch.open()
    async with trading(venue, FULL) as now:
        rivals = Rivals(venue, watch, now)
        old = await rivals.warm_up()
        new = await rivals.start_second(old)
        await rivals.first_fenced()
        await rivals.trade_on()
    gap_ms, own_ms = await interregnum_ms(watch, new)
    print(f"{now.ledger.acks / now.seconds:,.0f} commands/s; between the last record of the")
    print(f"first and the first of the second {gap_ms:.0f} ms, {own_ms:.0f} ms since its Epoch")
    assert gap_ms < 5_000
    await accounted(venue, watch, now, tmp_path)
    rivals.stop_second()
    await watch.close()


@pytest.mark.long
async def test_an_engine_that_was_frozen_is_fenced_when_it_wakes(
    venue: Venue, tmp_path: Path
) -> None:
    watch = Watch(venue)
    await watch.open()
    async with trading(venue, FULL) as now:
        rivals = Rivals(venue, watch, now)
        old = await rivals.warm_up()
        os.kill(rivals.first_pid, signal.SIGSTOP)
        try:
            await rivals.start_second(old)
            await asyncio.sleep(FROZEN_S)  # so that it wakes well behind, as after a pause
            assert halts(venue) == []
        finally:
            os.kill(rivals.first_pid, signal.SIGCONT)
        await rivals.first_fenced()
        await rivals.trade_on()
    await accounted(venue, watch, now, tmp_path)
    rivals.stop_second()
    await watch.close()
