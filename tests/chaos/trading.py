"""Many traders on a throwaway venue, through both doors at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from schemas.sources import Source
from tests.chaos.founding import Founder
from tests.chaos.ledger import Ledger
from tests.chaos.mix import Mix
from tests.chaos.traders import Door, HttpDoor, NativeDoor, Trader
from tests.support.venue import Venue

_TRADERS: Final = {"many": 26, "few": 12, "http": 6}
_AT_ONCE: Final = {"many": 20, "few": 4, "http": 3}
"""Commands that a trader sends at once, on average."""


@dataclass(frozen=True)
class Load:
    """What is traded, and how much of it. `rate` is in commands per second, all together.

    `sources` are where news comes from meanwhile.
    """

    rate: int = 1_200
    seed: int = 1
    symbols: int = 32
    sources: tuple[Source, ...] = ()

    @property
    def accounts(self) -> list[str]:
        return [f"trader-{number:02d}" for number in range(1, sum(_TRADERS.values()) + 1)]

    @property
    def markets(self) -> list[str]:
        return [f"CHAOS-{number:02d}" for number in range(1, self.symbols + 1)]


class Trading:
    """What is going on at the venue: the clients' ledger, and since when."""

    def __init__(self, venue: Venue, load: Load) -> None:
        self.load = load
        self.ledger = Ledger()
        self.seconds = 0.0
        self._venue = venue
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._began = 0.0

    async def begin(self) -> None:
        """Found the venue and let the traders loose."""
        log = await self._venue.place.log("gateway")
        founder = Founder(self._venue.place, log)
        try:
            await founder.found(self.load.markets, self.load.accounts, self.load.sources)
        finally:
            await log.close()
        self._began = time.monotonic()
        self._tasks = [asyncio.create_task(one.run(self._stop)) for one in self._traders(founder)]

    async def end(self) -> None:
        """Have every trader finish what it is at, and go."""
        self._stop.set()
        await asyncio.gather(*self._tasks)
        self.seconds = time.monotonic() - self._began

    def _traders(self, founder: Founder) -> list[Trader]:
        load, venue = self.load, self._venue
        kinds = [kind for kind, count in _TRADERS.items() for _ in range(count)]
        pause_s = sum(_AT_ONCE[kind] for kind in kinds) / load.rate
        traders = []
        for kind, (account, seed) in zip(kinds, founder.seeds.items(), strict=True):
            door: Door
            if kind == "http":
                door = HttpDoor(venue.url, account, seed)
            else:
                door = NativeDoor(venue.broker_url, account, seed, f"native, {kind}")
            mix = Mix(account, load.markets, load.seed, strict=kind == "http")
            traders.append(Trader(door, mix, self.ledger, _AT_ONCE[kind], pause_s))
        return traders


@asynccontextmanager
async def trading(venue: Venue, load: Load) -> AsyncIterator[Trading]:
    """Trade for as long as the block runs."""
    it = Trading(venue, load)
    await it.begin()
    try:
        yield it
    finally:
        await it.end()
