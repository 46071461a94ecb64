"""What one greedy native trader costs fifty honest ones.

`python -m tests.bench.bench_fair [seconds]` prints a markdown table. The yardstick, in the same
run, is the same fifty traders without the greedy one, before and after. The greedy one is a
process of its own that gives way to all others (nice 19), and keeps as many orders on their way
as it says.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

import uvloop

from schemas import subjects
from streams.broker import roles
from streams.log import publishing
from streams.log.nats_wire import Wire
from tests.bench.load import orders
from tests.bench.rig import SHARD, Rig, Trader, machine

HONEST: Final = [f"honest-{number:02d}" for number in range(50)]
GREEDY: Final = "greedy"
SYMBOLS: Final = [f"FAIR-{number:02d}" for number in range(20)]
EVERY_S: Final = 0.1
"""Between two orders of an honest trader: 500 a second in all."""
WINDOWS: Final = (100, 2_000)
"""Orders that the greedy one has on their way."""
SEED: Final = 20_261_130


async def steady(trader: Trader, seconds: float, took: list[float]) -> None:
    """Send an order each EVERY_S, and note how long after it was due its answer came."""
    rng = random.Random(f"{SEED} {trader.account}")
    due = time.perf_counter() + rng.random() * EVERY_S
    end = due + seconds
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await trader.send([*orders(rng, trader.account, SYMBOLS, 1, time.time_ns())])
        took.append(time.perf_counter() - due)
        due += EVERY_S


async def phase(rig: Rig, honest: Sequence[Trader], seconds: float) -> tuple[float, float]:
    """Return p50 and p99 of the honest traders, in ms."""
    took: list[float] = []
    await asyncio.gather(*(steady(trader, seconds, took) for trader in honest))
    took.sort()
    return took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3


def start_greedy(rig: Rig, trader: Trader, window: int) -> "subprocess.Popen[bytes]":
    command = (sys.executable, "-P", "-m", "tests.bench.bench_fair", "--greedy")
    return subprocess.Popen(
        ["nice", "-n", "19", *command, rig.server.url, str(window)],
        env={**os.environ, "GREEDY_SEED": trader.seed},
    )


async def be_greedy(url: str, window: int) -> None:
    """Keep `window` orders on their way until killed."""
    wire = await Wire.open(
        url, name=GREEDY, seed=os.environ["GREEDY_SEED"], inbox_prefix=roles.inbox(GREEDY)
    )
    rng, free = random.Random(SEED), asyncio.Semaphore(window)
    subject = subjects.order_command(SHARD, GREEDY)
    while True:
        for payload in orders(rng, GREEDY, SYMBOLS, 1_000, time.time_ns()):
            await free.acquire()
            reply = wire.expect(subject, lambda _header, _payload: free.release())
            wire.write(publishing.single(subject.encode(), reply, payload))
        await wire.drain()


async def run(seconds: float) -> None:
    """Print the table."""
    async with Rig() as rig:
        rig.start("engine-governance")
        await rig.found(SYMBOLS, [*HONEST, GREEDY])
        rig.start("engine-exchange")
        await rig.ready()
        rig.start("relay")
        await rig.log_in()
        rig.stop("engine-governance")
        *honest, greedy = rig.traders
        await greedy.log_out()
        print(f"\n{machine()}; {len(honest)} traders, an order each {EVERY_S} s\n")
        print("| beside them | orders/s on the log | p50 ms | p99 ms | p99 ratio |")
        print("|---|---|---|---|---|")
        for window in WINDOWS:
            alone = await told(rig, honest, seconds, "nobody")
            process = start_greedy(rig, greedy, window)
            await asyncio.sleep(3)
            beside = await told(rig, honest, seconds, f"one with {window:,} on the way", alone)
            process.kill()
            process.wait()
            await told(rig, honest, seconds, "nobody", alone)
            assert beside


async def told(
    rig: Rig, honest: Sequence[Trader], seconds: float, what: str, alone: float = 0.0
) -> float:
    began, before = time.perf_counter(), await rig.log.last_sequence()
    p50, p99 = await phase(rig, honest, seconds)
    rate = (await rig.log.last_sequence() - before) / (time.perf_counter() - began)
    ratio = f"{p99 / alone:.2f}" if alone else "-"
    print(f"| {what} | {rate:,.0f} | {p50:.2f} | {p99:.2f} | {ratio} |", flush=True)
    return p99


if __name__ == "__main__":
    if sys.argv[1:2] == ["--greedy"]:
        uvloop.run(be_greedy(sys.argv[2], int(sys.argv[3])))
    else:
        uvloop.run(run(float(sys.argv[1]) if len(sys.argv) > 1 else 20))
