"""Accounts that send without end, against a venue whose policy states quotas."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from schemas import decisions
from schemas.errors import StoreUnavailable, TooManyFeeds
from schemas.limits import MAX_COMMAND_BYTES
from schemas.policy import ExchangePolicy, Policy, Quota, QuotasPolicy
from schemas.units import SECOND_NS
from streams.accounts import quotas as module
from streams.accounts.errors import TooManyOpenOrders
from streams.accounts.quotas import Quotas
from tests.streams.gateway.house import GRANTING, SYMBOL, House, open_house
from tests.support.waiting import wait_until

QUOTAS = QuotasPolicy(makers=("maker",))
BOUNDED = msgspec.structs.replace(GRANTING, quotas=QUOTAS)
POOR = Policy(name="poor", exchange=ExchangePolicy(signup_grant_cents=0), quotas=QUOTAS)


def order(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "client_order_id": f"o-{number}",
        "symbol": SYMBOL,
        "side": "buy",
        "quantity": 1,
        "price": "0.01",
    } | fields


async def founded(house: House, policy: Policy) -> House:
    assert (await house.found(policy)).status_code == 200
    assert (await house.act(house.listing())).status_code == 200
    return house


@pytest.fixture
async def bounded() -> AsyncIterator[House]:
    async with open_house() as house:
        yield await founded(house, BOUNDED)


@pytest.fixture
async def poor() -> AsyncIterator[House]:
    """A venue that gives nobody a credit at sign-up."""
    async with open_house() as house:
        yield await founded(house, POOR)


async def flood(
    house: House, headers: dict[str, str], bodies: list[Any], path: str = "/orders"
) -> Counter[tuple[int, str]]:
    """Send all of it one after the other, as fast as it goes; the gateway's clock stands."""
    answers = Counter[tuple[int, str]]()
    for body in bodies:
        answer = await house.post(path, body, headers=headers)
        code = "" if answer.status_code == 202 else answer.json()["error"]["code"]
        answers[answer.status_code, code] += 1
    return answers


def bytes_on_log(house: House) -> int:
    return sum(len(m.payload) for m in house.server.messages() if ".cmd.order." in m.subject)


async def test_a_traders_flood_ends_at_the_door(bounded: House) -> None:
    alice = await bounded.trader("alice")
    answers = await flood(bounded, alice, [order(one) for one in range(300)])
    burst = QUOTAS.trader.command_burst
    assert answers == {(202, ""): burst, (429, "command_quota"): 300 - burst}
    assert len(bounded.on_log(".cmd.order.alice")) == burst


async def test_it_gets_twenty_a_second_after_that(bounded: House) -> None:
    alice = await bounded.trader("alice")
    await flood(bounded, alice, [order(one) for one in range(100)])
    sent = 100
    for second in range(3):
        bounded.clock.ns += SECOND_NS
        bodies = [order(1_000 + 100 * second + one) for one in range(50)]
        sent += (await flood(bounded, alice, bodies))[202, ""]
    assert sent == 100 + 3 * QUOTAS.trader.commands_per_s


async def test_retry_after_is_true(bounded: House) -> None:
    alice = await bounded.trader("alice")
    await flood(bounded, alice, [order(one) for one in range(100)])
    answer = await bounded.post("/orders", order(100), headers=alice)
    assert answer.status_code == 429
    bounded.clock.ns += int(answer.headers["retry-after"]) * SECOND_NS
    assert (await bounded.post("/orders", order(100), headers=alice)).status_code == 202


async def test_one_trader_takes_nothing_from_another(bounded: House) -> None:
    eve, bob = await bounded.trader("eve"), await bounded.trader("bob")
    await flood(bounded, eve, [order(one) for one in range(150)])
    assert await flood(bounded, bob, [order(one) for one in range(50)]) == {(202, ""): 50}


