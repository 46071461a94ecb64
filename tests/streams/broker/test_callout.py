"""Logging in on a real server."""

import asyncio
import json
from contextlib import AsyncExitStack, suppress
from typing import Any

import nats
import pytest
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from schemas.errors import LogUnavailable
from streams.broker import callout, limits, logins
from streams.broker.jwt import issue
from streams.broker.roles import TRADERS, inbox
from tests.streams.broker.venue import SOME, BrokerVenue, Dialled, new_trader
from tests.support.waiting import wait_until

ORDER = "main.cmd.order.alice"


async def test_a_key_opens_the_door(venue: BrokerVenue) -> None:
    async with venue.native("alice") as alice:
        assert (await alice.ask(ORDER))["stream"] == "LOG_main"


async def test_a_session_token_opens_the_door(venue: BrokerVenue) -> None:
    venue.tokens["session"] = "alice"
    async with venue.dial(token="session", inbox_prefix=inbox("alice")) as alice:
        assert (await alice.ask(ORDER))["stream"] == "LOG_main"


async def test_a_key_can_name_one_of_its_accounts(venue: BrokerVenue) -> None:
    seed = venue.trader("alice").seed
    venue.traders["alice-2"] = type(venue.trader("alice"))("alice-2", seed)
    options = {"nkeys_seed_str": seed, "token": "alice-2", "inbox_prefix": inbox("alice-2")}
    async with venue.dial(**options) as second:
        assert (await second.ask("main.cmd.order.alice-2"))["stream"] == "LOG_main"
    del venue.traders["alice-2"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"token": "no session"},
        {"user": "alice", "password": "guess"},
        {"user": "gateway", "password": ""},
    ],
)
async def test_others_stay_outside(venue: BrokerVenue, options: dict[str, str]) -> None:
    with pytest.raises(NatsError, match="Authorization"):
        async with venue.dial(**options):
            pass


async def test_an_unknown_key_stays_outside(venue: BrokerVenue) -> None:
    with pytest.raises(NatsError, match="Authorization"):
        async with venue.dial(nkeys_seed_str=new_trader("stranger").seed):
            pass


@pytest.mark.parametrize("whose", ["gateway", "alice"])
async def test_a_public_key_is_not_enough(venue: BrokerVenue, whose: str) -> None:
    """Connect with somebody's public key and a signature by another."""
    trader = venue.trader("alice")
    key = venue.keyring.public["gateway"] if whose == "gateway" else trader.key
    reader, writer = await asyncio.open_connection("127.0.0.1", venue.server.port)
    await reader.readline()
    writer.write(
        b'CONNECT {"verbose":false,"lang":"x","version":"1","protocol":1,'
        b'"nkey":"%b","sig":"%b"}\r\nPING\r\n' % (key.encode(), b"A" * 86)
    )
    assert b"Authorization Violation" in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_without_a_desk_services_work_and_traders_wait_outside(broker: BrokerVenue) -> None:
    async with broker.service("replay") as replay:
        assert (await replay.ask("$JS.API.STREAM.INFO.LOG_main", b""))["config"]
        with pytest.raises((NatsError, TimeoutError)):
            async with broker.native("alice"):
                pass


async def test_two_desks_share_the_questions(venue: BrokerVenue) -> None:
    async with venue.desk():
        for _ in range(10):
            async with venue.native("alice") as alice:
                assert await alice.sync() == []


