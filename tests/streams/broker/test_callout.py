"""Logging in on a real server."""

import asyncio

import pytest
from nats.errors import Error as NatsError

from schemas.errors import LogUnavailable
from streams.broker import callout, limits
from streams.broker.roles import inbox
from tests.streams.broker.venue import BrokerVenue, new_trader
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


async def test_a_login_ends(venue: BrokerVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOGIN_LIFE_S", 1)
    async with venue.native("alice") as alice:
        await wait_until(lambda: alice.client.is_closed)
        assert "expired" in str(alice.client.last_error).lower(), alice.errors


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
