"""The simulated world: servers, disks, clocks, processes, and the faults that befall them."""

import asyncio
import random
import sys
import traceback
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

import structlog

from projections.feeds.channels import PROGRESS
from projections.store import model as model_module
from projections.store import projector as projector_module
from projections.store import sessions as sessions_module
from projections.tables import PROJECTIONS
from schemas import subjects
from schemas.errors import EverythingError, Fenced, Halt, OperatingError
from schemas.stored import Stored
from schemas.subjects import feed as feed_subject
from schemas.units import SECOND_NS
from streams.log.appender import Appender, GroupAppender
from streams.log.ports import Fence
from tests.projections.feeds.simulated_feed import SimulatedFeed
from tests.sim.life import LIFE, Life
from tests.sim.plan import Plan
from tests.sim.shelves import Hand, Shelf
from tests.sim.store import LIVE, Connection, Store
from tests.sim.trace import Trace
from tests.simulated.faults import SeededFaults
from tests.simulated.log import SimulatedLog, SimulatedServer
from tests.simulated.virtual_time import START_NS, VirtualClock

Main = Callable[["World", Life], Awaitable[None]]

_DOORS: Final = ("door-1", "door-2")
_PATH_OF_LINE: Final = {
    "snapshot used": "host: snapshot used",
    "snapshot ignored": "host: snapshot discarded",
    "snapshot not written": "host: snapshot not written",
    "origin not written": "host: origin not written",
    "recovered": "feeds: went on from the FEED",
    "store_unavailable": "projector: new session after the store was away",
    "scrub interrupted": "scrub: begun again",
}
"""Recovery paths that the program itself tells of."""


class Sent:
    """A message that someone wants on the log, and what became of the attempts."""

    __slots__ = ("acked", "attempts", "follows", "payload", "refused", "subject")

    def __init__(self, subject: str, payload: bytes) -> None:
        self.subject = subject
        self.payload = payload
        self.attempts = 0
        self.refused = 0
        """Attempts of which the sender was told that nothing was stored."""
        self.acked: list[int] = []
        self.follows = 0
        """The highest sequence that anyone had been acked when this was first sent."""


class Process:
    """A process that is started again whenever it ends, except by a halt."""

    def __init__(self, name: str, main: Main) -> None:
        self.name = name
        self.main = main
        self.life: Life | None = None
        self.halt: Halt | None = None
        self.retired = False
        self.ended = False
        """Whether it ended in a way after which nobody starts it again."""


class MachineClock(VirtualClock):
    """A machine's clock; it tells the trace when it is seen to go back."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace
        self._before_ns = 0

    @staticmethod
    def true_now_ns() -> int:
        """Return what a clock that is right shows."""
        return START_NS + round(asyncio.get_running_loop().time() * SECOND_NS)

    def now_ns(self) -> int:
        """Return nanoseconds since 1970 UTC, as this machine has it."""
        now_ns = super().now_ns()
        if now_ns < self._before_ns:
            self._trace.mark("clock: seen to go back")
        self._before_ns = now_ns
        return now_ns


class ForgetfulServer(SimulatedServer):
    """Acks some commands that it does not store: a fault that no client can survive."""

    def __init__(self, observer: Trace, rate_e4: int, dice: random.Random) -> None:
        super().__init__(observer=observer)
        self._rate_e4 = rate_e4
        self._dice = dice

    def store(self, messages: Sequence[tuple[str, bytes]], fence: Fence | None = None) -> int:
        """Append `messages`, or only say so."""
        if ".cmd.order." in messages[0][0] and self._dice.randrange(10_000) < self._rate_e4:
            return self.last_sequence + len(messages)
        return super().store(messages, fence)


class Feed(SimulatedFeed):
    """A connection to the FEED that tells the trace how a bad answer was dealt with."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world.feed_server, name, world.faults)
        self._trace = world.trace
        self._unsure: bytes | None = None

    async def publish(self, messages: Sequence[tuple[str, bytes]], epoch: int) -> None:
        """Store `messages` in the office of `epoch`."""
        self._unsure = messages[-1][1]
        await super().publish(messages, epoch)
        self._unsure = None

    async def last(self, subject: str) -> Stored | None:
        """Return the last message on `subject`."""
        found = await super().last(subject)
        if self._unsure is not None and subject == feed_subject(self.shard, PROGRESS):
            there = found is not None and found.payload == self._unsure
            self._trace.mark(f"feeds: bad answer, and the batch was {'' if there else 'not '}there")
            self._unsure = None
        return found


