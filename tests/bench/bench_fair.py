"""What one greedy native trader costs fifty honest ones.

`python -m tests.bench.bench_fair [seconds]` prints a markdown table. The yardstick, in the same
run, is the same fifty traders without the greedy one, before and after. The greedy one is a
process of its own that gives way to all others (nice 19). With a trader's quota it sends at a rate,
whatever it is answered. Without one it keeps as many orders on their way as the table says.
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
from msgspec.structs import replace

from schemas import policy, subjects
from schemas.policy import QuotasPolicy
from streams.broker import roles
from streams.log import publishing
from streams.log.nats_wire import Wire
from tests.bench.load import orders
from tests.bench.rig import SHARD, Rig, Trader, machine
from tests.support.policies import WIDE

HONEST: Final = [f"honest-{number:02d}" for number in range(50)]
GREEDY: Final = "greedy"
SYMBOLS: Final = [f"FAIR-{number:02d}" for number in range(20)]
EVERY_S: Final = 0.1
"""Between two orders of an honest trader: 500 a second in all."""
RATES: Final = (1_000, 10_000)
"""Orders a second that the greedy one sends, where it has a trader's quota."""
WINDOWS: Final = (100, 2_000)
"""Orders that the greedy one has on their way, where nothing bounds it."""
UNBOUND: Final = "unbound"
TICK_S: Final = 0.002
FLOOD: Final = "--flood"
CROWD: Final = "--crowd"
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


def start_greedy(rig: Rig, trader: Trader, how: str, number: int) -> "subprocess.Popen[bytes]":
    command = (sys.executable, "-m", "tests.bench.bench_fair", how)
    return subprocess.Popen(
        ["nice", "-n", "19", *command, rig.server.url, trader.account, str(number)],
        env={**os.environ, "GREEDY_SEED": trader.seed},
    )


async def flood(wire: Wire, account: str, rate: int) -> None:
    """Send `rate` orders a second until killed, and take no notice of answers."""
    rng, subject = random.Random(SEED), subjects.order_command(SHARD, account).encode()
    load = [publishing.single(subject, b"", one) for one in loaded(rng, account)]
    began, sent = time.perf_counter(), 0
    while True:
        due = int((time.perf_counter() - began) * rate)
        while sent < due:
            wire.write(load[sent % len(load)])
            sent += 1
        await wire.drain()
        await asyncio.sleep(TICK_S)


def loaded(rng: random.Random, account: str) -> list[bytes]:
    return [*orders(rng, account, SYMBOLS, 1_000, time.time_ns())]


async def crowd(wire: Wire, account: str, window: int) -> None:
    """Keep `window` orders on their way until killed."""
    rng, free = random.Random(SEED), asyncio.Semaphore(window)
    subject = subjects.order_command(SHARD, account)
    while True:
        for payload in loaded(rng, account):
            await free.acquire()
            reply = wire.expect(subject, lambda _header, _payload: free.release())
            wire.write(publishing.single(subject.encode(), reply, payload))
        await wire.drain()


async def be_greedy(how: str, url: str, account: str, number: int) -> None:
    """Log in and be so until killed."""
    seed = os.environ["GREEDY_SEED"]
    wire = await Wire.open(url, name=account, seed=seed, inbox_prefix=roles.inbox(account))
    await (flood if how == FLOOD else crowd)(wire, account, number)


async def run(seconds: float) -> None:
    """Print the table."""
    async with Rig() as rig:
        rig.start("engine-governance")
        quotas = QuotasPolicy(maker=WIDE, makers=(*HONEST, UNBOUND))
        await rig.found(
            SYMBOLS, [*HONEST, GREEDY, UNBOUND], replace(policy.SEED_PLAN, quotas=quotas)
        )
        rig.start("engine-exchange")
        await rig.ready()
        rig.start("relay")
        await rig.log_in()
        rig.stop("engine-governance")
        *honest, greedy, unbound = rig.traders
        await greedy.log_out()
        await unbound.log_out()
        attacks = [
            *((greedy, FLOOD, rate, f"one who sends {rate:,}/s, with a quota") for rate in RATES),
            *((unbound, CROWD, many, f"one with {many:,} on the way, unbound") for many in WINDOWS),
        ]
        print(f"\n{machine()}; {len(honest)} traders, an order each {EVERY_S} s\n")
        print("| beside them | orders/s on the log | p50 ms | p99 ms | p99 ratio |")
        print("|---|---|---|---|---|")
        for trader, how, number, what in attacks:
            alone = await told(rig, honest, seconds, "nobody")
            process = start_greedy(rig, trader, how, number)
            try:
                await asyncio.sleep(3)
                await told(rig, honest, seconds, what, alone)
            finally:
                process.kill()
                process.wait()
            await told(rig, honest, seconds, "nobody", alone)


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
    if sys.argv[1:2] in ([FLOOD], [CROWD]):
        how, url, account, number = sys.argv[1:]
        uvloop.run(be_greedy(how, url, account, int(number)))
    else:
        uvloop.run(run(float(sys.argv[1]) if len(sys.argv) > 1 else 20))
