"""How fast a log is verified, folded and published: `python -m tests.bench.bench_verify`.

The log is a throwaway venue's, written by the real engines under their hosts in virtual
time, then copied onto a real nats-server with fsync-always.
"""

import asyncio
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path

import structlog

from projections.feeds.channels import PROGRESS
from projections.feeds.fold import FeedFold
from projections.feeds.nats_feed import NatsFeed
from projections.feeds.outbox import decode_progress
from projections.feeds.process import Feeds
from replay.verify.report import Report
from replay.verify.verify import verify
from schemas.limits import MAX_ATOMIC_BATCH
from schemas.record_chain import Chains
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from schemas.subjects import feed, matches
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog
from tests.replay.venue import engines, live
from tests.simulated.virtual_time import simulate
from tests.support.nats import nats_server

WITHIN_S = 600
MAX_BYTES = 4 * 1024 * 1024


async def _copy(log: NatsLog, messages: list[Stored]) -> None:
    part: list[tuple[str, bytes]] = []
    held = 0
    for message in messages:
        if len(part) == MAX_ATOMIC_BATCH or (part and held + len(message.payload) > MAX_BYTES):
            await log.append_batch(part)
            part, held = [], 0
        part.append((message.subject, message.payload))
        held += len(message.payload)
    await log.append_batch(part)


def _fold(records: list[Stored]) -> tuple[int, float]:
    chains, fold, events = Chains(EVENT_MESSAGES.decode), FeedFold(), 0
    started = time.perf_counter()
    for message in records:
        record = chains.read(message)
        fold.fold(record)
        events += len(record.events)
    return events, time.perf_counter() - started


async def _publish(log: NatsLog, client: NatsLog, last: int) -> tuple[int, float]:
    """Run the feeds process until it has caught up; return its messages and seconds."""
    stream = NatsFeed(client)
    started = time.perf_counter()
    task = asyncio.create_task(Feeds(log, stream, SystemClock(), writer="bench").run())
    async with asyncio.timeout(WITHIN_S):
        while True:
            made = await stream.last(feed(log.shard, PROGRESS))
            if made is not None and decode_progress(made.payload).log_sequence >= last:
                break
            await asyncio.sleep(0.02)
    seconds = time.perf_counter() - started
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return await stream.last_sequence(), seconds


async def _measure(messages: list[Stored], folder: Path) -> tuple[Report, int, float]:
    async with nats_server(folder) as server:
        log, client = await server.connect("bench"), await server.connect_feed("bench")
        await _copy(log, messages)
        report = await verify(log, engines())
        last = max(m.sequence for m in messages if matches("main.evt.*", m.subject))
        told, seconds = await _publish(log, client, last)
        await log.close()
        await client.close()
    return report, told, seconds


def main() -> None:
    """Measure, and print a table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    commands = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    messages = simulate(live(commands, seed=1, symbols=50, accounts=1_000)).messages()
    records = [m for m in messages if matches("main.evt.*", m.subject)]
    events, folding_s = _fold(records)
    with tempfile.TemporaryDirectory() as folder:
        report, told, publishing_s = asyncio.run(_measure(messages, Path(folder)))
    assert report.exit_code == 0, report
    orders = report.account.orders
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"\n{commands:,} commands, {orders:,} orders, {len(records):,} records, {events:,} events"
    )
    print("\n| what | events/s | orders/s | notes |\n|---|---|---|---|")
    for what, seconds, notes in (
        ("verify, real server", report.seconds, f"{report.account.messages:,} messages read twice"),
        ("feeds: fold at start", folding_s, "no I/O"),
        ("feeds: fold and publish", publishing_s, f"{told / publishing_s:,.0f} feed messages/s"),
    ):
        print(f"| {what} | {events / seconds:,.0f} | {orders / seconds:,.0f} | {notes} |")
    print(f"\npeak memory of this process, the log itself included: {peak_mib:,} MiB")


if __name__ == "__main__":
    main()
