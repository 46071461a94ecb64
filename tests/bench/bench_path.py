"""(a), (b): durable orders end to end, from the native door to outcome records on the log.

`python -m tests.bench.bench_path [orders]` prints markdown tables. The yardstick is the
same client sending the same orders while no engine runs, in the same run.
"""

import asyncio
import random
import signal
import sys
import time
from dataclasses import dataclass

import uvloop

from schemas import subjects
from schemas.records import EVENT_MESSAGES
from streams.log.limits import APPEND_SINGLES
from tests.bench.load import orders
from tests.bench.rig import SHARD, Rig, machine, pour

ACCOUNTS = [f"trader-{number:03d}" for number in range(64)]
SYMBOLS = [f"BENCH-{number:02d}" for number in range(50)]
BATCH = 1_000
IN_FLIGHT = 8
SEED = 20_261_120
ROUNDS = 5


def make_load(count: int, seed: int) -> dict[str, list[list[bytes]]]:
    """Return `count` encoded orders in batches by account."""
    rng = random.Random(seed)
    each = max(1, count // (len(ACCOUNTS) * BATCH))
    loads: dict[str, list[list[bytes]]] = {}
    for account in ACCOUNTS:
        commands = list(orders(rng, account, SYMBOLS, each * BATCH, time.time_ns()))
        loads[account] = [commands[at : at + BATCH] for at in range(0, len(commands), BATCH)]
    return loads


@dataclass
class Throughput:
    orders: int
    seconds: float
    engine_cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    engine_mb: int = 0
    server_mb: int = 0

    @property
    def per_s(self) -> float:
        return self.orders / self.seconds


def _count(load: dict[str, list[list[bytes]]]) -> int:
    return sum(len(batch) for batches in load.values() for batch in batches)


async def append_only(rig: Rig, count: int, seed: int) -> Throughput:
    """The yardstick: append, with no engine running."""
    load = make_load(count, seed)
    started = time.perf_counter()
    await pour(rig, load, IN_FLIGHT)
    return Throughput(_count(load), time.perf_counter() - started)


async def end_to_end(rig: Rig, count: int, seed: int) -> Throughput:
    """From the first byte sent to the record on the log that holds the last outcome."""
    load = make_load(count, seed)
    engine = f"engine-{subjects.EXCHANGE}"
    engine_cpu, server_cpu = rig.cpu_s(engine), rig.cpu_s("nats-server")
    started = time.perf_counter()
    last = await pour(rig, load, IN_FLIGHT)
    await rig.covered(subjects.EXCHANGE, last)
    seconds = time.perf_counter() - started
    return Throughput(
        _count(load),
        seconds,
        rig.cpu_s(engine) - engine_cpu,
        rig.cpu_s("nats-server") - server_cpu,
        rig.memory_mb(engine),
        rig.memory_mb("nats-server"),
    )


async def one_at_a_time(rig: Rig, count: int) -> Throughput:
    """One publish per order, windowed over all traders: what the door does without batches."""
    rng = random.Random(SEED)
    work = {
        trader.account: list(
            orders(rng, trader.account, SYMBOLS, count // len(rig.traders), time.time_ns())
        )
        for trader in rig.traders
    }

    async def send(number: int) -> None:
        trader = rig.traders[number]
        for payload in work[trader.account]:
            await trader.one(payload)

    started = time.perf_counter()
    await asyncio.gather(*(send(number) for number in range(len(rig.traders))))
    return Throughput(sum(map(len, work.values())), time.perf_counter() - started)


async def latencies(rig: Rig, rate: int, seconds: int) -> tuple[float, float, int]:
    """Return p50 and p99 in ms from sending an order to reading its outcome from the log."""
    reader = await rig.log.open_reader(
        [subjects.events(SHARD, subjects.EXCHANGE)], await rig.log.last_sequence()
    )
    rng = random.Random(SEED + rate)
    size = max(1, rate // 200)
    sent: dict[int, float] = {}
    done: dict[int, float] = {}
    rounds = rate * seconds // size
    sending = True

    async def listen() -> None:
        while sending or len(done) < len(sent):
            for stored in await reader.poll(500, 0.5):
                now = time.perf_counter()
                record = EVENT_MESSAGES.decode(stored.payload)
                for event in record.events:
                    done.setdefault(event.cause, now)

    async def send(trader_number: int, payloads: list[bytes], at: float) -> None:
        trader = rig.traders[trader_number]
        if len(payloads) <= APPEND_SINGLES:  # as the appender does: few are faster alone
            for sequence in await asyncio.gather(*(trader.one(one) for one in payloads)):
                sent[sequence] = at
            return
        last = await trader.batch(payloads)
        for offset in range(len(payloads)):
            sent[last - offset] = at

    listening = asyncio.create_task(listen())
    started = time.perf_counter()
    sends: list[asyncio.Task[None]] = []
    for number in range(rounds):
        due = started + number * size / rate
        pause = due - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        who = number % len(rig.traders)
        payloads = list(orders(rng, rig.traders[who].account, SYMBOLS, size, time.time_ns()))
        # measured from when it was due, so that a slow sender cannot hide a slow venue
        sends.append(asyncio.create_task(send(who, payloads, due)))
    await asyncio.gather(*sends)
    sending = False
    await asyncio.wait_for(listening, 60)
    await reader.close()
    took = sorted(done[sequence] - at for sequence, at in sent.items())
    return took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3, len(took)


async def rounds(rig: Rig, count: int) -> list[tuple[Throughput, Throughput]]:
    """Return yardstick and end-to-end runs in turn, so that both meet the same machine.

    For the yardstick the engine is stopped (SIGSTOP); before the next run it catches up.
    """
    engine = rig.processes[f"engine-{subjects.EXCHANGE}"]
    done = []
    for number in range(ROUNDS):
        engine.send_signal(signal.SIGSTOP)
        yardstick = await append_only(rig, count, SEED + 2 * number)
        engine.send_signal(signal.SIGCONT)
        await rig.covered(subjects.EXCHANGE, await _last_order(rig))
        done.append((yardstick, await end_to_end(rig, count, SEED + 2 * number + 1)))
    return done


async def run(count: int) -> None:
    """Print the tables."""
    async with Rig() as rig:
        rig.start("engine-governance")
        await rig.found(SYMBOLS, ACCOUNTS)
        rig.start("engine-exchange")
        await rig.ready()
        await rig.log_in()
        rig.stop("engine-governance")
        single = await one_at_a_time(rig, 20_000)
        await rig.covered(subjects.EXCHANGE, await _last_order(rig))
        pairs = await rounds(rig, count)
        print(f"\n{machine()}; {count:,} orders a run, {len(ACCOUNTS)} accounts, ", end="")
        print(f"{len(SYMBOLS)} books\n")
        print("| run | batches of 1,000, no engine | end to end, orders/s | ratio | x single |")
        print("|---|---|---|---|---|")
        for number, (yardstick, whole) in enumerate(pairs, 1):
            print(
                f"| {number} | {yardstick.per_s:,.0f} | {whole.per_s:,.0f} "
                f"| {whole.per_s / yardstick.per_s:.2f} | {whole.per_s / single.per_s:.1f} |"
            )
        middle = sorted((whole for _, whole in pairs), key=lambda one: one.per_s)[len(pairs) // 2]
        print(
            f"\nOne publish per order, {len(ACCOUNTS)} connections: {single.per_s:,.0f} orders/s. "
            f"In the median run an order costs the engine {middle.engine_cpu_s / count * 1e6:.1f} "
            f"µs of CPU and nats-server {middle.server_cpu_s / count * 1e6:.1f} µs; they hold "
            f"{middle.engine_mb} MB and {middle.server_mb} MB.\n"
        )
        print("| orders/s offered | p50 ms | p99 ms | orders |")
        print("|---|---|---|---|")
        for rate in (100, 1_000, 10_000):
            p50, p99, measured = await latencies(rig, rate, 10)
            print(f"| {rate:,} | {p50:.2f} | {p99:.2f} | {measured:,} |")


async def _last_order(rig: Rig) -> int:
    last = [await rig.log.last(subjects.order_command(SHARD, account)) for account in ACCOUNTS]
    return max(stored.sequence for stored in last if stored is not None)


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 192_000))
