"""(a), (b): durable orders end to end, from the native door to outcome records on the log.

`python -m tests.bench.bench_path [orders]` prints markdown tables. The yardstick, in the same
run, is the same orders as atomic batches of 1,000 by the venue's own client while no engine
runs: what the log takes at best. Traders send them one message each, and 100 in a message.
"""

import asyncio
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import uvloop

from schemas import subjects
from schemas.codec import encode
from schemas.commands import ORDER_COMMANDS, Order, PlaceOrder, PlaceOrders
from schemas.limits import MAX_BATCH_ORDERS
from schemas.records import EVENT_MESSAGES
from streams.log.limits import MAX_APPENDS_IN_FLIGHT
from tests.bench.load import orders
from tests.bench.rig import SHARD, Rig, Trader, machine, pour

ACCOUNTS = [f"trader-{number:03d}" for number in range(64)]
SYMBOLS = [f"BENCH-{number:02d}" for number in range(50)]
PART = 1_000
IN_FLIGHT = 8
SEED = 20_261_120
ROUNDS = 5
SENDS_PER_S = 200


def make_load(count: int, seed: int) -> dict[str, list[list[bytes]]]:
    """Return `count` encoded orders by account, in parts that are sent at once."""
    rng = random.Random(seed)
    each = max(1, count // (len(ACCOUNTS) * PART))
    loads: dict[str, list[list[bytes]]] = {}
    for account in ACCOUNTS:
        commands = list(orders(rng, account, SYMBOLS, each * PART, time.time_ns()))
        loads[account] = [commands[at : at + PART] for at in range(0, len(commands), PART)]
    return loads


@dataclass
class Throughput:
    orders: int
    seconds: float
    engine_cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    relay_cpu_s: float = 0.0
    engine_mb: int = 0
    server_mb: int = 0

    @property
    def per_s(self) -> float:
        return self.orders / self.seconds


def _count(load: dict[str, list[list[bytes]]]) -> int:
    return sum(len(batch) for batches in load.values() for batch in batches)


def together(load: dict[str, list[list[bytes]]]) -> dict[str, list[list[bytes]]]:
    """Return the same orders, MAX_BATCH_ORDERS to a message; cancels stay by themselves."""
    return {account: [list(_merged(part)) for part in parts] for account, parts in load.items()}


def _merged(part: list[bytes]) -> Iterator[bytes]:
    held: list[Order] = []
    for command in map(ORDER_COMMANDS.decode, part):
        if not isinstance(command, PlaceOrder):
            yield encode(command)
            continue
        fields = {name: getattr(command, name) for name in Order.__struct_fields__}
        held.append(Order(**fields))
        if len(held) == MAX_BATCH_ORDERS:
            yield encode(PlaceOrders(command.client_time_ns, held))
            held = []
    if held:
        yield encode(PlaceOrders(time.time_ns(), held))


async def append_only(rig: Rig, count: int, seed: int) -> Throughput:
    """The yardstick: the venue's own batches, with no engine running."""
    load = make_load(count, seed)
    parts = deque(
        [(subjects.order_command(SHARD, account), payload) for payload in part]
        for account, parts in load.items()
        for part in parts
    )

    async def worker() -> None:
        while parts:
            await rig.log.append_batch(parts.popleft())

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(MAX_APPENDS_IN_FLIGHT)))
    return Throughput(_count(load), time.perf_counter() - started)


async def end_to_end(rig: Rig, count: int, seed: int, *, merged: bool = False) -> Throughput:
    """From the first byte sent to the record on the log that holds the last outcome."""
    load = make_load(count, seed)
    orders = _count(load)
    if merged:
        load = together(load)
    engine = f"engine-{subjects.EXCHANGE}"
    engine_cpu, server_cpu = rig.cpu_s(engine), rig.cpu_s("nats-server")
    relay_cpu = rig.cpu_s("relay")
    started = time.perf_counter()
    last = await pour(rig, load, IN_FLIGHT)
    await rig.covered(subjects.EXCHANGE, last)
    seconds = time.perf_counter() - started
    return Throughput(
        orders,
        seconds,
        rig.cpu_s(engine) - engine_cpu,
        rig.cpu_s("nats-server") - server_cpu,
        rig.cpu_s("relay") - relay_cpu,
        rig.memory_mb(engine),
        rig.memory_mb("nats-server"),
    )


async def one_at_a_time(rig: Rig, count: int) -> Throughput:
    """One order after the other by every trader, each waiting for its answer."""
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
            await trader.send([payload])

    started = time.perf_counter()
    await asyncio.gather(*(send(number) for number in range(len(rig.traders))))
    return Throughput(sum(map(len, work.values())), time.perf_counter() - started)


