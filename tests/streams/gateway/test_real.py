"""The door as it is served: uvicorn, TCP, and a real nats-server that is killed."""

import asyncio
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
import uvicorn
from fastapi import APIRouter

from engines.exchange.engine import ExchangeEngine
from engines.governance.engine import GovernanceEngine
from schemas.errors import EverythingError
from schemas.events.exchange import OrderPlaced, OrderRejected
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from schemas.units import SECOND_NS
from streams.accounts.nonces import NatsNonces
from streams.gateway.app import create_app, server_config
from streams.gateway.context import GatewayContext
from streams.host.host import EngineHost
from streams.log.appender import Appender
from streams.log.clock import SystemClock
from streams.log.nats_client import connect
from streams.log.ports import Log
from tests.streams.gateway.house import SYMBOL, UNBOUNDED, House, SetClock
from tests.support.nats import TestServer, nats_server
from tests.support.waiting import wait_until

Lifespan = Literal["on", "off"]


class RealClock(SetClock):
    def now_ns(self) -> int:
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def served(
    context: GatewayContext,
    routers: Sequence[APIRouter] = (),
    *,
    lifespan: Lifespan = "on",
    **options: Any,
) -> AsyncIterator[str]:
    """Serve the door on a free loopback port and give its address.

    `lifespan` is off for a door whose tail runs already; `options` are `server_config`'s.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        app = create_app(context, routers)
        config = server_config(app, "127.0.0.1", port, **options)
        config.lifespan = lifespan
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await wait_until(lambda: server.started, what="uvicorn has started")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def real_house(folder: Path) -> AsyncIterator[tuple[House, TestServer]]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(nats_server(folder))
        stop = asyncio.Event()
        for engine in (GovernanceEngine(), ExchangeEngine()):
            log = await server.connect(engine.name)
            stack.push_async_callback(log.close)
            host: EngineHost[Any] = EngineHost(engine, log, SystemClock(), writer=engine.name)
            task = asyncio.create_task(host.run(stop))
            stack.push_async_callback(asyncio.wait_for, task, 30)
        stack.callback(stop.set)
        log = await server.connect("gateway")
        stack.push_async_callback(log.close)
        plain = await connect(server.url, name="gateway")
        stack.push_async_callback(plain.close)
        halts: list[EverythingError] = []
        appender = Appender(log)
        stack.push_async_callback(appender.close)
        context = GatewayContext(
            log,
            appender,
            SystemClock(),
            secrets.token_bytes(32),
            halts.append,
            nonces=NatsNonces(plain, log.shard),
            sign_up_bounds=UNBOUNDED,
        )
        url = await stack.enter_async_context(served(context))
        # fewer than one address may have at once
        few = httpx.Limits(max_connections=40)
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, timeout=30, limits=few)
        )
        house = House(context, client, RealClock())
        house.halts = halts
        await wait_until(lambda: context.tail.caught_up, what="the door has caught up")
        yield house, server


def order(client_order_id: str) -> dict[str, Any]:
    return {
        "client_order_id": client_order_id,
        "symbol": SYMBOL,
        "side": "buy",
        "quantity": 1,
        "price": "0.01",
        "client_time_ns": str(time.time_ns()),
    }


async def everything(log: Log) -> list[Stored]:
    last = await log.last_sequence()
    reader = await log.open_reader([f"{log.shard}.>"], 0)
    found: list[Stored] = []
    try:
        while not found or found[-1].sequence < last:
            found += await reader.poll(1_000, 1)
    finally:
        await reader.close()
    return found


def check_accounting(messages: list[Stored], acked: dict[str, int]) -> None:
    """Each acknowledged order is on the log, every command has one outcome, none ran twice."""
    by_sequence = {message.sequence: message for message in messages}
    placed: Counter[str] = Counter()
    judged: Counter[int] = Counter()
    for message in messages:
        if message.subject != "main.evt.exchange":
            continue
        for event in EVENT_MESSAGES.decode(message.payload).events:
            if isinstance(event, OrderPlaced | OrderRejected):
                judged[event.cause] += 1
                placed[event.client_order_id] += isinstance(event, OrderPlaced)
    for client_order_id, sequence in acked.items():
        stored = by_sequence[sequence]
        assert stored.subject == "main.cmd.order.alice"
        assert f'"{client_order_id}"'.encode() in stored.payload
        assert placed[client_order_id] == 1
        assert judged[sequence] == 1
    commands = [m.sequence for m in messages if ".cmd.order." in m.subject]
    assert {judged[sequence] for sequence in commands} == {1}


async def test_orders_over_tcp_onto_a_real_log(tmp_path: Path) -> None:
    async with real_house(tmp_path) as (house, _):
        await house.open_for_trade()
        alice = await house.trader("alice")

        async def place(n: int) -> tuple[str, int]:
            wait = {"wait": "outcome"} if n % 2 else {}
            answer = await house.post("/orders", order(f"a-{n}"), headers=alice, params=wait)
            assert answer.status_code == (200 if n % 2 else 202), answer.text
            return f"a-{n}", answer.json()["sequence"]

        acked = dict(await asyncio.gather(*(place(n) for n in range(300))))
        await house.post("/orders", order("last"), headers=alice, params={"wait": "outcome"})
        assert len(set(acked.values())) == 300
        check_accounting(await everything(house.context.log), acked)
        oversized = b" " * 300_000
        headers = {"content-type": "application/json"}
        answer = await house.client.post("/api/v1/orders", content=oversized, headers=headers)
        assert answer.status_code == 413
        assert house.halts == []


@pytest.mark.slow
async def test_the_server_is_killed_under_load_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    async with real_house(tmp_path) as (house, server):
        await house.open_for_trade()
        alice = await house.trader("alice")
        acked: dict[str, int] = {}
        failed: Counter[str] = Counter()
        stop = asyncio.Event()

        async def trade(worker: int) -> None:
            n = 0
            while not stop.is_set():
                n += 1
                await _insist(house, order(f"{worker}-{n}"), alice, acked, failed)

        workers = [asyncio.create_task(trade(worker)) for worker in range(20)]
        try:
            for _ in range(3):
                await _progress(acked)
                await server.kill9()
                await server.start()
            await _progress(acked)
        finally:
            stop.set()
            done = await asyncio.gather(*workers, return_exceptions=True)
        assert [failure for failure in done if failure is not None] == []
        assert failed, "the kills were not noticed"
        assert house.halts == []
        check_accounting(await everything(house.context.log), acked)


async def _progress(acked: dict[str, int]) -> None:
    goal = len(acked) + 200
    await wait_until(lambda: len(acked) > goal, what="orders pass")


async def _insist(
    house: House,
    body: dict[str, Any],
    headers: dict[str, str],
    acked: dict[str, int],
    failed: Counter[str],
) -> None:
    """Repeat one order, its id and time unchanged, until the door has an outcome for it."""
    end_ns = time.time_ns() + 60 * SECOND_NS
    while time.time_ns() < end_ns:
        answer = await house.post("/orders", body, headers=headers, params={"wait": "outcome"})
        if answer.status_code == 200:
            assert answer.json()["status"] in ("placed", "duplicate"), answer.text
            acked[body["client_order_id"]] = answer.json()["sequence"]
            return
        if answer.status_code != 202:
            assert answer.status_code == 503, answer.text
            failed[answer.json()["error"]["code"]] += 1
            await asyncio.sleep(0.05)
    raise AssertionError(f"no outcome for {body}")


async def test_a_proof_is_good_once_at_all_gateways_and_after_a_restart(tmp_path: Path) -> None:
    """Two gateways of one venue, and one that begins after both: all over TCP."""
    async with real_house(tmp_path) as (house, server):
        await house.open_for_trade()
        await house.open_account("alice")
        proof = await house.proof("alice")
        assert (await house.post("/session", proof)).status_code == 200
        fresh = await house.proof("alice")
        async with second_gateway(house, server) as client:
            replayed = await client.post("/api/v1/session", json=proof)
            assert replayed.status_code == 401
            assert replayed.json()["error"]["code"] == "challenge_used"
            assert (await client.post("/api/v1/session", json=fresh)).status_code == 200
        assert (await house.post("/session", fresh)).status_code == 401
        async with second_gateway(house, server) as client:
            for used in (proof, fresh):
                assert (await client.post("/api/v1/session", json=used)).status_code == 401


@asynccontextmanager
async def second_gateway(house: House, server: TestServer) -> AsyncIterator[httpx.AsyncClient]:
    """Run one more gateway with the venue's secret."""
    async with AsyncExitStack() as stack:
        log = await server.connect("gateway-2")
        stack.push_async_callback(log.close)
        plain = await connect(server.url, name="gateway-2")
        stack.push_async_callback(plain.close)
        context = GatewayContext(
            log,
            Appender(log),
            SystemClock(),
            house.context.session_secret,
            house.halts.append,
            nonces=NatsNonces(plain, log.shard),
        )
        url = await stack.enter_async_context(served(context))
        # fewer than one address may have at once
        few = httpx.Limits(max_connections=40)
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, timeout=30, limits=few)
        )
        await wait_until(lambda: context.tail.caught_up, what="the gateway has caught up")
        yield client
