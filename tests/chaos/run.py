"""Chaos: a whole venue under load while its processes are killed, and the accounting after.

`python -m tests.chaos` runs it in full, `test_chaos.py` a shorter one.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from everything.deploy.place import Place
from everything.projections.feeds.channels import PROGRESS
from everything.projections.feeds.outbox import decode_progress
from everything.schemas import subjects
from everything.schemas.errors import OperatingError
from everything.schemas.records import EVENT_MESSAGES
from everything.streams.log.nats_log import NatsLog
from tests.chaos.founding import Founder
from tests.chaos.ledger import Ledger
from tests.chaos.mix import Mix
from tests.chaos.reckoning import (
    LogBook,
    Reckoning,
    check_clients,
    check_feed,
    check_money,
    check_outcomes,
    check_postgres,
    count_log,
)
from tests.chaos.traders import Door, HttpDoor, NativeDoor, Trader
from tests.support.venue import Venue

SHARD: Final = subjects.DEFAULT_SHARD
MAIN: Final = ("engine-exchange", "nats-server", "projector")
OTHERS: Final = (
    "feeds",
    "postgres",
    "engine-governance",
    "engine-pricing",
    "engine-notary",
    "gateway",
)
RECOVER_WITHIN_S: Final = 90
QUIET_WITHIN_S: Final = 180
LOOK_EVERY_S: Final = 0.05
DOUBLE_SHARE: Final = 0.15
"""How often a second process is killed at the very same time."""

_BATCH_TRADERS: Final = 26
_SINGLE_TRADERS: Final = 12
_HTTP_TRADERS: Final = 6
_AT_ONCE: Final = {"batch": 20, "single": 4, "http": 3}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much chaos."""

    kills: int
    """Of each of the three main processes."""
    other_kills: int
    """Of each of the others."""
    rate: int = 1_200
    """Commands per second that the traders together aim at."""
    seed: int = 1
    symbols: int = 32
    seconds: float = 0.0
    """Go on trading, and killing at random, for at least this long."""

    @property
    def accounts(self) -> list[str]:
        count = _BATCH_TRADERS + _SINGLE_TRADERS + _HTTP_TRADERS
        return [f"trader-{number:02d}" for number in range(1, count + 1)]

    @property
    def markets(self) -> list[str]:
        return [f"CHAOS-{number:02d}" for number in range(1, self.symbols + 1)]