async def test_bytes_are_bounded_whatever_the_commands(bounded: House) -> None:
    """Batches of a hundred orders: far fewer than a hundred of them."""
    alice = await bounded.trader("alice")
    batch = {"orders": [order(one, client_order_id="x" * 33 + f"{one:03}") for one in range(100)]}
    answers = await flood(bounded, alice, [batch] * 30)
    assert answers[429, "byte_quota"] == 30 - answers[202, ""] > 10, "far below the burst"
    assert bytes_on_log(bounded) <= QUOTAS.trader.bytes_per_s
    bounded.clock.ns += SECOND_NS
    await flood(bounded, alice, [batch] * 30)
    assert bytes_on_log(bounded) <= 2 * QUOTAS.trader.bytes_per_s


async def test_cancels_count_as_commands(bounded: House) -> None:
    alice = await bounded.trader("alice")
    cancels = [{"order_id": 1}] * 200
    answers = await flood(bounded, alice, cancels, "/cancel")
    assert answers[429, "command_quota"] == 100, answers


async def test_a_newcomer_writes_next_to_nothing(poor: House) -> None:
    """The issue's stranger: a free account, no credits, whatever fits into a body."""
    eve = await poor.trader("eve")
    answers = await flood(poor, eve, [order(one) for one in range(200)])
    assert answers == {(202, ""): 10, (429, "command_quota"): 190}
    batch = {"orders": [order(one, client_order_id="x" * 33 + f"{one:03}") for one in range(100)]}
    written = bytes_on_log(poor)
    for _ in range(60):
        poor.clock.ns += SECOND_NS
        await flood(poor, eve, [batch] * 3)
    in_a_minute = 60 * QUOTAS.newcomer_bytes_per_s + MAX_COMMAND_BYTES
    assert bytes_on_log(poor) - written <= in_a_minute


async def test_whoever_was_given_credits_is_no_newcomer(poor: House) -> None:
    bob = await poor.trader("bob")
    await flood(poor, bob, [order(one) for one in range(20)])
    mint = decisions.Mint(**poor.terms(), account="bob", amount_cents=1_000)
    assert (await poor.act(mint)).status_code == 200
    poor.clock.ns += 10 * SECOND_NS
    assert (await flood(poor, bob, [order(one) for one in range(100)]))[202, ""] == 100


async def test_makers_that_the_policy_names_have_theirs(bounded: House) -> None:
    maker = await bounded.trader("maker")
    assert await flood(bounded, maker, [order(one) for one in range(300)]) == {(202, ""): 300}


async def test_a_policy_without_quotas_has_none(market: House) -> None:
    alice = await market.trader("alice")
    assert await flood(market, alice, [order(one) for one in range(300)]) == {(202, ""): 300}


async def test_a_new_policy_holds_at_once(market: House) -> None:
    alice = await market.trader("alice")
    change = decisions.SetPolicy(**market.terms(), policy=BOUNDED, reason="quotas")
    assert (await market.act(change)).status_code == 200
    assert (await flood(market, alice, [order(one) for one in range(150)]))[202, ""] == 100


# -- open orders ---------------------------------------------------------------------


class Tables:
    """What the orders table would say, and how often it was asked."""

    def __init__(self) -> None:
        self.open = 0
        self.asked = 0
        self.away = False

    async def count(self, _: str) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("no tables")
        return self.open


def quotas_of(house: House, tables: Tables, open_orders: int) -> Quotas:
    assert house.context.directory.policy is not None
    quota = QuotasPolicy(trader=Quota(open_orders=open_orders))
    house.context.directory.policy = msgspec.structs.replace(BOUNDED, quotas=quota)
    house.context.directory._credited.add("alice")
    return Quotas(house.context.directory, house.clock, tables.count)


async def test_open_orders_are_counted_seldom_and_never_exceeded(bounded: House) -> None:
    tables = Tables()
    quotas = quotas_of(bounded, tables, 10)
    for _ in range(10):
        await quotas.admit_orders("alice", 1)
    assert tables.asked == 1
    tables.open = 10
    for _ in range(50):
        with pytest.raises(TooManyOpenOrders):
            await quotas.admit_orders("alice", 1)
    assert tables.asked == 1, "a count is good for a second"
    bounded.clock.ns += SECOND_NS
    tables.open = 4
    await quotas.admit_orders("alice", 6)
    with pytest.raises(TooManyOpenOrders):
        await quotas.admit_orders("alice", 1)
    assert tables.asked == 2


