"""Strangers who sign up and in without end, against a gateway with its own bounds."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from schemas.errors import Busy
from schemas.units import DAY_NS, MINUTE_NS, SECOND_NS
from streams.accounts.errors import TooManyAccounts, TooManySignIns
from streams.gateway.limits import (
    ACCOUNT_OPENINGS_PER_DAY,
    ACCOUNT_OPENINGS_PER_MINUTE,
    ACCOUNTS_PER_DAY,
    ACCOUNTS_PER_MINUTE,
    SIGN_INS_PER_MINUTE,
)
from streams.gateway.sign_ups import SignUpBounds, SignUps
from tests.streams.gateway.house import START_NS, House, Key, SetClock, open_house


@pytest.fixture
async def open_door() -> AsyncIterator[House]:
    """A venue whose gateway has the bounds that a real one has."""
    async with open_house(sign_up_bounds=SignUpBounds()) as house:
        await house.open_for_trade()
        yield house


async def openings(house: House, names: list[str]) -> Counter[tuple[int, str]]:
    """Ask for accounts with one key, as fast as it goes."""
    key, answers = Key(), Counter[tuple[int, str]]()
    for name in names:
        answer = await house.post("/accounts", house.opening(name, key))
        code = "" if answer.status_code == 201 else answer.json()["error"]["code"]
        answers[answer.status_code, code] += 1
    return answers


def on_log(house: House) -> int:
    return len(house.on_log(".cmd.account."))


async def test_one_client_gets_five_accounts_a_minute_and_the_rest_reach_no_log(
    open_door: House,
) -> None:
    answers = await openings(open_door, [f"eve-{one}" for one in range(100)])
    assert answers == {(201, ""): ACCOUNTS_PER_MINUTE, (429, "account_quota"): 95}
    assert on_log(open_door) == ACCOUNTS_PER_MINUTE
    answer = await open_door.post("/accounts", open_door.opening("eve", Key()))
    open_door.clock.ns += int(answer.headers["retry-after"]) * SECOND_NS
    await open_door.open_account("eve")


async def test_what_is_refused_otherwise_uses_nothing_up(open_door: House) -> None:
    assert await openings(open_door, ["admin"] * 50) == {(422, "reserved_name"): 50}
    await open_door.open_account("alice")
    assert await openings(open_door, ["alice"] * 50) == {(409, "account_exists"): 50}
    for name in range(ACCOUNTS_PER_MINUTE - 1):
        await open_door.open_account(f"bob-{name}")


def test_a_network_gets_fifty_accounts_a_day() -> None:
    clock = SetClock()
    sign_ups, opened = SignUps(clock, SignUpBounds()), 0
    for second in range(DAY_NS // SECOND_NS // 10):
        clock.ns += 10 * SECOND_NS
        try:
            sign_ups.admit_account(f"192.0.2.{second % 256}")
            opened += 1
        except TooManyAccounts:
            pass
    # the burst of the first day, and as many again as the day goes by
    assert ACCOUNTS_PER_DAY <= opened <= 2 * ACCOUNTS_PER_DAY
    with pytest.raises(TooManyAccounts) as refused:
        for _ in range(ACCOUNTS_PER_DAY):
            sign_ups.admit_account("192.0.2.1")
    assert refused.value.retry_after_s <= DAY_NS // ACCOUNTS_PER_DAY // SECOND_NS
    sign_ups.admit_account("192.0.3.1")


def test_many_networks_share_what_the_venue_opens() -> None:
    sign_ups = SignUps(SetClock(), SignUpBounds())
    for one in range(ACCOUNT_OPENINGS_PER_MINUTE):
        sign_ups.admit_account(f"2001:db8:0:{one:x}::1")
    with pytest.raises(Busy):
        sign_ups.admit_account("2001:db8:1::1")


def test_a_line_with_all_its_addresses_is_one_network() -> None:
    sign_ups = SignUps(SetClock(), SignUpBounds())
    for one in range(ACCOUNTS_PER_MINUTE):
        sign_ups.admit_account(f"2001:db8::{one:x}")
    with pytest.raises(TooManyAccounts):
        sign_ups.admit_account("2001:db8::ffff")


async def test_sign_ins_are_metered_good_or_bad(open_door: House) -> None:
    await open_door.open_account("alice")
    bad = await open_door.proof("alice", Key())
    for _ in range(SIGN_INS_PER_MINUTE):
        assert (await open_door.post("/session", bad)).status_code == 401
    answer = await open_door.post("/session", await open_door.proof("alice"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "sign_in_quota")
    open_door.clock.ns += int(answer.headers["retry-after"]) * SECOND_NS
    await open_door.session("alice")


def test_sign_ins_of_one_network_keep_no_other_out() -> None:
    clock = SetClock()
    sign_ups = SignUps(clock, SignUpBounds())
    for _ in range(SIGN_INS_PER_MINUTE):
        sign_ups.admit_sign_in("192.0.2.1")
    with pytest.raises(TooManySignIns):
        sign_ups.admit_sign_in("192.0.2.2")
    sign_ups.admit_sign_in("192.0.3.1")
    clock.ns += MINUTE_NS
    sign_ups.admit_sign_in("192.0.2.2")


def test_the_venue_opens_so_many_a_day_whoever_asks() -> None:
    """A /48 of IPv6 has 65,536 networks: only what is counted for all of them bounds it."""
    clock = SetClock()
    sign_ups, opened = SignUps(clock, SignUpBounds()), 0
    for network in range(2 * ACCOUNT_OPENINGS_PER_DAY):
        clock.ns += MINUTE_NS // ACCOUNT_OPENINGS_PER_MINUTE
        try:
            sign_ups.admit_account(f"2001:db8:0:{network:x}::1")
            opened += 1
        except Busy as refused:
            assert refused.retry_after_s <= DAY_NS // ACCOUNT_OPENINGS_PER_DAY // SECOND_NS + 1
    filled = clock.ns - START_NS
    assert opened == ACCOUNT_OPENINGS_PER_DAY + filled * ACCOUNT_OPENINGS_PER_DAY // DAY_NS
