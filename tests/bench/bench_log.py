"""Measure the log against a real nats-server: `python -m tests.bench.bench_log`.

Prints a Markdown table of appends and reads of 220-byte messages, R1, file, fsync-always,
with the CPU seconds that client and server spent on each 100,000 messages.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from schemas.limits import MAX_ATOMIC_BATCH
from streams.log.appender import Appender
from streams.log.nats_log import NatsLog
from streams.log.ports import Fence
from tests.support.nats import TestServer, nats_server

PAYLOAD = b"x" * 220
SUBJECT = "main.cmd.order.ada"
RECORD = b"r" * 15_000
READ_MESSAGES = 200_000

Work = Callable[[NatsLog], Awaitable[tuple[int, list[float]]]]
"""Does something to a log; returns how many messages, and the latency of each step in s."""


def singles(count: int) -> Work:
    async def work(log: NatsLog) -> tuple[int, list[float]]:
        took = []
        for _ in range(count):
            start = time.perf_counter()
            await log.send(SUBJECT, PAYLOAD)
            took.append(time.perf_counter() - start)
        return count, took

    return work


def windowed(window: int, rounds: int) -> Work:
    async def work(log: NatsLog) -> tuple[int, list[float]]:
        took = []
        for _ in range(rounds):
            start = time.perf_counter()
            await asyncio.gather(*[log.send(SUBJECT, PAYLOAD) for _ in range(window)])
            took.append(time.perf_counter() - start)
        return window * rounds, took

    return work


def batches(size: int, rounds: int, in_flight: int = 1) -> Work:
    async def work(log: NatsLog) -> tuple[int, list[float]]:
        took: list[float] = []
        batch = [(SUBJECT, PAYLOAD)] * size
        left = rounds

        async def writer() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                start = time.perf_counter()
                await log.append_batch(batch)
                took.append(time.perf_counter() - start)

        await asyncio.gather(*[writer() for _ in range(in_flight)])
        return size * len(took), took

    return work


def appender(callers: int, each: int) -> Work:
    async def work(log: NatsLog) -> tuple[int, list[float]]:
        took: list[float] = []
        shared = Appender(log)

        async def caller(name: str) -> None:
            for _ in range(each):
                start = time.perf_counter()
                await shared.append(name, PAYLOAD)
                took.append(time.perf_counter() - start)

        await asyncio.gather(*[caller(f"main.cmd.order.a{n}") for n in range(callers)])
        return callers * each, took

    return work


async def records(log: NatsLog) -> tuple[int, list[float]]:
    """Fenced 15 KB records, two in flight."""
    fence = Fence("main.evt.x.epoch", await log.send("main.evt.x.epoch", b"e"))
    took: list[float] = []

    async def writer() -> None:
        for _ in range(1_000):
            start = time.perf_counter()
            await log.send("main.evt.x", RECORD, fence)
            took.append(time.perf_counter() - start)

    await asyncio.gather(writer(), writer())
    return len(took), took


def reading(subjects: list[str]) -> Work:
    async def work(log: NatsLog) -> tuple[int, list[float]]:
        reader = await log.open_reader(subjects, 0)
        seen = 0
        while seen < READ_MESSAGES:
            seen += len(await reader.poll(2_000, 10))
        await reader.close()
        return seen, []

    return work


def cpu_s(pid: int | None) -> float:
    """Return the CPU seconds that a process has used."""
    if pid is None:
        return 0.0
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def measure(server: TestServer, log: NatsLog, name: str, work: Work) -> None:
    own, theirs, start = time.process_time(), cpu_s(server.pid), time.perf_counter()
    count, took = await work(log)
    elapsed = time.perf_counter() - start
    own, theirs = time.process_time() - own, cpu_s(server.pid) - theirs
    took.sort()
    p50, p99 = (
        (f"{took[int(len(took) * share)] * 1e3:.2f}" for share in (0.5, 0.99))
        if took
        else ("–", "–")
    )
    scale = 100_000 / count
    print(
        f"| {name} | {count / elapsed:,.0f} | {p50} / {p99} "
        f"| {own * scale:.2f} | {theirs * scale:.2f} |",
        flush=True,
    )


@asynccontextmanager
async def fresh() -> AsyncIterator[tuple[TestServer, NatsLog]]:
    with tempfile.TemporaryDirectory() as folder:
        async with nats_server(Path(folder)) as server:
            log = await server.connect("bench")
            yield server, log
            await log.close()


APPENDS: list[tuple[str, Work]] = [
    ("one publish at a time", singles(4_000)),
    ("windows of 16 publishes", windowed(16, 400)),
    ("windows of 500 publishes", windowed(500, 30)),
    ("atomic batches of 10", batches(10, 1_000)),
    ("atomic batches of 100", batches(100, 500)),
    ("atomic batches of 1,000", batches(1_000, 200)),
    ("atomic batches of 1,000, four in flight", batches(1_000, 200, 4)),
    ("appender, 10 callers", appender(10, 500)),
    ("appender, 100 callers", appender(100, 200)),
    ("appender, 1,000 callers", appender(1_000, 50)),
    ("appender, 5,000 callers", appender(5_000, 20)),
    ("fenced records of 15 KB, two in flight", records),
]

READS: list[tuple[str, Work]] = [
    ("read everything", reading(["main.>"])),
    ("read one filter", reading(["main.cmd.order.*"])),
    ("read two filters", reading(["main.cmd.order.*", "main.evt.x"])),
]


async def main() -> None:
    print("| path | messages/s | latency p50 / p99, ms | client CPU s | server CPU s |")
    print("|---|---|---|---|---|", flush=True)
    for name, work in APPENDS:
        async with fresh() as (server, log):
            await measure(server, log, name, work)
    async with fresh() as (server, log):
        for _ in range(READ_MESSAGES // MAX_ATOMIC_BATCH):
            await log.append_batch([(SUBJECT, PAYLOAD)] * MAX_ATOMIC_BATCH)
        for name, work in READS:
            await measure(server, log, name, work)


if __name__ == "__main__":
    run = asyncio.run if "--asyncio" in sys.argv else uvloop.run
    run(main())
