"""A siege: a venue with honest traders, now beside well-behaved clients, now under attack.

`python -m tests.siege` runs it for as long as one likes, `test_siege.py` a short one.
"""

import asyncio
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, get_args

import httpx

from schemas.decisions import AddSource, ChangeSource, ListMarket
from schemas.policy import CALIBRATED
from tests.chaos.founding import RICH_CENTS, Founder
from tests.chaos.ledger import Ledger
from tests.chaos.reckoning import Reckoning
from tests.chaos.run import account_for
from tests.chaos.watch import Watch
from tests.siege import world
from tests.siege.attacks import ATTACKS
from tests.siege.bounds import Moved
from tests.siege.ground import HOST, Ground, Login, Side
from tests.siege.honest import ACCOUNTS, READERS, PageReader, Times, honest_traders
from tests.siege.measures import MemoryWatch, disk
from tests.siege.over_nats import audited
from tests.siege.people import FOUNDINGS
from tests.siege.workers import Workers
from tests.support.ports import free_port
from tests.support.venue import Venue
from tests.support.waiting import LOOK_OUTSIDE_EVERY_S, wait_until

SYMBOLS: Final = [f"SIEGE-{number}" for number in range(1, 9)]
WASH: Final = "WASHED"
GAMED: Final = ("GAMED", "GAMED-SENSITIVE")
FREE: Final = [f"free-{number:02d}" for number in range(1, 14)]
FUNDED: Final = [f"kind-{number:02d}" for number in range(1, 14)]
WASHERS: Final = ["washer-1", "washer-2"]
WASHER_CENTS: Final = 100_000
SETTLE_S: Final = 10
"""At the beginning of a phase nothing is timed: what the last one left has to end."""
TAIL_S: Final = 2
"""The attackers go on for a little longer than is timed."""
FOUNDINGS_S: Final = 5
RULES: Final = CALIBRATED
SIDES: Final[tuple[Side, ...]] = get_args(Side)[::-1]
"""The well-behaved come first."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class SiegePlan:
    """How long the attacks go on in all, in so many rounds; the well-behaved have half of that."""

    attack_s: float
    rounds: int = 1
    seed: int = 1

    def seconds(self, side: Side) -> float:
        """Return how long one phase is timed."""
        return self.attack_s / self.rounds / (1 if side == "attack" else 2)


@dataclass
class Findings:
    """All that a siege showed; `report.py` says what of it is within bounds."""

    plan: SiegePlan
    times: Times = field(default_factory=Times)
    ledger: Ledger = field(default_factory=Ledger)
    reckoning: Reckoning = field(default_factory=Reckoning)
    refusals: dict[Side, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    tallies: dict[Side, dict[str, Counter[str]]] = field(
        default_factory=lambda: {side: defaultdict(Counter) for side in SIDES}
    )
    disk: dict[str, dict[str, int]] = field(default_factory=dict)
    grown: dict[Side, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: Counter[str] = field(default_factory=Counter)
    moved: Moved = field(default_factory=Moved)
    unfounded: bool = False
    audit: str = ""
    memory: MemoryWatch | None = None
    ended: list[str] = field(default_factory=list)
    exit_code: int | None = None
    left: list[str] = field(default_factory=list)


class Siege:
    """One run against one venue that nobody has founded. What it finds is in `findings`."""

    def __init__(self, venue: Venue, folder: Path, plan: SiegePlan, say: Say) -> None:
        self.findings = Findings(plan)
        self._venue = venue
        self._folder = folder
        self._say = say
        self._watch = Watch(venue)
        self._memory = self.findings.memory = MemoryWatch(venue)
        self._founder: Founder

    async def run(self) -> Findings:
        """Try to found the venue, found it, trade in phases, wait for quiet, and count."""
        await self._watch.open()
        log = await self._venue.place.log("gateway")
        self._founder = Founder(self._venue.place, log, RULES)
        try:
            await self._stolen_founding()
            await self._found()
            async with self._trading():
                self.findings.disk["start"] = await disk(self._venue, self._watch.log)
                for number in range(self.findings.plan.rounds):
                    for side in SIDES:
                        await self._phase(side, number)
                self.findings.disk["end"] = await disk(self._venue, self._watch.log)
            await self._count()
        finally:
            await log.close()
            await self._watch.close()
        return self.findings

    async def _stolen_founding(self) -> None:
        ground = self._ground("attack", {})
        await self._act(ground, [FOUNDINGS], FOUNDINGS_S, self._nothing)
        async with httpx.AsyncClient() as client:
            venue = (await client.get(f"{self._venue.url}/api/v1/venue")).json()
        self.findings.unfounded = not venue["founded"]

    async def _found(self) -> None:
        founder = self._founder
        await founder.found(SYMBOLS, ACCOUNTS)
        await founder.open(FREE)
        await founder.open(FUNDED, RICH_CENTS)
        await founder.open(WASHERS, WASHER_CENTS)
        gamed, sensitive = GAMED
        await founder.decide(
            ListMarket,
            {"symbol": WASH, "name": WASH, "market_type": "technology"},
            {"symbol": gamed, "name": gamed, "market_type": "social"},
            {"symbol": sensitive, "name": sensitive, "market_type": "political"},
        )

    @asynccontextmanager
    async def _trading(self) -> AsyncIterator[None]:
        """Have the honest trade, and the memory be watched, for as long as the block runs."""
        stop, found = asyncio.Event(), self.findings
        native_url = f"nats://{self._venue.environment['EVERYTHING_NATS_FRONT']}"
        traders = honest_traders(
            self._venue.url,
            native_url,
            self._founder.seeds,
            SYMBOLS,
            found.plan.seed,
            found.ledger,
            found.times,
        )
        readers = [
            PageReader(self._venue.url, SYMBOLS, number, found.times) for number in range(READERS)
        ]
        runs = [one.run(stop) for one in traders] + [one.run(stop) for one in readers]
        tasks = [asyncio.create_task(run) for run in (*runs, self._memory.run(stop))]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def _phase(self, side: Side, number: int) -> None:
        found = self.findings
        ports = {kind: free_port() for kind in world.KINDS}
        sources = world.sources(side, number, ports)
        seconds = found.plan.seconds(side)
        names = [attack.name for attack in ATTACKS]
        before = await disk(self._venue, self._watch.log)
        refused = Counter(found.ledger.refusals)

        async def timed() -> None:
            await _answered(ports)
            await self._founder.decide(AddSource, *({"source": one} for one in sources))
            await asyncio.sleep(SETTLE_S)
            found.times.phase, self._memory.phase = side, f"{side} {number}"
            await asyncio.sleep(seconds)
            found.times.phase = self._memory.phase = None

        lasts_s = SETTLE_S + seconds + TAIL_S
        await self._act(self._ground(side, ports), names, lasts_s, timed)
        found.refusals[side] += Counter(found.ledger.refusals) - refused
        found.seconds[side] += round(lasts_s)
        after = await disk(self._venue, self._watch.log)
        found.grown[side].update({part: after[part] - before[part] for part in after})
        changes = ({"source": world.retired(one)} for one in sources)
        await self._founder.decide(ChangeSource, *changes)
        self._say(f"round {number + 1}, {side}: {found.ledger.acks:,} acknowledged so far")

    async def _act(
        self,
        ground: Ground,
        names: list[str],
        seconds: float,
        meanwhile: Callable[[], Awaitable[None]],
    ) -> None:
        workers = Workers(self._folder, names)
        try:
            await workers.ready(ground, seconds)
            workers.go()
            await meanwhile()
            for name, answers in (await workers.tallies()).items():
                self.findings.tallies[ground.side][name] += answers
        finally:
            await workers.end()

    async def _nothing(self) -> None:
        """Only wait."""

    def _ground(self, side: Side, ports: dict[str, int]) -> Ground:
        def logins(accounts: list[str]) -> list[Login]:
            seeds = self._founder.seeds
            return [Login(account, seeds[account]) for account in accounts if account in seeds]

        environment = self._venue.environment
        return Ground(
            side=side,
            seed=self.findings.plan.seed,
            venue_id=self._founder.venue_id,
            home=str(self._venue.home),
            http_port=self._venue.http_port,
            front_port=int(environment["EVERYTHING_NATS_FRONT"].rpartition(":")[2]),
            server_port=int(environment["EVERYTHING_NATS_PORT"]),
            free=logins(FREE),
            funded=logins(FUNDED),
            washers=logins(WASHERS),
            symbols=SYMBOLS,
            wash_symbol=WASH,
            gamed=list(GAMED),
            ports=ports,
        )

    async def _count(self) -> None:
        found = self.findings
        others = [*FREE, *FUNDED, *WASHERS]
        await account_for(
            self._venue, self._watch, found.ledger, ACCOUNTS, found.reckoning, self._say, others
        )
        found.moved = await Moved().read(self._watch.log)
        for source, fetched in found.moved.fetched.items():
            if (side := world.side_of(source)) is not None:
                found.tallies[side][world.attack_by(source)] += fetched
        self._say("the auditor checks the whole log")
        port = int(self._venue.environment["EVERYTHING_NATS_PORT"])
        found.audit = await audited(str(self._venue.home), port)


async def _answered(ports: dict[str, int]) -> None:
    """Wait until somebody listens at all of `ports`: a source that is not there is left alone."""
    waiting = set(ports.values())

    def all_answer() -> bool:
        for port in tuple(waiting):
            with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                waiting.remove(port)
        return not waiting

    await wait_until(all_answer, what="sources are there", every_s=LOOK_OUTSIDE_EVERY_S)


def besieged(home: Path) -> Venue:
    """Return a venue, not yet started, at whose front strangers connect."""
    venue = Venue(home)
    venue.environment["EVERYTHING_NATS_FRONT"] = f"127.0.0.1:{free_port()}"
    return venue


def lay_siege(home: Path, folder: Path, plan: SiegePlan, say: Say) -> Findings:
    """Start a venue, besiege it, stop it; return what was found. Nothing is left running."""
    venue = besieged(home)
    venue.start()
    siege = Siege(venue, folder, plan, say)
    try:
        asyncio.run(siege.run())
    except Exception as error:  # what was counted so far must be told
        siege.findings.reckoning.blame("the run ended", repr(error)[:500])
        say(f"the run ended: {error!r}")
    finally:
        found = siege.findings
        found.ended = [line for line in venue.up_log().splitlines() if _tells_of_an_end(line)]
        found.exit_code = venue.stop()
        found.left = venue.leftovers()
    return found


def _tells_of_an_end(line: str) -> bool:
    return any(words in line for words in (" halted: ", " ended (", " is gone; ", " silent "))
