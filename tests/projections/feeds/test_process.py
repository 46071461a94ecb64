"""The feeds process: every message exactly once, in order, whatever happens on the way."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from projections.feeds.channels import PROGRESS, WRITER
from projections.feeds.outbox import decode_progress
from projections.feeds.process import Feeds
from projections.limits import FEED_RENEW_S
from schemas.errors import Fenced, Halt, LogDiverged, UnknownRecord
from schemas.events import exchange as ex
from schemas.feed import Envelope, decode_envelope, encode_envelope
from schemas.limits import MAX_ATOMIC_BATCH
from schemas.records import EVENT_MESSAGES
from tests.projections.feeds.records import Scribe, cancelled, opened, placed, traded
from tests.projections.feeds.simulated_feed import SimulatedFeed, feed_server
from tests.simulated.faults import Faults, Rates, SeededFaults, SimulatedCrash
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import VirtualClock, simulate

WAIT_S = 600.0


def some_history() -> SimulatedServer:
    """A log with small records, a record that needs three batches, and small ones again."""
    server = SimulatedServer()
    scribe = Scribe(server)
    accounts = [f"a{number:04d}" for number in range(2 * MAX_ATOMIC_BATCH + 300)]
    scribe.write(*(opened(name) for name in accounts[:3]))
    scribe.write(placed(100, "a0000", "sell", 6000, 9))
    scribe.write(
        placed(200, "a0001", "buy", 6000, 4, filled=4),
        traded(1, (200, "a0001", "buy"), (100, "a0000"), 6000, 4, 5),
    )
    scribe.write(*(opened(name) for name in accounts[3:]))
    for number in range(300, 330):
        scribe.write(placed(number, "a0002", "buy", 5000, 1))
    scribe.write(cancelled("a0002", range(300, 330)))
    return server


def published(feed: SimulatedServer) -> list[Envelope]:
    bare = (f"feed.main.{PROGRESS}", f"feed.main.{WRITER}")
    return [decode_envelope(m.payload) for m in feed.messages() if m.subject not in bare]


def is_done(log: SimulatedServer, feed: SimulatedServer) -> bool:
    last = feed.last(f"feed.main.{PROGRESS}")
    if last is None:
        return False
    done = decode_progress(last.payload)
    return done.complete and done.log_sequence == log.last_sequence


def process(
    log: SimulatedServer, feed: SimulatedServer, name: str = "one", faults: Faults | None = None
) -> Feeds:
    return Feeds(
        log.connect(name, faults), SimulatedFeed(feed, name, faults), VirtualClock(), writer=name
    )


async def run_until(condition: Callable[[], bool], *tasks: asyncio.Task[None]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_to_the_end(log: SimulatedServer, feed: SimulatedServer, name: str = "one") -> None:
    task = asyncio.create_task(process(log, feed, name).run())
    await run_until(lambda: is_done(log, feed), task)
    await stop(task)


def reference(log: SimulatedServer) -> list[Envelope]:
    feed = feed_server()
    simulate(run_to_the_end(log, feed))
    return published(feed)


def test_numbers_are_dense_per_channel_and_follow_the_log() -> None:
    messages = reference(some_history())
    numbers: dict[str, int] = {}
    for message in messages:
        numbers[message.channel] = numbers.get(message.channel, 0) + 1
        assert message.sequence_number == numbers[message.channel]
    assert [m.log_sequence for m in messages] == sorted(m.log_sequence for m in messages)
    assert numbers["account.a0002.orders"] == 32
    trade = next(m for m in messages if m.channel == "market.TEST.trades")
    assert (trade.event_id, trade.log_sequence, trade.producer) == ("3-1", 3, "exchange/1")
    assert (trade.source_of_truth, trade.ts) == ("LOG_main", "2027-01-15T08:00:03.000000Z")


class CrashAt(Faults):
    """Die at the n-th point that is passed."""

    def __init__(self, number: int) -> None:
        self._left = number

    def at(self, client: str, point: str) -> None:
        self._left -= 1
        if not self._left:
            self.crash(point)


def test_a_crash_at_any_point_neither_skips_nor_repeats() -> None:
    log = some_history()
    wanted = reference(log)

    async def crashing(feed: SimulatedServer, number: int) -> bool:
        """Crash once, start again, and tell whether there was such a point."""
        one = asyncio.create_task(process(log, feed, "one", CrashAt(number)).run())
        await run_until(lambda: one.done() or is_done(log, feed))
        crashed = one.done() and isinstance(one.exception(), SimulatedCrash)
        await stop(one)
        await run_to_the_end(log, feed, "two")
        return crashed

    number, crashed = 0, True
    while crashed:
        number += 1
        feed = feed_server()
        crashed = simulate(crashing(feed, number))
        assert published(feed) == wanted, f"after a crash at point {number}"
    assert number > 10


@pytest.mark.parametrize("seed", range(20))
def test_lost_answers_and_broken_connections_neither_skip_nor_repeat(seed: int) -> None:
    log = some_history()
    wanted = reference(log)
    rates = Rates(
        delay_e4=2_000,
        lost_e4=1_500,
        ack_delay_e4=2_000,
        ack_lost_e4=1_500,
        poll_short_e4=5_000,
        poll_fails_e4=1_000,
        poll_delay_e4=1_000,
    )
    faults = SeededFaults(seed, rates)
    feed = feed_server()

    async def main() -> None:
        while not is_done(log, feed):
            task = asyncio.create_task(process(log, feed, f"p{feed.last_sequence}", faults).run())
            try:
                await run_until(lambda: is_done(log, feed), task)
            except Halt:
                raise
            except Exception:
                continue
            finally:
                await stop(task)

    simulate(main())
    assert faults.drawn
    assert published(feed) == wanted


def test_a_newcomer_takes_over_and_the_old_process_adds_nothing_more() -> None:
    log, feed = some_history(), feed_server()
    wanted = reference(log)
    slow = SeededFaults(1, Rates(delay_e4=10_000, poll_short_e4=10_000))

    async def main() -> None:
        old = asyncio.create_task(process(log, feed, "old", slow).run())
        await run_until(lambda: feed.last_sequence > 5, old)
        assert not is_done(log, feed)
        new = asyncio.create_task(process(log, feed, "new").run())
        await run_until(lambda: is_done(log, feed), new)
        with pytest.raises(Fenced):
            await run_until(lambda: False, old)
        await stop(new)

    simulate(main())
    assert published(feed) == wanted


def _continued(log: SimulatedServer) -> Scribe:
    """Return a scribe that goes on where the log ends."""
    scribe = Scribe(log)
    last = EVENT_MESSAGES.decode(log.messages()[-1].payload)
    scribe._heads["exchange"] = last.number, last.hash
    return scribe


def test_the_feed_can_be_made_again_from_the_log_alone() -> None:
    log = some_history()
    assert reference(log) == reference(log)


def test_a_version_with_other_messages_goes_on_where_readers_are() -> None:
    log, feed = some_history(), feed_server()
    simulate(run_to_the_end(log, feed))
    last = next(m for m in reversed(published(feed)) if m.channel == "market.TEST.depth")
    other = replace(last, sequence_number=last.sequence_number + 5)
    feed.store([("feed.main.market.TEST.depth", encode_envelope(other))])
    _continued(log).write(placed(900, "a0000", "buy", 1, 1))
    simulate(run_to_the_end(log, feed, "two"))
    newest = [m for m in published(feed) if m.channel == "market.TEST.depth"][-1]
    assert newest.sequence_number == last.sequence_number + 6


def test_a_log_whose_past_changed_halts_the_process() -> None:
    log, feed = some_history(), feed_server()
    simulate(run_to_the_end(log, feed))
    before = len(published(feed))
    log.truncate(20)
    with pytest.raises(LogDiverged, match=r"sequence 35"):
        simulate(run_to_the_end(log, feed, "two"))
    assert len(published(feed)) == before


def test_a_flipped_byte_halts_the_process_and_names_the_sequence() -> None:
    log, feed = some_history(), feed_server()
    message = log.get(7)
    assert message is not None
    log.replace(7, message.payload.replace(b'"quantity_lots":1', b'"quantity_lots":2'))
    with pytest.raises(LogDiverged, match="record 7"):
        simulate(run_to_the_end(log, feed))


def test_what_cannot_be_read_halts_the_process() -> None:
    log, feed = some_history(), feed_server()
    log.store([("main.evt.exchange", b'{"type":"record/2"}')])
    with pytest.raises(UnknownRecord, match="sequence 36"):
        simulate(run_to_the_end(log, feed))


def test_the_lease_is_renewed_long_before_its_message_could_be_dropped() -> None:
    log, feed = some_history(), feed_server()

    async def main() -> None:
        task = asyncio.create_task(process(log, feed).run())
        await run_until(lambda: is_done(log, feed), task)
        before = feed.last_sequence
        await asyncio.sleep(2 * FEED_RENEW_S + 10)
        renewed = [message.subject for message in feed.messages()[before:]]
        assert renewed == 2 * [f"feed.main.{WRITER}", f"feed.main.{PROGRESS}"]
        scribe = _continued(log)
        scribe.write(ex.AccountOpened(1, "late", "U"))
        await run_until(lambda: is_done(log, feed), task)
        await stop(task)

    simulate(main())
    assert published(feed)[-1].channel == "account.late.orders"