@dataclass
class Kills:
    """How often each process was killed, and how long the venue then took."""

    done: dict[str, int] = field(default_factory=dict)
    took_s: dict[str, list[float]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        return [
            f"killed {name:<18} {self.done[name]:>3} times; trading and projecting again after "
            f"{sum(took) / len(took):.1f} s on average, {max(took):.1f} s at most"
            for name, took in sorted(self.took_s.items())
        ]


class Chaos:
    """One run against one venue. Its findings end up in `reckoning`."""

    def __init__(self, venue: Venue, plan: Plan, say: Say) -> None:
        self.venue = venue
        self.plan = plan
        self.reckoning = Reckoning()
        self.kills = Kills()
        self.ledger = Ledger()
        self._say = say
        self._random = random.Random(plan.seed)
        self._log: NatsLog
        self._stop = asyncio.Event()

    @property
    def place(self) -> Place:
        return self.venue.place

    async def run(self) -> Reckoning:
        """Found, trade and kill, wait for quiet, and count."""
        founder = await self._found()
        self._log = await self.place.log("replay")
        traders = [asyncio.create_task(one.run(self._stop)) for one in self._traders(founder)]
        began = time.monotonic()
        try:
            await self._until("trading has begun", self._traded_since(0, 0), RECOVER_WITHIN_S)
            for names in self._schedule():
                await asyncio.sleep(self._random.uniform(0.2, 1.5))
                await self._kill(names)
            while time.monotonic() - began < self.plan.seconds:
                await asyncio.sleep(self._random.uniform(0.2, 1.5))
                await self._kill([self._random.choice(MAIN + OTHERS)])
        finally:
            self._stop.set()
            await asyncio.gather(*traders)
        elapsed = time.monotonic() - began
        self._say(f"traded for {elapsed:.0f} s: {self.ledger.acks / elapsed:,.0f} commands/s")
        await self._quiet()
        await self._count()
        await self._log.close()
        return self.reckoning

    # -- trading ---------------------------------------------------------------------

    async def _found(self) -> Founder:
        log = await self.place.log("gateway")
        founder = Founder(self.place, log)
        try:
            await founder.found(self.plan.markets, self.plan.accounts)
        finally:
            await log.close()
        return founder

    def _traders(self, founder: Founder) -> list[Trader]:
        plan, venue = self.plan, self.venue
        kinds = ["batch"] * _BATCH_TRADERS + ["single"] * _SINGLE_TRADERS + ["http"] * _HTTP_TRADERS
        pause_s = sum(_AT_ONCE[kind] for kind in kinds) / plan.rate
        traders = []
        for kind, (account, seed) in zip(kinds, founder.seeds.items(), strict=True):
            door: Door
            if kind == "http":
                door = HttpDoor(venue.url, account, seed)
            else:
                door = NativeDoor(venue.broker_url, account, seed, batches=kind == "batch")
            mix = Mix(account, plan.markets, plan.seed, strict=kind == "http")
            traders.append(Trader(door, mix, self.ledger, _AT_ONCE[kind], pause_s))
        return traders

    # -- killing ---------------------------------------------------------------------

    def _schedule(self) -> list[list[str]]:
        """Return whom to kill, in rounds, so that no process is killed twice in a row."""
        plan = self.plan
        rounds = max(plan.kills, plan.other_kills)
        schedule: list[list[str]] = []
        for number in range(rounds):
            names = list(MAIN) if number < plan.kills else []
            names += [
                name
                for index, name in enumerate(OTHERS)
                # spread over all rounds
                if (number + index) * plan.other_kills // rounds
                != (number + index + 1) * plan.other_kills // rounds
            ]
            self._random.shuffle(names)
            schedule += [[name] for name in names]
        for names in schedule:
            if self._random.random() < DOUBLE_SHARE:
                names.append(self._random.choice([n for n in MAIN + OTHERS if n not in names]))
        return schedule

    async def _kill(self, names: list[str]) -> None:
        """Kill at once, and wait until the venue trades and projects again."""
        acks = self.ledger.acks
        began = time.monotonic()
        pids = {name: self.venue.kill(name) for name in names}
        for name in names:
            self.kills.done[name] = self.kills.done.get(name, 0) + 1
        what = " and ".join(names)
        await self._until(f"{what} up again", lambda: self._restarted(pids))
        await self._until(f"{what}: trading again", self._traded_since(acks, self.ledger.highest))
        await self._until(f"{what}: projected again", self._projected_to(self.ledger.highest))
        took_s = time.monotonic() - began
        for name in names:
            self.kills.took_s.setdefault(name, []).append(took_s)
        count = sum(self.kills.done.values())
        self._say(f"{count:>3}  killed {what}: {took_s:.1f} s, {self.ledger.acks:,} acknowledged")

    async def _restarted(self, pids: dict[str, int]) -> bool:
        try:
            now = self.venue.pids()
        except json.JSONDecodeError:
            return False
        return all(now.get(name, pid) != pid for name, pid in pids.items())

    def _traded_since(self, acks: int, sequence: int) -> Callable[[], Awaitable[bool]]:
        """More was acknowledged, and the exchange has decided what came after `sequence`."""

        async def check() -> bool:
            if self.ledger.acks <= acks + 20 or self.ledger.highest <= sequence:
                return False
            return (await self._covered())[0] > sequence

        return check

    async def _covered(self) -> tuple[int, int]:
        """Return the exchange's newest input that is decided, and where that is recorded."""
        try:
            stored = await self._log.last(subjects.events(SHARD, subjects.EXCHANGE))
        except OperatingError:
            return 0, 0
        if stored is None:
            return 0, 0
        return EVENT_MESSAGES.decode(stored.payload).last_input, stored.sequence

    def _projected_to(self, sequence: int) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            return await self._checkpoint() >= sequence

        return check

    async def _checkpoint(self) -> int:
        try:
            dsn = self.place.database_url
            connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
        except (psycopg.Error, OSError):
            return 0
        try:
            live = "SELECT model FROM control.switches ORDER BY number DESC LIMIT 1"
            model = await (await connection.execute(live)).fetchone()
            query = f"SELECT sequence FROM rm_{int(model[0]) if model else 0}.checkpoint"
            row = await (await connection.execute(query.encode())).fetchone()
        except psycopg.Error:
            return 0
        finally:
            await connection.close()
        return int(row[0]) if row else 0

    async def _until(
        self,
        what: str,
        check: Callable[[], Awaitable[bool]],
        within_s: float = RECOVER_WITHIN_S,
    ) -> None:
        end = time.monotonic() + within_s
        while not await check():
            if time.monotonic() > end:
                self.reckoning.blame(f"not within {within_s:.0f} s", what)
                raise AssertionError(f"{what}: not within {within_s:.0f} s\n{self._told()}")
            await asyncio.sleep(LOOK_EVERY_S)

    def _told(self) -> str:
        """Return what the processes said last, for whoever must find out why."""
        tails = [
            f"-- {path.name}\n" + "\n".join(path.read_text().splitlines()[-3:])
            for path in sorted((self.venue.home / "logs").iterdir())
        ]
        return "\n".join([self.venue.up_log()[-2_000:], *tails])

    # -- counting --------------------------------------------------------------------

    async def _quiet(self) -> None:
        """Wait until all that was asked is decided, projected and on the feed."""
        last = 0
        for account in self.plan.accounts:
            stored = await self._log.last(subjects.order_command(SHARD, account))
            last = max(last, stored.sequence if stored else 0)

        async def decided() -> bool:
            return (await self._covered())[0] >= last

        await self._until("all is decided", decided, QUIET_WITHIN_S)
        recorded = (await self._covered())[1]
        await self._until("all is projected", self._projected_to(recorded), QUIET_WITHIN_S)

        async def told() -> bool:
            stored = await self._feed_last()
            return stored >= recorded

        await self._until("all is on the feed", told, QUIET_WITHIN_S)

    async def _feed_last(self) -> int:
        feed = await self.place.feed("replay")
        try:
            stored = await feed.last(subjects.feed(SHARD, PROGRESS))
        finally:
            await feed.close()
        if stored is None:
            return 0
        progress = decode_progress(stored.payload)
        return progress.log_sequence if progress.complete else progress.log_sequence - 1

    async def _count(self) -> None:
        reckoning, book = self.reckoning, LogBook(self.reckoning)
        await book.read(self._log)
        count_log(book, reckoning)
        check_clients(book, self.ledger, reckoning)
        check_outcomes(book, reckoning)
        check_money(book, reckoning)
        check_postgres(book, self.place.database_url, reckoning)
        feed = await self.place.feed("replay")
        await check_feed(feed, book, reckoning)
        await feed.close()
        await asyncio.to_thread(self._prove)
        for line in self.venue.up_log().splitlines():
            if " halted: " in line:
                reckoning.blame("a process halted", line)
        reckoning.figures["kills -9"] = sum(self.kills.done.values())

    def _prove(self) -> None:
        """Have the venue's own `verify` and `rebuild` say what they find."""
        verified = self._command("verify")
        self._say(
            f"verify: exit {verified['exit_code']}, {verified['account']['events']:,} events in "
            f"{verified['seconds']:.1f} s, chain {verified['chain'][:16]}"
        )
        for finding in verified["findings"]:
            self.reckoning.blame("verify", finding)
        for reason in verified["unable"]:
            self.reckoning.blame("verify could not check", reason)
        rebuilt = self._command("rebuild")
        rows = sum(table["rows"] for table in rebuilt["tables"])
        said = "all equal" if rebuilt["equal"] else "NOT EQUAL"
        self._say(f"rebuild: {said}, {rows:,} rows in {rebuilt['seconds']:.1f} s")
        for table in rebuilt["tables"]:
            if table["verdict"] != "equal":
                self.reckoning.blame("rebuild", table)

    def _command(self, name: str) -> dict[str, Any]:
        done = self.venue.run(name, "--json", check=False)
        if done.returncode != 0:
            self.reckoning.blame(f"{name} exit {done.returncode}", done.stderr[-500:])
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
