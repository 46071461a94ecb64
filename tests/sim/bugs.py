"""Planted bugs: what a tired engineer might write. Each must be found within MAX_SEEDS seeds.

A bug is put into the running program, never into its files, and stays in while the run is
checked: a checker shares the program's code, as it would if the bug were real.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import msgspec

from engines.exchange import money
from engines.exchange.client_ids import ClientIds
from engines.exchange.decide import group_end
from engines.exchange.engine import ExchangeEngine
from engines.governance.decide import people
from engines.kernel import fold
from projections.feeds.lease import FeedLease
from projections.feeds.outbox import Outbox
from projections.feeds.process import Feeds
from projections.store import model as model_module
from projections.store.lease import LeaseTable, WriterLease
from projections.store.model import Model, position_of
from projections.store.postgres import transaction
from projections.store.projection import collect
from schemas.errors import AppendUnknown, Fenced, Halt, OperatingError, UnknownRecord
from schemas.record_chain import Chains, Head
from schemas.records import Record
from schemas.stored import Stored
from schemas.units import SECOND_NS
from streams.host import leadership as leadership_module
from streams.host import scrub as scrub_module
from streams.host.input_buffer import InputBuffer
from streams.host.leader_loop import InFlightRecord, LeaderLoop
from streams.host.leadership import save_snapshot
from streams.ingest.jobs.services import DONE, Delivery, Verdict
from streams.ingest.measuring.measurer import Measurer
from streams.log.appender import Appender
from streams.log.ports import Fence
from tests.sim.world import MachineClock
from tests.simulated.log import SimulatedLog, SimulatedReader

MAX_SEEDS: Final = 500

Patch = tuple[Any, str, Any]


class Bug(NamedTuple):
    """What is wrong, the plan under which it is looked for, and how it is put in."""

    about: str
    plan: str
    patches: Callable[[], list[Patch]]


_BUGS: dict[str, Bug] = {}


def _bug(about: str, plan: str) -> Callable[[Callable[[], list[Patch]]], Callable[[], list[Patch]]]:
    def keep(patches: Callable[[], list[Patch]]) -> Callable[[], list[Patch]]:
        _BUGS[patches.__name__] = Bug(about, plan, patches)
        return patches

    return keep


def all_bugs() -> dict[str, Bug]:
    """Return every planted bug by its name."""
    return dict(_BUGS)


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    """Have the bug called `name` in the program; none for an empty name."""
    with contextlib.ExitStack() as stack:
        for target, attribute, value in _BUGS[name].patches() if name else ():
            stack.enter_context(patch.object(target, attribute, value))
        yield


# -- writers ---------------------------------------------------------------------------


@_bug("a host appends its records without a fence", "zombies")
def unfenced() -> list[Patch]:
    send = SimulatedLog.send

    def careless(self: SimulatedLog, subject: str, payload: bytes, fence: Any = None) -> Any:
        return send(self, subject, payload)

    return [(SimulatedLog, "send", careless), (LeaderLoop, "_pump", _deaf_pump)]


async def _deaf_pump(self: Any, cursor: Any) -> None:
    """Read on without looking for a successor."""
    epochs = self._config.epoch_subject
    async for messages in cursor.follow():
        if any(epochs == pattern for pattern in self._subjects()):
            messages = [message for message in messages if message.subject != epochs]
        self._buffer.add(messages, self._now_ns())
        self._wake.set()


@_bug("a host becomes leader under the newest Epoch there is instead of its own", "zombies")
def epoch_reused() -> list[Patch]:
    send = SimulatedLog.send

    def sparing(
        self: SimulatedLog, subject: str, payload: bytes, fence: Fence | None = None
    ) -> Any:
        last = self.server.last(subject) if subject.endswith(".epoch") else None
        if last is None:
            return send(self, subject, payload, fence)

        async def reuse() -> int:
            return last.sequence

        return reuse()

    return [(SimulatedLog, "send", sparing)]


@_bug("the appender sends again what may have landed, and tells nobody", "wire")
def appended_again() -> list[Patch]:
    append = Appender.append

    async def stubborn(self: Appender, subject: str, payload: bytes) -> int:
        try:
            return await append(self, subject, payload)
        except AppendUnknown:
            return await append(self, subject, payload)

    return [(Appender, "append", stubborn)]


@_bug("a host sends a record again that may have landed, and goes on", "wire")
def record_sent_again() -> list[Patch]:
    settle = LeaderLoop._settle

    def hopeful(self: Any) -> None:
        sent = self._sent
        lost = sent is not None and sent.answer.done() and sent.answer.exception()
        if not isinstance(lost, AppendUnknown):
            settle(self)
            return

        async def again() -> int:
            await self._config.clock.sleep(0.05)
            self._config.log._fenced_on = None
            return int(
                await self._config.log.send(
                    self._config.events_subject, sent.record.data, self._fence
                )
            )

        answer = asyncio.ensure_future(again())
        answer.add_done_callback(lambda _: self._wake.set())
        self._sent = InFlightRecord(answer, sent.record)

    return [(LeaderLoop, "_settle", hopeful)]


@_bug("a snapshot is saved while records are still on their way", "crash")
def snapshot_ahead() -> list[Patch]:
    def due(self: Any) -> bool:
        return bool(self._decided) and self.committed.number > self._saved_number

    async def snapshot(self: Any) -> None:
        self._saved_number = self.committed.number
        await save_snapshot(self._config, self._state, self.committed, self.sequence)

    return [(LeaderLoop, "_snapshot_is_due", due), (LeaderLoop, "_snapshot", snapshot)]


@_bug("a host believes its clock when it goes back", "clocks")
def clock_believed() -> list[Patch]:
    return [(LeaderLoop, "_now_ns", lambda self: self._config.clock.now_ns())]


@_bug("of many inputs that come at once, the last is lost", "calm")
def input_dropped() -> list[Patch]:
    add = InputBuffer.add

    def hasty(self: InputBuffer, messages: list[Stored], now_ns: int) -> None:
        add(self, messages[:-1] if len(messages) >= 20 else messages, now_ns)

    return [(InputBuffer, "add", hasty)]


# -- readers ---------------------------------------------------------------------------


@_bug("a reader goes on behind a delivery that never came", "wire")
def gap_skipped() -> list[Patch]:
    def receive(self: Any, deliveries: Sequence[tuple[int, Stored]]) -> list[Stored]:
        taken: list[Stored] = []
        for _, message in deliveries:
            if not taken or message.sequence > taken[-1].sequence:
                taken.append(message)
        return taken

    return [(SimulatedReader, "_receive", receive)]


@_bug("a reader hands on what came twice", "wire")
def repeat_handed_on() -> list[Patch]:
    def receive(self: Any, deliveries: Sequence[tuple[int, Stored]]) -> list[Stored]:
        taken: list[Stored] = []
        wanted = 0
        for number, message in deliveries:
            if number > wanted:
                break
            taken.append(message)
            wanted = max(wanted, number + 1)
        return taken

    return [(SimulatedReader, "_receive", receive)]


@_bug("a record that cannot be read is passed over", "damage")
def unknown_ignored() -> list[Patch]:
    read, apply, decide = Chains.read, leadership_module.RecoveredState.apply, ExchangeEngine.decide

    def lenient(self: Any, message: Stored) -> Any:
        try:
            return read(self, message)
        except UnknownRecord:
            return _nothing_new(message)

    def lenient_apply(self: Any, message: Stored) -> None:
        with contextlib.suppress(UnknownRecord):
            apply(self, message)
        self.read = message.sequence

    def lenient_decide(self: Any, state: Any, message: Stored, now_ns: int) -> Any:
        try:
            return decide(self, state, message, now_ns)
        except UnknownRecord:
            return ()

    return [
        (Chains, "read", lenient),
        (leadership_module.RecoveredState, "apply", lenient_apply),
        (ExchangeEngine, "decide", lenient_decide),
    ]


def _nothing_new(message: Stored) -> Any:
    return Record(
        engine=message.subject.rpartition(".")[2], decider="", epoch=0, number=0, first_input=0,
        last_input=0, time_ns=0, tick=True, events=[], state_hash=None, prev="",
    )  # fmt: skip


@_bug("the scrub reads the seals and does not compare", "damage")
def scrub_asleep() -> list[Patch]:
    return [(scrub_module, "_compare", lambda chain, message: chain.forget(message.sequence))]


@_bug("a host does not look whether the record that it remembers is still there", "damage")
def past_unchecked() -> list[Patch]:
    async def nothing(config: Any, origin: Any) -> Any:
        return Head(), None

    async def no_snapshot(config: Any) -> Any:
        return leadership_module.RecoveredState(config)

    return [
        (leadership_module, "_head_at", nothing),
        (leadership_module, "_from_snapshot", no_snapshot),
    ]


# -- engines ---------------------------------------------------------------------------


@_bug("client ids are forgotten after seconds", "wire")
def ids_forgotten_early() -> list[Patch]:
    return [(group_end, "REMEMBER_IDS_NS", SECOND_NS)]


@_bug("ids are forgotten where they should only grow older", "leaps")
def generation_dropped() -> list[Patch]:
    forget = ClientIds.forget

    def all_of_them(self: ClientIds, remember_until_ns: int) -> None:
        forget(self, remember_until_ns)
        forget(self, remember_until_ns)

    return [(ClientIds, "forget", all_of_them)]


@_bug("each trade that closes lots keeps a cent", "calm")
def cent_kept() -> list[Patch]:
    trade = money.trade

    def rounding(state: Any, holding: Any, direction: int, lots: int, cost: int) -> None:
        closes = -direction * holding.lots > 0
        trade(state, holding, direction, lots, cost)
        if closes and lots % 7 == 3 and holding.account.cash:
            holding.account.cash -= 1

    return [(money, "trade", rounding)]


@_bug("a cancel frees an order's reserve twice", "calm")
def cancelled_twice() -> list[Patch]:
    leave = money.leave

    def generous(state: Any, order: Any) -> None:
        release = (order.lots - order.cover) * order.level.cost
        account = order.owner.account
        leave(state, order)
        account.cash += release if len(account.orders) % 5 == 4 else 0

    return [(money, "leave", generous)]


@_bug("the exchange reads the clock instead of its group's time", "calm")
def clock_read() -> list[Patch]:
    on_group_end = ExchangeEngine.on_group_end

    def hasty(self: Any, state: Any, inputs: Any, now_ns: int) -> Any:
        return on_group_end(self, state, inputs, MachineClock.true_now_ns())

    return [(ExchangeEngine, "on_group_end", hasty)]


@_bug("one person may sign twice", "calm")
def signed_twice() -> list[Patch]:
    standing = people.standing_signers

    def unseen(*given: Any) -> list[str]:
        return _Unseen(standing(*given))

    return [(people, "standing_signers", unseen)]


class _Unseen(list[str]):
    """A list in which nobody is found."""

    def __iter__(self) -> Iterator[str]:
        return iter(())


@_bug("something real and random gets into what a host does", "calm")
def not_deterministic() -> list[Patch]:
    now_ns = MachineClock.now_ns

    def jitter(self: MachineClock) -> int:
        return now_ns(self) + time.perf_counter_ns() % 1_000

    return [(MachineClock, "now_ns", jitter)]


# -- feeds, read models, ingest -----------------------------------------------------------


@_bug("after a restart the feeds number their channels from 1 again", "crash")
def numbers_reused() -> list[Patch]:
    async def forgetful(self: Any) -> None: ...

    return [(Feeds, "_adopt_numbers", forgetful), (Outbox, "count", lambda self, drafts: None)]


@_bug("the feeds publish a batch again without looking whether it is there", "wire")
def batch_repeated() -> list[Patch]:
    async def store(self: Any, batch: Any) -> None:
        for attempt in range(5):
            try:
                await self._feed.publish(batch.messages, self._epoch)
                return
            except (Fenced, OperatingError):
                if attempt == 4:
                    raise
            await self._clock.sleep(0.2)
            await self.renew()

    return [(FeedLease, "store", store)]


@_bug("rows are committed before the checkpoint, in two transactions", "crash")
def checkpoint_apart() -> list[Patch]:
    async def commit(self: Any, batch: Any, *, must_be_live: bool) -> None:
        changes = collect(self._projections, batch.entries)
        await self._writer.prepare(changes)
        async with transaction(self._connection):
            await self._writer.write(changes)
        async with transaction(self._connection):
            await self._lease.advance(*position_of(batch.checkpoint))
        self._lease.advanced(batch.checkpoint.sequence)
        self._checkpoint = batch.checkpoint

    return [(Model, "commit", commit)]


@_bug("the projector applies the first record behind a restart twice", "crash")
def projected_twice() -> list[Patch]:
    opened = Model.open
    first: dict[str, bool] = {}

    async def fresh(self: Any, writer: str, epoch: int | None = None) -> None:
        first["now"] = writer != "rebuild"
        await opened(self, writer, epoch)

    def twice(projections: Any, batch: Any) -> Any:
        again = first.pop("now", False) and batch[0].sequence > 50
        return collect(projections, [batch[0], *batch] if again else batch)

    return [(Model, "open", fresh), (model_module, "collect", twice)]


@_bug("a replaced projector goes on, because its lease is not looked at", "zombies")
def projector_unfenced() -> list[Patch]:
    advance = LeaseTable.advance

    def careless(self: LeaseTable) -> str:
        text = advance(self).replace("epoch = $5 AND", "$5 >= 0 AND")
        return text.replace("AND sequence = $6", "AND $6 >= 0")

    async def unchecked(self: Any) -> None: ...

    return [
        (LeaseTable, "advance", careless),
        (Model, "check_lease", unchecked),
        (WriterLease, "check", unchecked),
    ]


@_bug("an engine's state loses what an event should have left in it", "crash")
def fold_differs() -> list[Patch]:
    """Live hosts evolve rightly; the fold at the next start does not."""

    def lossy(engine: Any, state: Any, head: Any, record: Any, data: bytes) -> Any:
        if engine.name == "exchange" and len(record.events) > 5 and record.number % 9 == 0:
            short = msgspec.structs.replace(record, events=record.events[1:])
            with contextlib.suppress(Halt):
                for event in short.events:
                    engine.evolve(state, event)
            return fold(engine, state, head, msgspec.structs.replace(record, events=[]), data)
        return fold(engine, state, head, record, data)

    return [(leadership_module, "fold", lossy)]


@_bug("the measurer says that it is done although its signals were not stored", "wire")
def done_too_early() -> list[Patch]:
    handle = Measurer.handle

    async def hopeful(self: Measurer, batch: Sequence[Delivery]) -> Verdict:
        try:
            return await handle(self, batch)
        except OperatingError:
            return DONE

    return [(Measurer, "handle", hopeful)]
