"""What a used nonce is: the same for the simulated broker and the real one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from schemas.errors import AppendUnknown, Busy, LogUnavailable
from schemas.subjects import DEFAULT_SHARD, nonces_stream
from streams.accounts.nonces import NatsNonces, Nonces
from streams.log.clock import SystemClock
from streams.log.nats_client import connect
from streams.log.streams import nonces_spec
from tests.simulated.nonces import SimulatedNonces
from tests.support.nats import TestServer

LIFE_S = 60
Gateway = Callable[[], Awaitable[Nonces]]
"""Begins one more gateway of the venue, and gives its nonces."""


@pytest.fixture(params=["simulated", "real"])
async def gateway(request: pytest.FixtureRequest, living: TestServer) -> AsyncIterator[Gateway]:
    clients = []
    if request.param == "simulated":
        simulated = SimulatedNonces(SystemClock())

        async def begin() -> Nonces:
            return simulated
    else:
        await living.renew()

        async def begin() -> Nonces:
            client = await connect(living.url, name="gateway")
            clients.append(client)
            return NatsNonces(client, DEFAULT_SHARD)

    yield begin
    for client in clients:
        await client.close()


async def test_once_for_all_gateways(gateway: Gateway) -> None:
    first, second = await gateway(), await gateway()
    assert await first.use("challenge", "a", LIFE_S)
    assert not await first.use("challenge", "a", LIFE_S)
    assert not await second.use("challenge", "a", LIFE_S)
    assert await second.use("challenge", "b", LIFE_S)
    assert not await (await gateway()).use("challenge", "b", LIFE_S), "also for one begun later"


async def test_of_many_at_once_one_is_the_first(gateway: Gateway) -> None:
    gateways = [await gateway() for _ in range(4)]
    tries = [one.use("service", "a", LIFE_S) for one in gateways for _ in range(8)]
    assert sorted(await asyncio.gather(*tries)) == [False] * 31 + [True]


async def test_kinds_do_not_meet(gateway: Gateway) -> None:
    nonces = await gateway()
    assert await nonces.use("challenge", "a", LIFE_S)
    assert await nonces.use("service", "a", LIFE_S)


async def test_it_is_forgotten_when_its_life_is_over(gateway: Gateway) -> None:
    nonces = await gateway()
    assert await nonces.use("challenge", "a", 1)
    assert await nonces.use("challenge", "long", LIFE_S)
    async with asyncio.timeout(20):
        while not await nonces.use("challenge", "a", LIFE_S):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert not await nonces.use("challenge", "long", LIFE_S)


@pytest.mark.parametrize("nonce", ["", "a.b", "*", ">", "a\r\nPUB x", "\u00e9" * 100, "x" * 5_000])
async def test_whatever_it_is_made_of(gateway: Gateway, nonce: str) -> None:
    nonces = await gateway()
    assert await nonces.use("service", nonce, LIFE_S)
    assert not await nonces.use("service", nonce, LIFE_S)
    assert await nonces.use("service", f"{nonce} ", LIFE_S)


async def test_a_killed_broker_remembers(living: TestServer) -> None:
    await living.renew()
    client = await connect(living.url, name="gateway", reconnect_every_s=0.05)
    nonces = NatsNonces(client, DEFAULT_SHARD)
    assert await nonces.use("challenge", "a", LIFE_S)
    await living.kill9()
    # one that was under way when the server died has no answer
    with pytest.raises((LogUnavailable, AppendUnknown)):
        while True:
            await nonces.use("challenge", "b", LIFE_S)
            await asyncio.sleep(0.01)
    await living.start()
    async with asyncio.timeout(20):
        while not client.is_connected:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert not await nonces.use("challenge", "a", LIFE_S)
    await client.close()


async def test_a_full_bucket_lets_nobody_in(living: TestServer) -> None:
    """It takes no new nonce and forgets no old one."""
    await living.renew()
    name = nonces_stream(DEFAULT_SHARD)
    wire = await living.wire()
    await wire.request(f"$JS.API.STREAM.DELETE.{name}")
    config = nonces_spec(DEFAULT_SHARD).config() | {"max_bytes": 4_096}
    await wire.request(f"$JS.API.STREAM.CREATE.{name}", msgspec.json.encode(config))
    await wire.close()
    client = await connect(living.url, name="gateway")
    nonces = NatsNonces(client, DEFAULT_SHARD)
    used = 0
    with pytest.raises(Busy):
        while used < 1_000:
            assert await nonces.use("challenge", str(used), LIFE_S)
            used += 1
    assert 5 < used < 100
    assert [await nonces.use("challenge", str(one), LIFE_S) for one in range(used)] == [
        False
    ] * used
    await client.close()


async def test_a_venue_without_the_bucket_lets_nobody_in(living: TestServer) -> None:
    await living.renew()
    wire = await living.wire()
    await wire.request(f"$JS.API.STREAM.DELETE.{nonces_stream(DEFAULT_SHARD)}")
    await wire.close()
    client = await connect(living.url, name="gateway")
    with pytest.raises(LogUnavailable):
        await NatsNonces(client, DEFAULT_SHARD).use("challenge", "a", LIFE_S)
    await client.close()
