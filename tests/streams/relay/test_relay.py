"""The relay between real clients and a real log."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from schemas import policy
from schemas.codec import encode
from schemas.commands import CancelAll, Order, PlaceOrder, PlaceOrders
from schemas.policy import Policy, QuotasPolicy
from streams.accounts.directory import Directory
from streams.broker import roles
from streams.log.nats_wire import Wire
from streams.log.publishing import single
from streams.relay import relay as module
from streams.relay.limits import TOLD_REFUSALS_BURST, TOLD_REFUSALS_PER_S
from tests.streams.broker.venue import SOME, BrokerVenue, command
from tests.support.waiting import wait_until

ORDER = "main.cmd.order.alice"
NO_RELAY = "no responders"
POOR = QuotasPolicy()
ORDERS = [Order(client_order_id="a", symbol="S", side="buy", quantity_lots=1, price_ticks=1)]
COMMANDS = (
    PlaceOrder(
        client_order_id="a",
        client_time_ns=0,
        symbol="S",
        side="buy",
        quantity_lots=1,
        price_ticks=1,
    ),
    PlaceOrders(client_time_ns=0, orders=ORDERS),
    CancelAll(client_id="a", client_time_ns=0),
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerVenue]:
    venue = BrokerVenue(tmp_path_factory.mktemp("broker"))
    asyncio.run(venue.start())
    try:
        yield venue
    finally:
        asyncio.run(venue.server.kill9())


@pytest_asyncio.fixture
async def venue(broker: BrokerVenue) -> AsyncIterator[BrokerVenue]:
    async with broker.door():
        yield broker


class Many:
    """A client that sends without waiting, and counts its answers."""

    def __init__(self, wire: Wire, account: str) -> None:
        self.wire = wire
        self.subject = f"main.cmd.order.{account}"
        self.answers: list[dict[str, object]] = []

    def send(self, *payloads: bytes) -> None:
        self.wire.write(
            b"".join(
                single(self.subject.encode(), self.wire.expect(self.subject, self._heard), one)
                for one in payloads
            )
        )

    def _heard(self, _header: bytes, payload: bytes) -> None:
        # without a relay the server answers by a status alone
        self.answers.append(json.loads(payload) if payload else {"code": NO_RELAY})

    def told(self, key: str) -> list[object]:
        return [answer[key] for answer in self.answers if key in answer]

    async def heard(self, count: int) -> None:
        await wait_until(lambda: len(self.answers) >= count, what=f"{count} answers")


@pytest_asyncio.fixture
async def alice(venue: BrokerVenue) -> AsyncIterator[Many]:
    async with Wire.opened(
        venue.server.url,
        name="orders",
        seed=venue.trader("alice").seed,
        inbox_prefix=roles.inbox("alice"),
    ) as wire:
        yield Many(wire, "alice")


def bounded(quotas: QuotasPolicy) -> Directory:
    """Return what a door knows of a venue whose policy has quotas."""
    directory = Directory()
    directory.policy = Policy(name="bounded", exchange=policy.SEED_PLAN.exchange, quotas=quotas)
    return directory


@pytest.mark.parametrize("asked", COMMANDS, ids=lambda asked: type(asked).__name__)
async def test_a_command_stands_on_the_log_as_it_was_sent(
    venue: BrokerVenue, asked: PlaceOrder | PlaceOrders | CancelAll
) -> None:
    """With its white space: nothing is encoded again."""
    payload = json.dumps(json.loads(encode(asked)), indent=1).encode()
    before = await venue.end()
    async with venue.relay(), venue.native("alice") as alice:
        answer = await alice.ask(ORDER, payload)
    assert answer == {"stream": "LOG_main", "seq": before + 1, "shard": "main"}
    assert await venue.stored(before) == [(ORDER, payload)]


async def test_many_at_once_keep_their_order(venue: BrokerVenue, alice: Many) -> None:
    before, payloads = await venue.end(), [command(f"n{number}") for number in range(700)]
    async with venue.relay() as relay:
        alice.send(*payloads)
        await alice.heard(len(payloads))
        assert relay.status["appended"] == len(payloads)
    assert alice.told("seq") == [*range(before + 1, before + 701)]
    assert await venue.stored(before) == [(ORDER, payload) for payload in payloads]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "malformed"),
        (b"x", "malformed"),
        (b"\xff", "malformed"),
        (b'{"type":"cancel_all/1"}', "malformed"),
        (b'{"type":"cancel_all/1","client_id":"a","client_time_ns":"0"}', "malformed"),
        (b'{"type":"open_account/1"}', "unknown_message"),
        (b'{"type":"record/1"}', "unknown_message"),
        (b'{"type":"place_order/99"}', "unknown_message"),
    ],
)
async def test_what_is_no_command_never_reaches_the_log(
    venue: BrokerVenue, payload: bytes, code: str
) -> None:
    before = await venue.end()
    async with venue.relay(), venue.native("alice") as alice:
        assert (await alice.ask(ORDER, payload))["code"] == code
    assert await venue.end() == before


async def test_quotas_hold_at_the_native_door(venue: BrokerVenue, alice: Many) -> None:
    """As at the HTTP one: what is refused costs the log nothing."""
    before = await venue.end()
    async with venue.relay(bounded(POOR)):
        alice.send(*[command(f"n{number}") for number in range(200)])
        await alice.heard(200)
    let_in = len(alice.told("seq"))
    newcomer = POOR.of_newcomer("alice")
    assert newcomer.command_burst <= let_in < newcomer.command_burst + 10
    assert alice.told("code") == ["command_quota"] * (200 - let_in)
    assert set(alice.told("retry_after_s")) == {1}
    assert await venue.end() == before + let_in


async def test_refusals_without_end_are_not_all_told(venue: BrokerVenue, alice: Many) -> None:
    before, sent = await venue.end(), TOLD_REFUSALS_BURST + 3_000
    async with venue.relay() as relay:
        alice.send(*[b"junk"] * sent)
        await wait_until(lambda: relay.status["refused"] == sent)
        alice.send(SOME)
        await wait_until(lambda: alice.told("seq"))
    assert (
        TOLD_REFUSALS_BURST
        <= len(alice.told("code"))
        < TOLD_REFUSALS_BURST + 5 * TOLD_REFUSALS_PER_S
    )
    assert await venue.end() == before + 1


async def test_what_waited_too_long_is_not_carried_out(
    venue: BrokerVenue, alice: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD_S", 0)
    before = await venue.end()
    async with venue.relay():
        alice.send(*[command(f"n{number}") for number in range(50)])
        await alice.heard(50)
    assert alice.told("code") == ["busy"] * 50
    assert await venue.end() == before


async def test_a_relay_that_ends_leaves_nobody_in_doubt(venue: BrokerVenue, alice: Many) -> None:
    """What it has heard it carries out; what it has not is told so by the server, or never sent."""
    before = await venue.end()
    async with venue.relay() as relay:
        alice.send(*[command(f"n{number}") for number in range(500)])
        await wait_until(lambda: relay.status["appended"] > 0)
    await alice.heard(500)
    assert len(alice.told("seq")) == await venue.end() - before
    assert set(alice.told("code")) <= {NO_RELAY}
    assert relay.status["waiting"] == 0


async def test_without_a_relay_the_server_says_so_at_once(venue: BrokerVenue) -> None:
    async with venue.native("alice") as alice:
        with pytest.raises(NoRespondersError):
            await alice.ask(ORDER)


async def test_two_relays_never_carry_out_a_command_twice(venue: BrokerVenue, alice: Many) -> None:
    """As when one takes over from the other."""
    before = await venue.end()
    async with venue.relay() as first, venue.relay() as second:
        alice.send(*[command(f"n{number}") for number in range(400)])
        await alice.heard(400)
        assert first.status["appended"] + second.status["appended"] == 400
    assert await venue.end() == before + 400


async def test_it_hears_again_after_the_server_was_killed(tmp_path: Path) -> None:
    venue = BrokerVenue(tmp_path)
    await venue.start()
    try:
        async with venue.door(), venue.relay() as relay:
            async with venue.native("alice") as alice:
                assert "seq" in await alice.ask(ORDER)
            await venue.server.kill9()
            await wait_until(lambda: not relay.is_heard)
            await venue.server.start()
            await wait_until(lambda: relay.is_heard)

            async def answered() -> bool:
                """The desk may take longer to come back than the relay."""
                with suppress(NatsError, TimeoutError, OSError):
                    async with venue.native("alice") as alice:
                        return bool((await alice.ask(ORDER))["seq"] == 2)
                return False

            await wait_until(answered)
    finally:
        await venue.server.kill9()
