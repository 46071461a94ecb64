"""What the native door costs: logging in, and going by the relay.

    python -m tests.bench.bench_door

Prints markdown tables. `inside` is the same client with the same bytes in the log's own account,
where each message goes to the log by itself. The relay runs in this process, beside the client.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from streams.broker.roles import inbox
from streams.log.nats_wire import Wire
from streams.log.publishing import read_ack, single
from tests.streams.broker.venue import SOME, BrokerVenue

ORDER: Final = "main.cmd.order.alice"
PAYLOAD: Final = SOME.ljust(220)
LOGINS: Final = 80
IN_FLIGHT: Final = {1: 1_000, 16: 8_000, 256: 20_000}
"""Commands on their way at once, and how many in all."""


class Sender:
    """Sends commands as fast as their answers allow."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.errors: list[str] = []

    async def rate(self, in_flight: int, total: int) -> float:
        """Return commands per second with `in_flight` of them on their way."""
        free = asyncio.Semaphore(in_flight)

        def answered(_header: bytes, payload: bytes) -> None:
            if error := read_ack(0, payload).text:
                self.errors.append(error)
            free.release()

        begin = time.perf_counter()
        for _ in range(total):
            await free.acquire()
            reply = self._wire.expect(ORDER, answered)
            self._wire.write(single(ORDER.encode(), reply, PAYLOAD))
        for _ in range(in_flight):
            await free.acquire()
        return total / (time.perf_counter() - begin)


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
    print("| on their way | by the relay | inside | ratio |\n|---|---|---|---|")
    for size, total in IN_FLIGHT.items():
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
