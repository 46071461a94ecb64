"""How long it takes to be at any moment of a log: `python -m tests.bench.bench_travel [MESSAGES]`.

The log is a throwaway venue's, on which a thousand orders a second were sent and some news
came; the real engines wrote it under their hosts in virtual time. It is copied onto a real
nats-server with fsync-always. States are folded to random
sequences from travel snapshots, and from the genesis; both must lead to the same hashes. The
history of the tables is written from the same log, and read at the same sequences.
"""

import asyncio
import gc
import logging
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from engines.kernel import Engine
from projections.api.store import At, ReadStore
from projections.history.historian import Historian
from replay.travel.snapshot_store import TravelSnapshotFolder
from replay.travel.travel import EngineStates, Keeper, StateReplay
from schemas.stored import Stored
from schemas.subjects import ENGINES
from schemas.units import SECOND_NS
from streams.log.nats_log import NatsLog
from tests.bench.bench_verify import _copy
from tests.replay.venue import HostedVenue, engines
from tests.simulated.virtual_time import START_NS, simulate
from tests.support.nats import nats_server
from tests.support.postgres import postgres_server

MESSAGES = 1_000_000
SEQUENCES = 1_000
SYMBOLS, ACCOUNTS = 50, 1_000
PIECE, PIECE_S = 50, 0.05
"""So many commands come at once, and so often."""
NEWS_EVERY = 100
FROM_GENESIS = 10
"""How many sequences are also folded each from the genesis, and timed."""
READS = {
    "one market": "SELECT * FROM scores WHERE symbol = 'M0'",
    "a book": (
        "SELECT price_ticks, sum(resting_lots) FROM orders WHERE symbol = 'M0' AND side = 'buy' "
        "AND status = 'open' GROUP BY price_ticks ORDER BY price_ticks DESC LIMIT 10"
    ),
    "100 trades": (
        "SELECT * FROM trade_history WHERE symbol = 'M0' ORDER BY trade_id DESC LIMIT 100"
    ),
    "an account's orders": (
        "SELECT * FROM orders WHERE account = 'trader0' ORDER BY order_id DESC LIMIT 100"
    ),
}


class Timed(NamedTuple):
    """What was measured: a name, and seconds of each."""

    what: str
    seconds: list[float]

    def row(self) -> str:
        found = sorted(self.seconds)
        p50, p99 = statistics.median(found), found[min(len(found) * 99 // 100, len(found) - 1)]
        return f"| {self.what} | {len(found):,} | {p50 * 1e3:,.1f} | {p99 * 1e3:,.1f} |"


async def _lived(messages: int) -> list[Stored]:
    """Return the log of a venue that has traded until there are so many messages."""
    venue = HostedVenue(seed=1)
    venue.now_ns = START_NS
    hosts = venue.hosts("bench")
    await venue.settle()
    venue.list_markets([f"M{number}" for number in range(SYMBOLS)])
    venue.open_accounts([f"trader{number}" for number in range(ACCOUNTS)])
    venue.add_sources("daily", "weekly")
    await venue.settle()
    piece = 0
    while venue.server.last_sequence < messages:
        venue.now_ns = START_NS + round(asyncio.get_running_loop().time() * SECOND_NS)
        venue.trade(PIECE, step_ns=0)
        if piece % NEWS_EVERY == 0:
            venue.report(1)
        piece += 1
        await asyncio.sleep(PIECE_S)
    await venue.settle()
    for host in hosts:
        await host.stopped()
    return venue.server.messages()


def _engines() -> list[Engine[Any]]:
    by_name = {engine.name: engine for engine in engines()}
    return [by_name[name] for name in ENGINES]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.travel"))


async def _timed(
    what: str, sequences: Sequence[int], do: Callable[[int], Awaitable[Any]]
) -> tuple[Timed, list[Any]]:
    """Do it at each sequence. Garbage is collected in between, as the state service does it."""
    seconds, found = [], []
    gc.disable()
    gc.collect()
    gc.freeze()
    for sequence in sequences:
        started = time.perf_counter()
        found.append(await do(sequence))
        seconds.append(time.perf_counter() - started)
        gc.collect()
    gc.unfreeze()
    gc.enable()
    return Timed(what, seconds), found


async def _states(log: NatsLog, sequences: list[int], folder: Path) -> tuple[list[Timed], float]:
    """Fold to all sequences with snapshots, to some without, and compare with one walk."""
    stores = {name: TravelSnapshotFolder(folder, name) for name in ENGINES}
    started = time.perf_counter()
    keeper = Keeper(log, _engines, stores)
    await keeper.catch_up()
    keeping_s = time.perf_counter() - started
    print(
        f"{keeper.saved} travel snapshots, {_size(folder) / 2**20:,.0f} MiB, "
        f"made in {keeping_s:,.0f} s by one fold of the log\n"
    )
    with_them, there = await _timed(
        "state, from travel snapshots", sequences, StateReplay(log, _engines, stores).at
    )
    bare = StateReplay(log, _engines)
    few = sequences[:FROM_GENESIS]
    without, also = await _timed("state, from the genesis", few, bare.at)
    started = time.perf_counter()
    walked: list[EngineStates] = [moment async for moment in bare.along(sorted(sequences))]
    walk_s = time.perf_counter() - started
    assert sorted(there, key=lambda one: one.sequence) == walked, "snapshots lead elsewhere"
    assert also == there[:FROM_GENESIS]
    return [with_them, without], walk_s


async def _history(
    log: NatsLog, dsn: str, sequences: list[int]
) -> tuple[list[Timed], float, float]:
    """Write the history, and read it at all sequences, and now."""
    last = await log.last_sequence()
    historian = Historian(log, dsn)
    started = time.perf_counter()
    task = asyncio.create_task(historian.run())
    while historian.status()["phase"] != "following" or historian.status()["sequence"] < last:
        if task.done():
            task.result()
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - started
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    store = ReadStore(dsn)
    await store.open()
    found = []
    try:
        async with store.history() as reading:
            await reading.all("SELECT 1")
        for what, query in READS.items():

            async def read(sequence: int, query: str = query) -> list[dict[str, Any]]:
                async with store.view(At(sequence)) as view:
                    return await view.all(query)

            found.append((await _timed(f"tables: {what}", sequences, read))[0])
    finally:
        await store.close()
    return found, seconds, historian.status()["projected"] / seconds


async def _measure(messages: list[Stored], folder: Path, dsn: str) -> None:
    dice = random.Random(1)
    sequences = [dice.randint(1, len(messages)) for _ in range(SEQUENCES)]
    async with nats_server(folder) as server:
        log = await server.connect("bench")
        await _copy(log, messages)
        states, walk_s = await _states(log, sequences, folder / "travel")
        tables, history_s, rate = await _history(log, dsn, sequences)
        await log.close()
    print("| to be at a random sequence | times | p50 ms | p99 ms |\n|---|---|---|---|")
    for one in (*states, *tables):
        print(one.row())
    print(
        f"\nEqual hashes at all {SEQUENCES:,} sequences: from snapshots, and in one walk from the "
        f"genesis ({walk_s:,.0f} s). The historian wrote the history in {history_s:,.0f} s "
        f"({len(messages) / history_s:,.0f} messages/s, {rate:,.0f} of them records or "
        "observations)."
    )


def main() -> None:
    """Measure, and print a table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    messages = simulate(_lived(wanted))
    print(f"\na log of {len(messages):,} messages\n")
    with tempfile.TemporaryDirectory() as folder, postgres_server() as postgres:
        asyncio.run(_measure(messages, Path(folder), postgres.new_database()))


if __name__ == "__main__":
    main()