class World:
    """Everything that a seed decides about, and the real program's processes in it."""

    def __init__(self, seed: int, plan: Plan, trace: Trace) -> None:
        self.seed = seed
        self.plan = plan
        self.trace = trace
        self.dice = random.Random(f"{seed} world")
        self.faults = SeededFaults(seed, plan.log_rates())
        self.server = (
            ForgetfulServer(trace, plan.forgets_e4, self.dice)
            if plan.forgets_e4
            else SimulatedServer(observer=trace)
        )
        self.feed_server = SimulatedServer("feed", observer=trace)
        self.store = Store(PROJECTIONS)
        self.snapshot_every = self.dice.choice((3, 10, 40))
        self.processes: dict[str, Process] = {}
        self.sent: list[Sent] = []
        self._sent: dict[tuple[str, bytes], Sent] = {}
        self._acked = 0
        self.problems: list[str] = []
        self.healed = False
        self.damaged = False
        """Whether the log itself is no longer what it was."""
        self.over = False
        self.deaths = 0
        self._shelves: dict[str, Shelf] = {}
        self._clocks: dict[str, MachineClock] = {}
        self._doors: dict[str, tuple[Life, Appender]] = {}
        self._healing: list[Callable[[], None]] = []
        self._supervisors: list[asyncio.Task[None]] = []
        self._lives: list[Life] = []
        self._count = 0

    # -- what a life is given ----------------------------------------------------------

    def connect(self, life: Life) -> SimulatedLog:
        """Connect a life to the log."""
        log = self.server.connect(life.name, self.faults)
        life.dies_with(log.kill)
        life.connections.append(log)
        return log

    def connect_feed(self, life: Life) -> SimulatedFeed:
        """Connect a life to the FEED."""
        feed = Feed(self, life.name)
        life.dies_with(feed.wire.kill)
        life.connections.append(feed.wire)
        return feed

    def clock(self, name: str) -> VirtualClock:
        """Return the clock of the machine on which process `name` runs."""
        return self._clocks.setdefault(name, MachineClock(self.trace))

    def hand(self, life: Life, engine: str) -> Hand:
        """Give a life access to its engine's snapshots."""
        shelf = self._shelves.setdefault(engine, Shelf())
        hand = Hand(shelf, self.plan.snapshots, self.dice)
        life.dies_with(hand.die)
        self._until_healed(hand.heal)
        return hand

    async def connect_store(self, dsn: str, application: str) -> Connection:
        """Connect the running life to the read model's database."""
        life = LIFE.get()
        assert life is not None
        connection = Connection(self.store, self.plan.store, self.dice)
        life.dies_with(connection.die)
        self._until_healed(connection.heal)
        return connection

    def open_door(self, name: str, life: Life, appender: Appender) -> None:
        """Let senders use `appender` while `life` lasts."""
        self._doors[name] = life, appender
        life.dies_with(lambda: self._close_door(name))

    def _close_door(self, name: str) -> None:
        self._doors.pop(name, None)

    def now_ns(self) -> int:
        """Return the true time."""
        return MachineClock.true_now_ns()

    def problem(self, text: str) -> None:
        """Note something that must not be."""
        self.trace.note(f"PROBLEM    {text}")
        if len(self.problems) < 20:
            self.problems.append(text)

    def hosts(self) -> dict[str, Any]:
        """Return the newest host of each engine, without those that ran beside it."""
        lives = {
            name.removeprefix("host-"): process.life
            for name, process in self.processes.items()
            if name.startswith("host-")
        }
        return {name: life.host for name, life in lives.items() if life and life.host}

    # -- sending -----------------------------------------------------------------------

    async def attempt(self, sent: Sent) -> int | None:
        """Send a message once through one of the doors; return its sequence if it was acked."""
        if not self._doors:
            await asyncio.sleep(0.05)
            return None
        life, appender = self._doors[self.dice.choice(list(self._doors))]
        if not sent.attempts:
            sent.follows = self._acked
        sent.attempts += 1
        task = life.spawn(appender.append(sent.subject, sent.payload))
        await asyncio.wait([task])
        if task.cancelled():
            self.trace.mark("sender: the door died under an append")
            return None
        error = task.exception()
        if error is None:
            sent.acked.append(task.result())
            self._acked = max(self._acked, sent.acked[-1])
            return sent.acked[-1]
        if not isinstance(error, EverythingError):
            self.problem(f"append: {error!r}")
        self.trace.mark(f"sender: {getattr(error, 'code', 'bug')}")
        if getattr(error, "code", "") in ("append_failed", "log_unavailable"):
            sent.refused += 1
        return None

    def new(self, subject: str, payload: bytes) -> Sent:
        """Note a message that is to be sent. The same one again is one message."""
        key = subject, payload
        if key not in self._sent:
            self._sent[key] = Sent(subject, payload)
            self.sent.append(self._sent[key])
        return self._sent[key]

    async def deliver(self, sent: Sent) -> int:
        """Send a message until it is acked."""
        for _ in range(1_000):
            sequence = await self.attempt(sent)
            if sequence is not None:
                return sequence
            await asyncio.sleep(self.dice.choice((0.02, 0.2, 1.0)))
        raise AssertionError(f"nothing can be sent: {sent.subject}")

    # -- processes ---------------------------------------------------------------------

    def start(self, name: str, main: Main) -> None:
        """Run a process, again and again."""
        process = self.processes[name] = Process(name, main)
        task = asyncio.get_running_loop().create_task(self._supervise(process))
        self._supervisors.append(task)

    async def second(self, process: Process, lasts_s: float) -> None:
        """Run one more life of a process beside the one that is there, for a while."""
        life = self._new_life(process.name)
        timer = asyncio.get_running_loop().call_later(lasts_s, life.kill)
        self._until_healed(life.kill)
        error = await self._live(process, life)
        timer.cancel()
        self._judge(process, life, error)

    def retire(self, name: str) -> None:
        """End a process for good: it has nothing more to do."""
        process = self.processes[name]
        process.ended = process.retired = True
        if process.life is not None:
            process.life.end()

    def kill_all(self) -> None:
        """Kill every process; each is started again."""
        for life in self._lives:
            life.kill()

    async def end(self) -> None:
        """End all processes."""
        self.over = True
        for life in self._lives:
            life.end()
        await asyncio.gather(*self._supervisors)

    def heal(self) -> None:
        """End all faults, and everything that came of them but what it left behind."""
        self.healed = True
        self.faults.healed = True
        for server in (self.server, self.feed_server):
            server.full = False
            server.start()
        healing, self._healing = self._healing, []
        for heal in healing:
            heal()
        now_ns = self.now_ns()
        for clock in self._clocks.values():
            clock.jump(now_ns - clock.now_ns())
        self.trace.note("HEALED")

    def _until_healed(self, heal: Callable[[], None]) -> None:
        if self.healed:
            heal()
        else:
            self._healing.append(heal)

    async def _supervise(self, process: Process) -> None:
        while not self.over and not process.ended:
            process.life = life = self._new_life(process.name)
            error = await self._live(process, life)
            pause_s = self._judge(process, life, error)
            if not self.over:
                await asyncio.sleep(pause_s)

    def _new_life(self, name: str) -> Life:
        self._count += 1
        steps = None
        kills = self.plan.kills
        if not self.healed and self.dice.randrange(10_000) < kills.lives_e4:
            steps = int(kills.max_steps ** self.dice.random())
        life = Life(f"{name}#{self._count}", steps)
        self._lives = [one for one in self._lives if one.alive]
        self._lives.append(life)
        self._until_healed(life.let_live)
        self.trace.note(f"starts     {life.name}")
        return life

    async def _live(self, process: Process, life: Life) -> BaseException | None:
        task = life.spawn(_main(process.main, self, life))
        await asyncio.wait([task])
        life.end()
        await life.gone()
        return None if task.cancelled() else task.exception()

    def _judge(self, process: Process, life: Life, error: BaseException | None) -> float:
        """Note how a life ended; return how long to wait before the next one."""
        self.trace.note(f"ends       {life.name} {'killed' if life.killed else error!r}")
        if life.killed or self.over:
            self.deaths += life.killed
            return self.dice.choice((0.02, 0.2, 1.0))
        if isinstance(error, Fenced):
            self.trace.mark(f"{process.name.partition('-')[0]}: fenced, halted")
            return self.dice.choice((0.2, 2.0, 5.0))
        if isinstance(error, Halt):
            process.halt = error
            self.trace.mark(f"halt: {error.code}")
            if not self.damaged:
                self.problem(f"{life.name} halted: {error.code}: {error}")
            process.ended = True
        elif isinstance(error, OperatingError):
            self.trace.mark(f"{process.name.partition('-')[0]}: gave up, started again")
        elif error is not None:
            frames = traceback.format_exception(error)
            self.problem(f"{life.name} failed: {error!r}\n{''.join(frames[-3:])}")
            process.ended = True
        return self.dice.choice((0.02, 0.2, 1.0))

    def on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Hear of an exception that nobody else did."""
        error = context.get("exception")
        if not isinstance(error, EverythingError):
            self.problem(f"{context.get('message')}: {error!r}")

    def on_log_line(self, logger: Any, method: str, line: MutableMapping[str, Any]) -> str:
        """Hear what the program logs; structlog's last processor."""
        event = str(line.pop("event"))
        life = LIFE.get()
        words = " ".join(f"{key}={value}" for key, value in sorted(line.items()))
        self.trace.note(f"says       {life.name if life else '-'}: {event} {words}")
        if event == "leadership lost":
            late = "came late" in str(line.get("reason"))
            self.trace.mark(
                "host: own late Epoch forgiven" if late else "host: leadership regained"
            )
        elif event in _PATH_OF_LINE:
            self.trace.mark(_PATH_OF_LINE[event])
        raise structlog.DropEvent

    def patches(self) -> list[tuple[Any, str, Any]]:
        """Return what of the projector's module is replaced: only how it gets a connection."""

        async def live(*_: Any) -> Any:
            return LIVE

        one_by_one = GroupAppender._one_by_one

        async def singly(appender: GroupAppender, group: Sequence[Any]) -> None:
            if sys._getframe(1).f_code.co_name == "_together":
                self.trace.mark("appender: batch refused, sent one by one")
            await one_by_one(appender, group)

        return [
            (GroupAppender, "_one_by_one", singly),
            (sessions_module, "connect", self.connect_store),
            (projector_module, "ensure_live", live),
            (model_module, "find_live", live),
            (model_module, "live_while_committing", live),
        ]

    def all_records(self) -> str:
        """Return the pattern of all engines' records."""
        return subjects.events(self.server.shard, "*")


async def _main(main: Main, world: World, life: Life) -> None:
    await main(world, life)


DOORS: Final = _DOORS
