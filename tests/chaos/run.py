"""Chaos: a whole venue under load while its processes are killed, and the accounting after.

`python -m tests.chaos` runs it in full, `test_chaos.py` a shorter one.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.chaos.ledger import Ledger
from tests.chaos.newsroom import NewsDesk, check_news
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
from tests.chaos.trading import Load, Trading, trading
from tests.chaos.watch import Check, Watch
from tests.support.news import news
from tests.support.venue import Venue
from tests.support.waiting import NotInTime

MAIN: Final = ("engine-exchange", "nats-server", "projector")
OTHERS: Final = (
    "feeds",
    "postgres",
    "engine-governance",
    "engine-pricing",
    "engine-notary",
    "relay",
    "gateway",
    "engine-reality",
    "scheduler",
    "fetcher",
    "measurer",
    "llm",
    "archiver",
    "historian",
)
DOUBLE_SHARE: Final = 0.15
"""How often a second process is killed at the very same time."""
_PAUSE_S: Final = (0.2, 1.5)
"""How long all is left in peace between two kills."""
TABLE: Final = "books"
"""The table that is also rebuilt alone: it needs another one for that."""
_SOME_ACKS: Final = 20

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much chaos: kills of each main process, and of each of the others.

    `seconds` is for how long at least to go on trading, and killing at random.
    """

    kills: int
    other_kills: int
    seconds: float = 0.0
    load: Load = field(default_factory=Load)


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
        self.plan = plan
        self.reckoning = Reckoning()
        self.kills = Kills()
        self._venue = venue
        self._say = say
        self._random = random.Random(plan.load.seed)
        self._watch = Watch(venue)
        self._trading: Trading
        self._news_ends = asyncio.Event()

    async def run(self) -> Reckoning:
        """Found, trade, report and kill, wait for quiet, and count."""
        with news() as world:
            room = NewsDesk(world, self.plan.load.markets)
            load = replace(self.plan.load, sources=tuple(room.sources))
            await self._watch.open()
            writing = asyncio.create_task(room.write(self._news_ends))
            try:
                async with trading(self._venue, load) as self._trading:
                    await self._chaos()
                await self._end_of_news(writing)
                acks, seconds = self._trading.ledger.acks, self._trading.seconds
                self._say(f"traded for {seconds:.0f} s: {acks / seconds:,.0f} commands/s")
                await check_news(self._watch, room, self.reckoning, self._say)
                ledger, accounts = self._trading.ledger, self._trading.load.accounts
                await account_for(
                    self._venue, self._watch, ledger, accounts, self.reckoning, self._say
                )
            finally:
                await self._end_of_news(writing)
                await self._watch.close()
        self.reckoning.figures["kills -9"] = sum(self.kills.done.values())
        return self.reckoning

    async def _end_of_news(self, writing: "asyncio.Task[None]") -> None:
        self._news_ends.set()
        await writing

    async def _chaos(self) -> None:
        began = time.monotonic()
        await self._watch.until("trading has begun", self._traded_since(0, 0))
        for names in self._schedule():
            await self._kill(names)
        while time.monotonic() - began < self.plan.seconds:
            await self._kill([self._random.choice(MAIN + OTHERS)])

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
        await asyncio.sleep(self._random.uniform(*_PAUSE_S))
        ledger, until = self._trading.ledger, self._watch.until
        began = time.monotonic()
        pids = {name: self._venue.kill(name) for name in names}
        acks, highest = ledger.acks, ledger.highest
        for name in names:
            self.kills.done[name] = self.kills.done.get(name, 0) + 1
        what = " and ".join(names)
        try:
            await until(f"{what} up again", self._restarted(pids))
            await until(f"{what}: trading again", self._traded_since(acks, highest))
            await until(f"{what}: projected again", self._watch.projected_to(ledger.highest))
        except NotInTime as error:
            self.reckoning.blame("did not recover in time", error)
            raise
        took_s = time.monotonic() - began
        for name in names:
            self.kills.took_s.setdefault(name, []).append(took_s)
        count = sum(self.kills.done.values())
        self._say(f"{count:>3}  killed {what}: {took_s:.1f} s, {ledger.acks:,} acknowledged")

    def _restarted(self, pids: dict[str, int]) -> Check:
        async def check() -> bool:
            try:
                now = self._venue.pids()
            except json.JSONDecodeError:
                return False
            return all(now.get(name, pid) != pid for name, pid in pids.items())

        return check

    def _traded_since(self, acks: int, sequence: int) -> Check:
        """More was acknowledged, and the exchange has decided what came after `sequence`."""

        async def check() -> bool:
            ledger = self._trading.ledger
            if ledger.acks <= acks + _SOME_ACKS or ledger.highest <= sequence:
                return False
            return (await self._watch.covered())[0] > sequence

        return check


async def account_for(
    venue: Venue,
    watch: Watch,
    ledger: Ledger,
    accounts: Sequence[str],
    reckoning: Reckoning,
    say: Say,
    outsiders: Sequence[str] = (),
) -> LogBook:
    """Wait until all is decided, then count: log, clients, money, Postgres, feed, and proof."""
    await watch.quiet([*accounts, *outsiders])
    book = LogBook(reckoning)
    await book.read(watch.log)
    count_log(book, reckoning)
    check_clients(book, ledger, reckoning, outsiders)
    check_outcomes(book, reckoning)
    check_money(book, reckoning)
    check_postgres(book, venue.place.database_url, reckoning)
    feed = await venue.place.feed("replay")
    await check_feed(feed, book, reckoning)
    await feed.close()
    await asyncio.to_thread(_prove, venue, reckoning, say)
    return book


def halts(venue: Venue) -> list[str]:
    """Return what `everything up` said of processes that halted."""
    return [line for line in venue.up_log().splitlines() if " halted: " in line]


def _prove(venue: Venue, reckoning: Reckoning, say: Say) -> None:
    """Have the venue's own `verify` and `rebuild` say what they find."""
    verified = _command(venue, "verify", reckoning)
    if "account" in verified:
        say(
            f"verify: exit {verified['exit_code']}, {verified['account']['events']:,} events in "
            f"{verified['seconds']:.1f} s, chain {verified['chain'][:16]}"
        )
    for finding in verified.get("findings", []):
        reckoning.blame("verify", finding)
    for reason in verified.get("unable", []):
        reckoning.blame("verify could not check", reason)
    rebuilt = _command(venue, "rebuild", reckoning)
    if "tables" in rebuilt:
        rows = sum(table["rows"] for table in rebuilt["tables"])
        said = "all equal" if rebuilt["equal"] else "NOT EQUAL"
        say(f"rebuild: {said}, {rows:,} rows in {rebuilt['seconds']:.1f} s")
    alone = _command(venue, "rebuild", reckoning, "--table", TABLE)
    if [table["table"] for table in alone.get("tables", [])] != [TABLE]:
        reckoning.blame("rebuild of one table", alone)
    for table in (*rebuilt.get("tables", []), *alone.get("tables", [])):
        if table["verdict"] != "equal":
            reckoning.blame("rebuild", table)


def _command(venue: Venue, name: str, reckoning: Reckoning, *options: str) -> dict[str, Any]:
    done = venue.run(name, *options, "--json", check=False)
    if done.returncode != 0:
        reckoning.blame(f"{name} exit {done.returncode}", (done.stdout + done.stderr)[-500:])
    answer: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return answer
