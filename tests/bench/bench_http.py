"""(c) Orders over HTTP: `python -m tests.bench.bench_http [orders]` prints a markdown table.

A whole throwaway venue runs, with every engine, projector and feed. The client is bare
sockets with the requests made beforehand, because on two cores an HTTP library's own work
would be most of what is measured. Each connection has one request under way.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import httpx
import uvloop

from schemas import signatures
from schemas.codec import encode
from schemas.policy import SEED_PLAN
from schemas.sessions import opening_text
from tests.bench.rig import machine
from tests.support.policies import widened
from tests.support.venue import Venue, venue

SYMBOL = "BENCH-HTTP"


def token(it: Venue, account: str) -> str:
    """Open a session as a client does."""
    seed = (it.home / "keys" / "accounts" / f"{account}.nk").read_text().strip()
    with httpx.Client(base_url=f"{it.url}/api/v1") as client:
        challenge = client.post("/session/challenge", json={"account": account}).json()
        text = opening_text(account, challenge["nonce"], challenge["venue_id"])
        body = {
            "account": account,
            "nonce": challenge["nonce"],
            "signature": signatures.sign(seed, text),
        }
        return str(client.post("/session", json=body).json()["token"])


def requests(bearer: str, query: str, count: int) -> list[bytes]:
    """Return `count` whole HTTP requests, each with an order that rests."""
    made = []
    for number in range(count):
        body = json.dumps(
            {
                "client_order_id": f"h-{time.time_ns() % 10**12}-{number}",
                "symbol": SYMBOL,
                "side": "buy" if number % 2 else "sell",
                "quantity": 1 + number % 9,
                "price": f"{40 - number % 20 if number % 2 else 60 + number % 20}.00",
            }
        ).encode()
        head = (
            f"POST /api/v1/orders{query} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {bearer}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        made.append(head + body)
    return made


async def connection(port: int, work: list[bytes], took: list[float]) -> None:
    """Send requests one after the other until `work` is done; note each one's seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while work:
        request = work.pop()
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            raise AssertionError(head.decode())
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        took.append(time.perf_counter() - started)
    writer.close()


async def measure(port: int, work: list[bytes], connections: int) -> tuple[float, float, float]:
    """Return orders/s, and p50 and p99 in ms."""
    took: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(connection(port, work, took) for _ in range(connections)))
    seconds = time.perf_counter() - started
    took.sort()
    return len(took) / seconds, took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3


def main(count: int) -> None:
    """Print the table."""
    # all connections come from this machine, as they would from a proxy
    os.environ["EVERYTHING_TRUSTED_PROXIES"] = "127.0.0.1"
    with tempfile.TemporaryDirectory() as folder, venue(Path(folder) / "venue") as it:
        it.run("init", "bench")
        wide = Path(folder) / "wide.json"
        wide.write_bytes(encode(widened(SEED_PLAN)))
        it.run("admin", "set-policy", "--reason", "a bench", "--file", str(wide))
        it.run("admin", "list-market", SYMBOL, "--name", "bench", "--type", "technology")
        answers = {"durable (202)": ("alice", ""), "outcome (200)": ("bob", "?wait=outcome")}
        for account, _ in answers.values():
            it.run("account", "new", account)
            it.run("admin", "mint", account, "10000000000")
        print(f"\n{machine()}; the whole venue runs on the same cores\n")
        print("| answer | connections | orders/s | p50 ms | p99 ms |")
        print("|---|---|---|---|---|")
        for name, (account, query) in answers.items():
            # each has an account of its own: all orders rest, and an account may have 20,000
            bearer = token(it, account)
            for connections in (1, 16, 128):
                work = requests(bearer, query, max(200, count * min(connections, 16) // 16))
                rate, p50, p99 = uvloop.run(measure(it.http_port, work, connections))
                print(f"| {name} | {connections} | {rate:,.0f} | {p50:.1f} | {p99:.1f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000)