async def test_a_lookup_that_fails_costs_one_login_only(
    broker: BrokerVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def get(self, _: str) -> str | None:
            raise RuntimeError("the directory is not there yet")

    monkeypatch.setattr(broker, "tokens", Broken())
    broker.trader("alice")
    async with broker.desk():
        with pytest.raises((NatsError, TimeoutError)):
            async with broker.dial(token="anything"):
                pass
        async with broker.native("alice") as alice:
            assert await alice.sync() == []


async def test_an_account_has_so_many_connections_and_no_more(venue: BrokerVenue) -> None:
    async with AsyncExitStack() as stack:
        own = [
            await stack.enter_async_context(venue.native("carol"))
            for _ in range(limits.ACCOUNT_CONNECTIONS)
        ]
        with pytest.raises(NatsError, match="Authorization"):
            async with venue.native("carol"):
                pass
        async with venue.native("dave") as dave:
            assert await dave.sync() == []
        await own[0].client.close()

        async def left() -> bool:
            return await venue.held(TRADERS, "carol") < limits.ACCOUNT_CONNECTIONS

        await wait_until(left)
        async with venue.native("carol") as again:
            assert await again.sync() == []


async def test_logins_at_the_same_moment_share_the_connections(venue: BrokerVenue) -> None:
    async with AsyncExitStack() as stack:
        tried = await asyncio.gather(
            *(stack.enter_async_context(venue.native("carol")) for _ in range(20)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, Dialled) for one in tried) == limits.ACCOUNT_CONNECTIONS


async def test_who_comes_and_goes_quickly_is_let_in_each_time(venue: BrokerVenue) -> None:
    for _ in range(4 * limits.ACCOUNT_CONNECTIONS):
        async with venue.native("carol") as carol:
            assert await carol.sync() == []


async def test_desks_know_of_the_connections_that_others_let_in(broker: BrokerVenue) -> None:
    async with AsyncExitStack() as stack:
        async with broker.desk():
            for _ in range(limits.ACCOUNT_CONNECTIONS):
                await stack.enter_async_context(broker.native("carol"))
        async with broker.desk():
            with pytest.raises(NatsError, match="Authorization"):
                async with broker.native("carol"):
                    pass


async def test_readers_have_a_share_of_an_accounts_connections(venue: BrokerVenue) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(limits.ACCOUNT_READERS):
            await stack.enter_async_context(venue.native("carol", "feeds"))
        with pytest.raises(NatsError, match="Authorization"):
            async with venue.native("carol", "feeds.more"):
                pass
        async with venue.native("carol") as trading:
            assert await trading.sync() == []


async def test_who_only_says_a_name_takes_none_of_its_seats(venue: BrokerVenue) -> None:
    """Such a connection waits for the desk with that name, in no account of strangers."""
    writers = []
    for _ in range(2 * limits.ACCOUNT_CONNECTIONS):
        reader, writer = await asyncio.open_connection("127.0.0.1", venue.server.port)
        await reader.readline()
        writer.write(b'CONNECT {"user":"carol","protocol":1}\r\n')
        writers.append(writer)
    async with venue.native("carol") as carol:
        assert await carol.sync() == []
    for writer in writers:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def test_the_server_keeps_no_limit_that_a_login_sets(
    venue: BrokerVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why the limits stand on the accounts: should this fail, logins can have their own."""
    given: list[Any] = []

    def tight(claims: dict[str, Any], seed: str) -> str:
        if claims["nats"]["type"] == "user":
            claims = claims | {"nats": claims["nats"] | {"subs": 1, "payload": 10}}
            given.append(claims)
        return issue(claims, seed)

    monkeypatch.setattr(logins, "issue", tight)
    async with venue.native("alice") as alice:
        assert "seq" in await alice.ask(ORDER, SOME.ljust(100))
        assert await alice.hear("_INBOX_alice.a", "_INBOX_alice.b") == []
    assert given


async def test_a_login_ends(venue: BrokerVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOGIN_LIFE_S", 1)
    async with venue.native("alice") as alice:
        await wait_until(lambda: alice.client.is_closed)
        assert "expired" in str(alice.client.last_error).lower(), alice.errors


async def test_a_stock_client_outlives_its_login(
    broker: BrokerVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once was dead after an hour: what the server says of an expired login is final."""
    monkeypatch.setattr(limits, "LOGIN_LIFE_S", 4)
    monkeypatch.setattr(limits, "RENEW_AFTER_S", 1)
    monkeypatch.setattr(limits, "RENEW_LOOK_S", 0.2)
    reconnected, closed = 0, False

    async def on_reconnect() -> None:
        nonlocal reconnected
        reconnected += 1

    async def on_close() -> None:
        nonlocal closed
        closed = True

    async with broker.desk():
        stock = await nats.connect(
            broker.server.url,
            name="orders",
            nkeys_seed_str=broker.trader("alice").seed,
            inbox_prefix="_INBOX_alice",
            reconnected_cb=on_reconnect,
            closed_cb=on_close,
        )
        heard = 0

        async def listen(_message: Msg) -> None:
            nonlocal heard
            heard += 1

        await stock.subscribe("_INBOX_alice.mine", cb=listen)
        await wait_until(lambda: reconnected == 2)
        assert not closed
        answer = await stock.request(ORDER, SOME, timeout=5)
        assert "seq" in json.loads(answer.data)
        await stock.publish(ORDER, SOME, reply="_INBOX_alice.mine")
        await wait_until(lambda: heard)
        await stock.close()


async def test_old_logins_are_ended_a_few_at_a_time(
    broker: BrokerVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RENEW_LOOK_S", 3_600)
    monkeypatch.setattr(limits, "RENEWALS_AT_ONCE", 2)
    async with broker.door(), AsyncExitStack() as stack:
        for account in ("alice", "bob", "carol"):
            await stack.enter_async_context(broker.native(account))
        held = [("alice", 1), ("bob", 1), ("carol", 1)]
        desk = broker.desks[-1]
        await desk._renew(TRADERS)
        assert [(name, await broker.held(TRADERS, name)) for name, _ in held] == held
        monkeypatch.setattr(limits, "RENEW_AFTER_S", -1)
        await desk._renew(TRADERS)

        async def left() -> bool:
            return [await broker.held(TRADERS, name) for name, _ in held] == [0, 0, 1]

        await wait_until(left)


async def test_junk_at_the_door_is_survived(venue: BrokerVenue) -> None:
    async def shove(data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", venue.server.port)
        await reader.readline()
        writer.write(data)
        answer = await asyncio.wait_for(reader.read(200), limits.LOGIN_TIMEOUT_S + 1)
        writer.close()
        return answer

    for data in (
        b'CONNECT {"nkey":"%b","sig":"x"}\r\nPING\r\n' % (b"\xc3\xa9" * 30),
        b'CONNECT {"auth_token":"%b"}\r\nPING\r\n' % (b"t" * 3_000),
        b'CONNECT {"user":"*.>","pass":"\\u0000"}\r\nPING\r\n',
        b'CONNECT {"jwt":"eyJ.eyJ.x","sig":"x"}\r\nPING\r\n',
        b"CONNECT {}\r\nPING\r\n",
    ):
        assert b"-ERR" in await shove(data)
    async with venue.native("alice") as alice:
        assert await alice.sync() == []


async def test_the_desk_says_so_when_its_key_is_not_the_doors(broker: BrokerVenue) -> None:
    with pytest.raises(LogUnavailable):
        seed = new_trader("x").seed
        await callout.start(broker.server.url, seed, broker.logins())


async def test_the_desk_comes_back_with_the_server(venue: BrokerVenue) -> None:
    await venue.server.kill9()
    await venue.server.start()

    async def reached() -> bool:
        try:
            async with venue.native("alice") as alice:
                return bool((await alice.ask(ORDER))["seq"])
        except (NatsError, TimeoutError, OSError):
            return False

    for _ in range(20):
        if await reached():
            return
    pytest.fail("no login within the bound")