async def test_those_who_ask_at_once_share_one_count(bounded: House) -> None:
    tables = Tables()
    quotas = quotas_of(bounded, tables, 10)
    asked = [quotas.admit_orders("alice", 1) for _ in range(30)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert answers.count(None) == 10


async def test_without_tables_the_exchange_alone_bounds(bounded: House) -> None:
    tables = Tables()
    tables.away = True
    await quotas_of(bounded, tables, 10).admit_orders("alice", 10)


async def test_only_orders_that_may_rest_count() -> None:
    tables = Tables()
    tables.open = QUOTAS.trader.open_orders
    async with open_house(count_open_orders=tables.count) as house:
        await founded(house, BOUNDED)
        alice = await house.trader("alice")
        assert await flood(house, alice, [order(1)]) == {(429, "open_order_quota"): 1}
        passing = [
            order(2, time_in_force="ioc"),
            order(3, type="market", price=None, time_in_force="ioc"),
        ]
        assert await flood(house, alice, passing) == {(202, ""): 2}
        assert await flood(house, alice, [{"all": True}], "/cancel") == {(202, ""): 1}


async def test_who_cannot_wait_counts_from_nothing_and_learns_soon(bounded: House) -> None:
    """As the relay does: an order never waits for the tables."""
    tables = Tables()
    tables.open = 8
    quotas = quotas_of(bounded, tables, 10)
    for _ in range(10):
        quotas.admit_orders_now("alice", 1)
    with pytest.raises(TooManyOpenOrders):
        quotas.admit_orders_now("alice", 1)
    assert tables.asked == 0
    await wait_until(lambda: tables.asked == 1 and not quotas._counting)
    quotas.admit_orders_now("alice", 2)
    with pytest.raises(TooManyOpenOrders):
        quotas.admit_orders_now("alice", 1)
    bounded.clock.ns += SECOND_NS
    tables.open = 0
    with pytest.raises(TooManyOpenOrders):
        quotas.admit_orders_now("alice", 1)
    await wait_until(lambda: tables.asked == 2 and not quotas._counting)
    quotas.admit_orders_now("alice", 10)


async def test_one_who_cannot_wait_asks_once_at_a_time(bounded: House) -> None:
    tables = Tables()
    quotas = quotas_of(bounded, tables, 10)
    for _ in range(50):
        with suppress(TooManyOpenOrders):
            quotas.admit_orders_now("alice", 1)
        bounded.clock.ns += SECOND_NS
    await wait_until(lambda: not quotas._counting)
    assert tables.asked == 1


async def test_memory_is_bounded(bounded: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LIMITED_NAMES", 100)
    quotas = quotas_of(bounded, Tables(), 10)
    for number in range(1_000):
        await quotas.admit_orders(f"eve-{number}", 1)
    assert len(quotas._open) == 100


# -- what is under way ---------------------------------------------------------------


async def test_requests_under_way_are_bounded_by_account(bounded: House) -> None:
    quotas, most = bounded.context.quotas, QUOTAS.trader.http_connections
    alice = await bounded.trader("alice")
    leaving = [quotas.follow("alice", 1) for _ in range(most)]
    assert await flood(bounded, alice, [order(1)]) == {(429, "connection_quota"): 1}
    with pytest.raises(TooManyFeeds):
        quotas.follow("alice", 1)
    leaving[0]()
    assert await flood(bounded, alice, [order(1)]) == {(202, ""): 1}
    for leave in leaving[1:]:
        leave()
    assert (quotas._under_way, quotas._channels) == ({}, {})


def test_channels_are_bounded_over_all_feeds_of_an_account(bounded: House) -> None:
    quotas = bounded.context.quotas
    leaving = [quotas.follow("alice", 20), quotas.follow("alice", 20)]
    with pytest.raises(TooManyFeeds, match="50 channels"):
        quotas.follow("alice", 11)
    leaving.append(quotas.follow("alice", 10))
    quotas.follow("bob", 20)()
    for leave in leaving:
        leave()
    assert quotas._channels == {}