async def latencies(
    rig: Rig, rate: int, seconds: int, *, merged: bool = False
) -> tuple[float, float, int]:
    """Return p50 and p99 in ms from when a message was due to reading its outcome from the log.

    A trader sends what is due in 5 ms together; the load is made before the first is due.
    """
    reader = await rig.log.open_reader(
        [subjects.events(SHARD, subjects.EXCHANGE)], await rig.log.last_sequence()
    )
    rng = random.Random(SEED + rate)
    size = max(1, rate // SENDS_PER_S)
    load: list[tuple[Trader, list[bytes]]] = []
    for number in range(rate * seconds // size):
        trader = rig.traders[number % len(rig.traders)]
        part = list(orders(rng, trader.account, SYMBOLS, size, time.time_ns()))
        load.append((trader, list(_merged(part)) if merged else part))
    sent: dict[int, float] = {}
    done: dict[int, float] = {}
    sending = True

    async def listen() -> None:
        while sending or len(done) < len(sent):
            for stored in await reader.poll(500, 0.5):
                now = time.perf_counter()
                record = EVENT_MESSAGES.decode(stored.payload)
                for event in record.events:
                    done.setdefault(event.cause, now)

    async def send(trader: Trader, payloads: list[bytes], at: float) -> None:
        for sequence in await trader.send(payloads):
            sent[sequence] = at

    listening = asyncio.create_task(listen())
    started = time.perf_counter()
    sends: list[asyncio.Task[None]] = []
    for number, (trader, payloads) in enumerate(load):
        due = started + number * size / rate
        pause = due - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        # measured from when it was due, so that a slow sender cannot hide a slow venue
        sends.append(asyncio.create_task(send(trader, payloads, due)))
    await asyncio.gather(*sends)
    sending = False
    await asyncio.wait_for(listening, 60)
    await reader.close()
    took = sorted(done[sequence] - at for sequence, at in sent.items())
    return took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3, len(took)


async def rounds(rig: Rig, count: int) -> list[tuple[Throughput, Throughput, Throughput]]:
    """Return yardstick and end-to-end runs in turn, so that all meet the same machine.

    For the yardstick the engine is stopped (SIGSTOP); before the next run it catches up.
    """
    engine = rig.processes[f"engine-{subjects.EXCHANGE}"]
    done = []
    for number in range(ROUNDS):
        engine.send_signal(signal.SIGSTOP)
        yardstick = await append_only(rig, count, SEED + 3 * number)
        engine.send_signal(signal.SIGCONT)
        await rig.covered(subjects.EXCHANGE, await _last_order(rig))
        single = await end_to_end(rig, count, SEED + 3 * number + 1)
        merged = await end_to_end(rig, count, SEED + 3 * number + 2, merged=True)
        done.append((yardstick, single, merged))
    return done


async def run(count: int) -> None:
    """Print the tables."""
    async with Rig() as rig:
        rig.start("engine-governance")
        await rig.found(SYMBOLS, ACCOUNTS)
        rig.start("engine-exchange")
        await rig.ready()
        rig.start("relay")
        await rig.log_in()
        rig.stop("engine-governance")
        single = await one_at_a_time(rig, 20_000)
        await rig.covered(subjects.EXCHANGE, await _last_order(rig))
        pairs = await rounds(rig, count)
        print(f"\n{machine()}; {count:,} orders a run, {len(ACCOUNTS)} accounts, ", end="")
        print(f"{len(SYMBOLS)} books\n")
        print("| run | log alone, orders/s | one a message | ratio | 100 a message | ratio |")
        print("|---|---|---|---|---|---|")
        for number, (yardstick, *ways) in enumerate(pairs, 1):
            told = "".join(
                f" {way.per_s:,.0f} | {way.per_s / yardstick.per_s:.2f} |" for way in ways
            )
            print(f"| {number} | {yardstick.per_s:,.0f} |{told}")
        print(
            f"\nOne order after the other, {len(ACCOUNTS)} connections: "
            f"{single.per_s:,.0f} orders/s.\n"
        )
        print("| µs of CPU for an order, median run | engine | relay | nats-server |")
        print("|---|---|---|---|")
        for what, way in (("one a message", 1), ("100 a message", 2)):
            middle = sorted((run[way] for run in pairs), key=lambda one: one.per_s)[ROUNDS // 2]
            spent = (middle.engine_cpu_s, middle.relay_cpu_s, middle.server_cpu_s)
            told = "".join(f" {seconds / middle.orders * 1e6:.1f} |" for seconds in spent)
            print(f"| {what} |{told}")
        print(f"\nThe engine holds {middle.engine_mb} MB, nats-server {middle.server_mb} MB.\n")
        print("| orders/s offered | | p50 ms | p99 ms | messages |")
        print("|---|---|---|---|---|")
        for rate, merged in ((100, False), (1_000, False), (10_000, False), (10_000, True)):
            p50, p99, measured = await latencies(rig, rate, 10, merged=merged)
            how = f"{rate // SENDS_PER_S} a message" if merged else "one a message"
            print(f"| {rate:,} | {how} | {p50:.2f} | {p99:.2f} | {measured:,} |")


async def _last_order(rig: Rig) -> int:
    last = [await rig.log.last(subjects.order_command(SHARD, account)) for account in ACCOUNTS]
    return max(stored.sequence for stored in last if stored is not None)


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 192_000))
