"""Attacks 1, 5 and 9 of the list: what a stranger without an account can do over HTTP."""

import asyncio
from typing import Final

from streams.gateway.limits import MAX_ADDRESS_CONNECTIONS, MAX_BODY_BYTES, OPEN_PERCENT
from tests.siege.ground import Acting, Attack
from tests.siege.http_client import connected, request

SILENT_ADDRESSES: Final = 40
SILENT_SOCKETS: Final = SILENT_ADDRESSES * MAX_ADDRESS_CONNECTIONS
"""More than the gateway has connections."""
_PAUSE_S: Final = 1.0
_BOMB_PART: Final = b"X-Bomb: " + b"x" * 8_000 + b"\r\n"
_BOMB_PARTS: Final = 8_000  # 64 MB
_PATHS: Final = ("/api/v1/markets", *("/api/v1/venue", "/api/v1/health", "/api/v1/ready") * 2)
"""As few of these ask the tables as of what a flood asks for."""


async def browse(acting: Acting, network: int, hosts: int, count: int, pause_s: float) -> None:
    """Ask for pages on `count` connections that are kept, as browsers do."""

    async def page(number: int) -> None:
        address = acting.ground.address(network, 1 + number % hosts)
        async with connected(acting, address) as client:
            for _ in range(100):
                await client.ask("GET", acting.dice.choice(_PATHS))
                await asyncio.sleep(pause_s * acting.dice.uniform(0.5, 1.5))

    await acting.each(count, page)


async def long_paths(acting: Acting) -> None:
    """Ask for paths of up to 64 KB, each of which is to be refused and logged."""

    async def ask(number: int) -> None:
        async with connected(acting, acting.ground.address(1, 1 + number)) as client:
            for size in (2_000, 7_000, 9_000, 30_000, 64_000):
                await client.ask("GET", "/api/v1/market/" + "A" * size)

    await acting.each(4, ask)


async def header_bombs(acting: Acting) -> None:
    """Send headers without an end: 64 MB of them, or a hundred thousand."""

    async def bomb(number: int) -> None:
        async with connected(acting, acting.ground.address(2, 1 + number)) as client:
            client.writer.write(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n")
            part = _BOMB_PART if number % 2 else b"A: b\r\n" * 1_000
            answer = asyncio.create_task(client.answer())
            try:
                for _ in range(_BOMB_PARTS):
                    if answer.done():
                        break
                    client.writer.write(part)
                    await client.writer.drain()
                await answer
            finally:
                answer.cancel()

    await acting.each(4, bomb)


async def slow_headers(acting: Acting) -> None:
    """Send a byte every second on as many connections as an address may have, and more."""

    async def drip(number: int) -> None:
        address = acting.ground.address(3, 1 + number // 100)
        async with connected(acting, address) as client:
            line = request("GET", "/api/v1/health", None, "X-Slow: " + "x" * 200)
            answer = asyncio.create_task(client.answer())
            try:
                for position in range(len(line)):
                    if answer.done():
                        break
                    client.writer.write(line[position : position + 1])
                    await asyncio.sleep(_PAUSE_S)
                await answer
            finally:
                answer.cancel()

    await acting.each(300, drip)


async def silent_sockets(acting: Acting) -> None:
    """Hold more connections than there are, and say nothing on them."""

    async def hold(number: int) -> None:
        address = acting.ground.address(4, 1 + number % SILENT_ADDRESSES)
        async with connected(acting, address) as client:
            await client.drain_until_closed()
            acting.tally.note("closed for its silence, or for another")
            await asyncio.sleep(_PAUSE_S * acting.dice.uniform(0.5, 3))

    await acting.each(SILENT_SOCKETS, hold)


async def foreign_hosts(acting: Acting) -> None:
    """Ask as the page of another site does that has its name lead here."""

    async def ask(number: int) -> None:
        async with connected(acting, acting.ground.address(5, 1 + number)) as client:
            for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""):
                await client.ask("GET", "/api/v1/markets", None, f"Host: {host}")
                await asyncio.sleep(0.05)

    await acting.each(4, ask)


async def floods(acting: Acting) -> None:
    """Ask as much as one address can, and more: pages, junk, bodies that are too large."""
    junk = (
        ("GET", "/api/v1/markets", None),
        ("GET", "/api/v1/no/such/page", None),
        ("POST", "/api/v1/orders", {"symbol": "A"}),
        ("POST", "/api/v1/session/challenge", {"account": "nobody-there"}),
        ("POST", "/api/v1/accounts", b'{"account": ' + b"[" * 2_000),
        ("POST", "/api/v1/orders", b" " * (MAX_BODY_BYTES + 1)),
    )

    async def ask(number: int) -> None:
        async with connected(acting, acting.ground.address(6)) as client:
            for _ in range(20):
                await client.ask(*acting.dice.choice(junk))

    await acting.each(MAX_ADDRESS_CONNECTIONS + 40, ask)


async def past(acting: Acting) -> None:
    """Ask for the venue as it once was, thirty at a time, at places chosen at random."""

    async def ask(number: int) -> None:
        async with connected(acting, acting.ground.address(7, 1)) as client:
            for _ in range(10):
                at = acting.dice.randrange(1, 1_000)
                path = acting.dice.choice(("/api/v1/state", "/api/v1/markets"))
                await client.ask("GET", f"{path}?at={at}")

    await acting.each(30, ask)


async def look_back(acting: Acting) -> None:
    """Ask for the past as a few people do, one question at a time."""

    async def ask(number: int) -> None:
        async with connected(acting, acting.ground.address(7, 1 + number)) as client:
            path = acting.dice.choice(("/api/v1/state", "/api/v1/markets"))
            await client.ask("GET", f"{path}?at={acting.dice.randrange(1, 1_000)}")

    await acting.each(4, ask)


async def _few_pages(acting: Acting) -> None:
    await browse(acting, 1, 4, 4, 0.2)


async def _many_visitors(acting: Acting) -> None:
    await browse(acting, 4, SILENT_ADDRESSES, 100, 2.5)


async def _busy_visitors(acting: Acting) -> None:
    await browse(acting, 6, 1, MAX_ADDRESS_CONNECTIONS * OPEN_PERCENT // 100 - 8, 0.0)


ATTACKS: Final = (
    Attack("long paths", "1", long_paths, _few_pages),
    Attack("header bombs", "5", header_bombs, _few_pages),
    Attack("slow headers", "5", slow_headers, _many_visitors),
    Attack("silent sockets", "5", silent_sockets, _many_visitors),
    Attack("foreign hosts", "5", foreign_hosts, _few_pages),
    Attack("HTTP floods", "1, 5", floods, _busy_visitors),
    Attack("the past, asked for by one", "9", past, look_back),
)
