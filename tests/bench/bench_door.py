"""What the native door costs: logging in, and crossing the account's border.

    python -m tests.bench.bench_door

Prints a markdown table. The border is the service import between the traders' NATS
account and the log's; `inside` is the same client bytes sent from the log's own account.
"""

import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from streams.broker.roles import inbox
from streams.log.nats_wire import Wire
from streams.log.publishing import batch
from tests.streams.broker.venue import BrokerVenue

ORDER = b"main.cmd.order.alice"
PAYLOAD = b"x" * 220
LOGINS = 80
IN_FLIGHT = 3
MESSAGES = {1: 3_000, 10: 3_000, 100: 30_000, 1_000: 200_000}


class Sender:
    """Sends batches as fast as their acks allow."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._free = asyncio.Semaphore(IN_FLIGHT)
        wire.subscribe(f"{wire.inbox}.b.*", self._acked)
        self.errors: list[str] = []

    def _acked(self, subject: bytes, _reply: bytes, _header: bytes, payload: bytes) -> None:
        answer = json.loads(payload) if payload else {}
        if "error" in answer:
            self.errors.append(answer["error"]["description"])
        if subject.endswith(b"last"):
            self._free.release()

    async def rate(self, size: int, total: int) -> float:
        """Return messages per second in batches of `size`."""
        answers = f"{self._wire.inbox}.b".encode()
        coded = [
            batch(
                [(ORDER, PAYLOAD)] * size,
                os.urandom(8).hex().encode(),
                answers + b".first",
                answers + b".last",
                b"",
            )
            for _ in range(total // size)
        ]
        begin = time.perf_counter()
        for data in coded:
            await self._free.acquire()
            self._wire.write(data)
        for _ in range(IN_FLIGHT):
            await self._free.acquire()
        elapsed = time.perf_counter() - begin
        for _ in range(IN_FLIGHT):
            self._free.release()
        return total / elapsed


async def login_times(venue: BrokerVenue) -> tuple[list[float], list[float]]:
    """Return seconds per connection of a trader and of a service."""
    native, static = [], []
    for _ in range(LOGINS):
        begin = time.perf_counter()
        async with venue.native("carol"):
            native.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        async with venue.service("replay"):
            static.append(time.perf_counter() - begin)
    return native, static


def milliseconds(times: list[float]) -> str:
    ordered = sorted(times)
    high = ordered[int(len(ordered) * 0.99)]
    return f"{statistics.median(ordered) * 1e3:.1f} / {high * 1e3:.1f} ms"


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venue = BrokerVenue(Path(folder))
        await venue.start()
        try:
            async with venue.desk():
                await measure(venue)
        finally:
            await venue.server.kill9()


async def measure(venue: BrokerVenue) -> None:
    native, static = await login_times(venue)
    print("| login | p50 / p99 |\n|---|---|")
    print(f"| trader, by auth callout | {milliseconds(native)} |")
    print(f"| service, key in the conf | {milliseconds(static)} |\n")
    trader = await Wire.open(
        venue.server.url,
        name="orders",
        seed=venue.trader("alice").seed,
        inbox_prefix=inbox("alice"),
    )
    gateway = await Wire.open(
        venue.server.url,
        name="gateway",
        seed=venue.keyring.seed("gateway"),
        inbox_prefix=inbox("gateway"),
    )
    across, inside = Sender(trader), Sender(gateway)
    print("| messages per batch | across the border | inside | ratio |\n|---|---|---|---|")
    for size, total in MESSAGES.items():
        # Turn about, so that a busy machine disturbs both alike.
        rounds = [(await across.rate(size, total), await inside.rate(size, total)) for _ in "123"]
        out, into = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {size:,} | {out:,.0f}/s | {into:,.0f}/s | {out / into:.2f} |")
    for errors in (across.errors, inside.errors):
        assert not errors, errors[:3]
    await trader.close()
    await gateway.close()


if __name__ == "__main__":
    asyncio.run(main())
