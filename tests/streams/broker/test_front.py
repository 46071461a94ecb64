"""The front before a real server: what passes, what is cut, and where it will not listen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from schemas.errors import ConfigDrift, LogUnavailable
from streams.broker.front import Front
from streams.broker.roles import inbox
from streams.log.nats_wire import Wire
from streams.log.publishing import single
from tests.streams.broker.venue import BrokerVenue, command
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ORDER = "main.cmd.order.alice"


@asynccontextmanager
async def fronted(port: int, **bounds: Any) -> AsyncIterator[Front]:
    front = Front("127.0.0.1", port, **bounds)
    await front.start("127.0.0.1", 0)
    try:
        yield front
    finally:
        await front.close()


async def gone(writer: asyncio.StreamWriter) -> None:
    """Hang up, and wait until the socket is closed."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def test_orders_and_answers_pass_whole(venue: BrokerVenue) -> None:
    before = await venue.end()
    messages = [command(f"n{number}") for number in range(1_000)]
    answers: list[bytes] = []
    async with fronted(venue.server.port) as front:
        wire = await Wire.open(
            f"nats://127.0.0.1:{front.port}",
            name="orders",
            seed=venue.trader("alice").seed,
            inbox_prefix=inbox("alice"),
        )
        wire.subscribe(f"{wire.inbox}.b.*", lambda _s, _r, _h, payload: answers.append(payload))
        reply = f"{wire.inbox}.b".encode()
        for message in messages:
            wire.write(single(ORDER.encode(), reply + b".x", message))
        await wait_until(lambda: len(answers) == len(messages))
        assert not [answer for answer in answers if b'"seq"' not in answer]
        assert front.connections == 1
        await wire.close()
        await wait_until(lambda: front.connections == 0)
    assert await venue.stored(before) == [(ORDER, message) for message in messages]


async def test_who_does_not_read_holds_two_buffers_here_and_no_more() -> None:
    """The server's side is stopped while the stranger's is full, so the server sees it."""
    sent, closed = 0, asyncio.Event()

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                sent += 65_536
        except OSError:
            pass
        writer.transport.abort()
        closed.set()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with fronted(server.sockets[0].getsockname()[1]) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port, limit=1_024)
        previous = -1
        while sent != previous:
            previous = sent
            await asyncio.sleep(0.5)
        assert sent < 64 * 1024 * 1024, "the kernel's buffers, and not the front's"
        assert await reader.readexactly(10) == b"x" * 10
        await gone(writer)
        await asyncio.wait_for(closed.wait(), 10)
    server.close()
    await server.wait_closed()


async def test_what_is_said_before_the_server_is_there_is_kept() -> None:
    """A client that begins with TLS speaks first."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readexactly(10))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with fronted(server.sockets[0].getsockname()[1]) as front:
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", front.port)
            writer.write(b"at ")
            await asyncio.sleep(0)
            writer.write(b"once...")
            assert await asyncio.wait_for(heard.get(), 10) == b"at once..."
            await gone(writer)
    server.close()
    await server.wait_closed()


async def test_it_hangs_up_when_the_server_does(venue: BrokerVenue) -> None:
    async with fronted(venue.server.port) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        await reader.readline()
        writer.write(b"no protocol of anybody\r\n")
        assert b"-ERR" in await asyncio.wait_for(reader.read(), 10)
        await gone(writer)
        await wait_until(lambda: front.connections == 0)


async def test_without_the_server_strangers_are_hung_up_on() -> None:
    async with fronted(free_port()) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        await gone(writer)
        await wait_until(lambda: front.connections == 0)


async def test_dials_of_one_address_are_bounded_in_time(venue: BrokerVenue) -> None:
    """Whoever closes and opens again and again keeps the server no busier than that."""
    async with fronted(venue.server.port, per_address=5) as front:
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", front.port)
            await gone(writer)
        await wait_until(lambda: front.connections == 0)
        assert front.turned_away > 0
        await wait_until(lambda: lets_in(venue, front), every_s=0.1)


async def lets_in(venue: BrokerVenue, front: Front) -> bool:
    client = Client()
    try:
        await client.connect(
            f"nats://127.0.0.1:{front.port}",
            nkeys_seed_str=venue.trader("alice").seed,
            inbox_prefix=inbox("alice"),
            allow_reconnect=False,
            max_reconnect_attempts=1,
        )
    except (NatsError, OSError):
        return False
    finally:
        await client.close()
    return True


async def test_beyond_loopback_it_listens_only_before_a_server_with_tls(
    venue: BrokerVenue,
) -> None:
    front = Front("127.0.0.1", venue.server.port)
    with pytest.raises(ConfigDrift, match="only with TLS"):
        await front.start("0.0.0.0", free_port())


async def test_a_port_that_is_taken_is_said(venue: BrokerVenue) -> None:
    front = Front("127.0.0.1", venue.server.port)
    with pytest.raises(LogUnavailable, match="cannot be heard"):
        await front.start("127.0.0.1", venue.server.port)
