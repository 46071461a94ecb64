"""Attacks 2, 6 and 7 of the list: what free accounts, and sockets of nobody, do natively."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from schemas import subjects
from schemas.codec import encode
from schemas.commands import Order, PlaceOrder, PlaceOrders
from streams.broker.limits import (
    CONNECTIONS_PER_ADDRESS,
    MAX_NATIVE_BYTES,
    READER_SUBSCRIPTIONS,
)
from streams.broker.logins import FEEDS
from tests.siege.ground import HOST, Acting, Attack, Login, Refused
from tests.support import native

ROOT: Final = Path(__file__).parents[2]
JUNK_PER_S: Final = 400
"""Junk orders a second, of which the relay lets through what the quota of the account allows."""
OPEN_BATCHES_PER_S: Final = 150
"""Batches begun a second, none of which reaches the log."""
_HOLD_S: Final = 20
_AUDIT_PAUSE_S: Final = 1


@asynccontextmanager
async def dialled(
    acting: Acting, login: Login, name: str, network: int, host: int = 1
) -> AsyncIterator[native.Raw]:
    """Give a native connection of an account by the front. Raises Refused."""
    address = acting.ground.address(network, host)
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(
                native.raw(acting.ground.front_port, login.seed, name, address=address)
            )
        except ConnectionError as error:
            raise Refused(f"login: {error}") from error
        acting.tally.note(f"let in: {name}")
        yield connection


def order(acting: Acting, login: Login, *, junk: bool) -> bytes:
    """Return an order; if it is `junk`, one of the kinds that are refused, or no order at all."""
    if junk and acting.dice.random() < 0.5:
        return os.urandom(200)
    return encode(PlaceOrder(client_time_ns=time.time_ns(), **_drawn(acting)))


def pair(acting: Acting) -> bytes:
    """Return two orders in one command."""
    two = [Order(**_drawn(acting)) for _ in range(2)]
    return encode(PlaceOrders(client_time_ns=time.time_ns(), orders=two))


def _drawn(acting: Acting) -> dict[str, Any]:
    return {
        "client_order_id": f"{time.time_ns():x}-{acting.dice.randrange(1_000)}",
        "symbol": acting.dice.choice(acting.ground.symbols),
        "side": "buy" if acting.dice.random() < 0.5 else "sell",
        "quantity_lots": acting.dice.randint(1, 20),
        "price_ticks": acting.dice.randint(1_000, 9_000),
        "time_in_force": "ioc",
    }


def published(login: Login, payload: bytes, *header: bytes) -> bytes:
    """Return the line, without its end, that publishes an order command."""
    subject = subjects.order_command(subjects.DEFAULT_SHARD, login.account).encode()
    if not header:
        return b"PUB %b %d\r\n%b" % (subject, len(payload), payload)
    head = b"\r\n".join((b"NATS/1.0", *header, b"", b""))
    sizes = (len(head), len(head) + len(payload))
    return b"HPUB %b %d %d\r\n%b%b" % (subject, *sizes, head, payload)


async def _send_orders(acting: Acting, logins: list[Login], *, junk: bool) -> None:
    async def send(number: int) -> None:
        login = logins[number]
        async with dialled(acting, login, "orders", 20 + number) as connection:
            for _ in range(500):
                await connection.said(published(login, order(acting, login, junk=junk)))
                acting.tally.note("orders that the door took")
                await asyncio.sleep(len(logins) / JUNK_PER_S)

    await acting.each(len(logins), send)


async def junk_orders(acting: Acting) -> None:
    """Send what is surely refused, from four accounts that never had a credit."""
    await _send_orders(acting, acting.ground.free[:4], junk=True)


async def honest_orders(acting: Acting) -> None:
    """Send as many orders that can trade."""
    await _send_orders(acting, acting.ground.funded[:4], junk=False)


async def oversize(acting: Acting) -> None:
    """Send messages that are larger than a hundred orders can be, with headers and without."""

    async def send(number: int) -> None:
        login = acting.ground.free[4]
        async with dialled(acting, login, "orders", 24, 1 + number) as connection:
            large = b"x" * (MAX_NATIVE_BYTES + 1)
            header = () if number else (b"Junk: " + large,)
            complaint = ""
            try:
                complaint = await connection.said(
                    published(login, b"" if header else large, *header)
                )
            except OSError as error:
                complaint = str(error)
            acting.tally.note(f"oversize: {complaint.strip() or 'hung up'}")
            await asyncio.sleep(0.5)

    await acting.each(2, send)


async def few_orders(acting: Acting) -> None:
    """Send an order now and then, on connections that are kept."""

    async def send(number: int) -> None:
        login = acting.ground.funded[4]
        async with dialled(acting, login, "orders", 24, 1 + number) as connection:
            for _ in range(500):
                await connection.said(published(login, order(acting, login, junk=False)))
                await asyncio.sleep(0.5)

    await acting.each(2, send)


async def _follow(acting: Acting, logins: list[Login], times: int, subscriptions: int) -> None:
    """Hold `times` connections for orders and as many for feeds, of each account."""

    async def hold(number: int) -> None:
        login = logins[number % len(logins)]
        name = "orders" if (number // len(logins)) % 2 else FEEDS
        async with dialled(acting, login, name, 30 + number % len(logins)) as connection:
            for sid in range(subscriptions):
                subject = "feed.main.market.>" if name == FEEDS else f"_INBOX_{login.account}.{sid}"
                complaint = await connection.said(f"SUB {subject} {sid}")
                acting.tally.note(complaint.strip() or f"subscribed: {name}")
            end = time.monotonic() + _HOLD_S
            while time.monotonic() < end:
                await connection.said("PONG")
                await asyncio.sleep(1)

    await acting.each(2 * times * len(logins), hold)


async def many_connections(acting: Acting) -> None:
    """Connect ten times for orders and ten for feeds, with 40 subscriptions on each."""
    await _follow(acting, acting.ground.free[5:8], 10, 40)


async def followers(acting: Acting) -> None:
    """Connect once for orders and once for feeds, with as many subscriptions as there may be."""
    await _follow(acting, acting.ground.funded[5:8], 1, 4)


async def silent_natives(acting: Acting) -> None:
    """Hold sockets that never log in, from four addresses, and dial again when cut off."""

    async def hold(number: int) -> None:
        address = acting.ground.address(40, 1 + number % 4)
        reader, writer = await asyncio.open_connection(
            HOST, acting.ground.front_port, local_addr=(address, 0)
        )
        try:
            greeted = await reader.readline()
            acting.tally.note("greeted" if greeted else "turned away")
            while await reader.read(4_096):
                pass
        finally:
            writer.transport.abort()
        acting.tally.note("cut off" if greeted else "hung up")
        await asyncio.sleep(1)

    await acting.each(4 * CONNECTIONS_PER_ADDRESS + 200, hold)


async def open_batches(acting: Acting) -> None:
    """Begin atomic batches, and commit none of them."""
    login = acting.ground.free[8]

    async def begin(_number: int) -> None:
        async with dialled(acting, login, "orders", 41) as connection:
            for _ in range(1_000):
                name = os.urandom(8).hex().encode()
                head = (b"Nats-Batch-Id: " + name, b"Nats-Batch-Sequence: 1")
                complaint = await connection.said(published(login, b"x", *head))
                acting.tally.note(complaint.strip() or "batches left open")
                await asyncio.sleep(1 / OPEN_BATCHES_PER_S)

    await acting.each(1, begin)


async def pairs_of_orders(acting: Acting) -> None:
    """Send as many pairs of orders, each pair in one command."""
    login = acting.ground.funded[8]

    async def send(_number: int) -> None:
        async with dialled(acting, login, "orders", 41) as connection:
            for _ in range(1_000):
                await connection.said(published(login, pair(acting)))
                acting.tally.note("pairs of orders")
                await asyncio.sleep(1 / OPEN_BATCHES_PER_S)

    await acting.each(1, send)


async def _listen(acting: Acting, login: Login, *, deaf: bool) -> None:
    async def listen(number: int) -> None:
        async with dialled(acting, login, FEEDS, 42, 1 + number) as connection:
            for sid in range(READER_SUBSCRIPTIONS):
                await connection.said(f"SUB feed.main.market.> {sid}")
            if deaf:
                connection.stop_reading()
                await asyncio.sleep(_HOLD_S)
                acting.tally.note("did not read")
            else:
                end = time.monotonic() + _HOLD_S
                while time.monotonic() < end:
                    await connection.said("PONG")
                    await asyncio.sleep(0.2)

    await acting.each(2, listen)


async def deaf_readers(acting: Acting) -> None:
    """Follow every market ten times on each connection, and read none of it."""
    await _listen(acting, acting.ground.free[9], deaf=True)


async def readers(acting: Acting) -> None:
    """Follow every market as often, and read it."""
    await _listen(acting, acting.ground.funded[9], deaf=False)


async def forged_headers(acting: Acting) -> None:
    """Send orders whose headers say what only the server says."""
    login = acting.ground.free[10]
    forged = ((b"Status: 503",), (b"Nats-Sequence: 1", b"Nats-Subject: main.evt.notary"))

    async def send(_number: int) -> None:
        async with dialled(acting, login, "orders", 43) as connection:
            for _ in range(100):
                header = acting.dice.choice(forged)
                await connection.said(published(login, b"x", *header))
                acting.tally.note("orders with a forged header")
                await asyncio.sleep(2)

    await acting.each(1, send)


async def audit(acting: Acting) -> None:
    """Check the whole log by the auditor's example, again and again, as anyone may."""
    while True:
        acting.tally.note("audits begun")
        acting.tally.note(await audited(acting.ground.home, acting.ground.server_port))
        await asyncio.sleep(_AUDIT_PAUSE_S)


async def audited(home: str, port: int) -> str:
    """Have the example check the log once; return what came of it."""
    command = (sys.executable, str(ROOT / "examples" / "read_log.py"), "--check")
    where = ("--home", home, "--server", f"nats://{HOST}:{port}")
    check = await asyncio.create_subprocess_exec(
        *command, *where, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await check.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            check.kill()
        await check.wait()
        raise
    if check.returncode == 0:
        return "audits that found all well"
    return f"AUDIT FAILED: {said.decode()[-200:]}"


ATTACKS: Final = (
    Attack("junk orders of free accounts", "2", junk_orders, honest_orders),
    Attack("payloads too large", "2", oversize, few_orders),
    Attack("connections and subscriptions", "6", many_connections, followers),
    Attack("sockets before login", "6", silent_natives, followers),
    Attack("batches left open", "6", open_batches, pairs_of_orders),
    Attack("readers that do not read", "6", deaf_readers, readers),
    Attack("forged headers", "7", forged_headers, few_orders),
    Attack("an auditor meanwhile", "7", audit, audit),
)
