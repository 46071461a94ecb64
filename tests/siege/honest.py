"""Honest traders: steady, through both doors, each command timed from when it was due."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import httpx

from tests.chaos.ledger import Ledger
from tests.chaos.mix import Mix
from tests.chaos.traders import ANSWER_WITHIN_S, Door, HttpDoor, NativeDoor, Trader, rest

READERS: Final = 4
DOORS: Final = {"http": 6, "single": 6, "several": 4}
EVERY_S: Final = 0.5
"""Between two commands of one trader, of which each may send 20 a second."""
AT_ONCE: Final = 3
"""Commands that a trader of several hands in at once, on average."""
ACCOUNTS: Final = [f"honest-{number:02d}" for number in range(1, sum(DOORS.values()) + 1)]


class Times:
    """How long commands took, by phase and door. Outside of a phase nothing is noted."""

    def __init__(self) -> None:
        self.phase: str | None = None
        self.took_s: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def note(self, door: str, seconds: float) -> None:
        if self.phase is not None:
            self.took_s[self.phase][door].append(seconds)

    def percentile_ms(self, phase: str, door: str, percent: int) -> float:
        """Return a percentile in milliseconds, 0 where nothing was noted."""
        took = sorted(self.took_s[phase][door])
        return took[min(len(took) * percent // 100, len(took) - 1)] * 1e3 if took else 0.0


class SteadyTrader(Trader):
    """Hands in on time; after a wait it makes up for what it missed, which counts as late."""

    def __init__(self, door: Door, mix: Mix, ledger: Ledger, at_once: int, times: Times) -> None:
        super().__init__(door, mix, ledger, at_once, EVERY_S * at_once)
        self._times = times

    async def run(self, stop: asyncio.Event) -> None:
        loop, rng = asyncio.get_running_loop(), self._mix.random
        due = loop.time() + rng.random()
        try:
            while await self._door.ready(stop):
                if loop.time() < due:
                    await rest(stop, due - loop.time())
                if stop.is_set():
                    break
                count = rng.randint(1, 2 * self._at_once - 1)
                await self.hand_in_all([self._mix.next() for _ in range(count)], stop)
                self._times.note(self._door.name, loop.time() - due)
                due += self._pause_s
        finally:
            await self._door.close()


class PageReader:
    """Looks at markets and books over HTTP without a session, in time, as traders do."""

    def __init__(self, url: str, symbols: Sequence[str], seed: int, times: Times) -> None:
        self._http = httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=ANSWER_WITHIN_S)
        self._symbols = symbols
        self._random = random.Random(seed)
        self._times = times

    async def run(self, stop: asyncio.Event) -> None:
        """Read a page each EVERY_S until `stop`."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._random.random()
        async with self._http:
            while not stop.is_set():
                if loop.time() < due:
                    await rest(stop, due - loop.time())
                path = f"/market/{self._random.choice(self._symbols)}"
                path += self._random.choice(("", "/snapshot", "/trades"))
                self._times.note("pages", await self._read(path) or loop.time() - due)
                due += EVERY_S

    async def _read(self, path: str) -> float:
        """Return 0 for a page that came; one that did not took as long as anyone would wait."""
        with suppress(httpx.HTTPError):
            if (await self._http.get(path)).is_success:
                return 0.0
        return ANSWER_WITHIN_S


def honest_traders(
    http_url: str,
    native_url: str,
    seeds: dict[str, str],
    symbols: Sequence[str],
    seed: int,
    ledger: Ledger,
    times: Times,
) -> list[SteadyTrader]:
    """Return a trader for each honest account."""
    kinds = [kind for kind, count in DOORS.items() for _ in range(count)]
    traders = []
    for kind, account in zip(kinds, ACCOUNTS, strict=True):
        door: Door
        if kind == "http":
            door = HttpDoor(http_url, account, seeds[account])
        else:
            door = NativeDoor(native_url, account, seeds[account], f"native, {kind}")
        mix = Mix(account, symbols, seed, strict=kind == "http")
        at_once = AT_ONCE if kind == "several" else 1
        traders.append(SteadyTrader(door, mix, ledger, at_once, times))
    return traders
