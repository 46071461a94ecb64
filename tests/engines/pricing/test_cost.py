"""docs/plan.md says what moving a MarketPrice costs: these attacks are how it is known."""

from collections.abc import Sequence
from typing import Final

import pytest

from engines.pricing.arithmetic import MILLION
from schemas.units import MINUTE_NS, PAR_TICKS, SECOND_NS, to_decimal
from tests.docs.test_documents import table
from tests.engines.pricing.floor import ACCOUNTS, CREDITS_CENTS, LISTED_E2, SYMBOL, Floor

POINT_TICKS: Final = 100
LADDER_LOTS: Final = 10
OTHERS: Final = ACCOUNTS[20:]
ROWS: Final = table("docs/plan.md", "accounts")


def wash_all(floor: Floor, accounts: Sequence[str], price: int) -> None:
    """Have each account buy one lot of the next one at `price`, and then sell it back."""
    for side in ("buy", "sell"):
        for number, taker in enumerate(accounts):
            maker = accounts[(number + 1) % len(accounts)]
            floor.wash(maker, taker, price, 1, side)


def wash_up(floor: Floor, accounts: Sequence[str], price: int) -> None:
    """Go on until that moves nothing any more, within an hour."""
    before_e6 = 0
    while floor.price_e6 != before_e6 and floor.now_ns < floor.start_ns + 59 * MINUTE_NS:
        before_e6 = floor.price_e6
        wash_all(floor, accounts, price)
        floor.wait(SECOND_NS)


def lost_cents(floor: Floor, accounts: Sequence[str]) -> int:
    """Return what they have lost together, if what they hold is worth 50."""
    holdings = floor.exchange.state.books[SYMBOL].holdings
    lots = sum(abs(holdings[one].lots) for one in accounts if one in holdings)
    worth: int = floor.cash_cents(accounts) + lots * PAR_TICKS // 2
    return len(accounts) * CREDITS_CENTS - worth


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_so_many_accounts_move_an_empty_book_so_far_in_an_hour(row: list[str]) -> None:
    floor, accounts = Floor(), ACCOUNTS[: int(row[0])]
    wash_up(floor, accounts, PAR_TICKS - 50)
    moved_e6 = floor.price_e6 - LISTED_E2 * MILLION
    assert to_decimal(moved_e6 // MILLION) == row[1]
    assert moved_e6 % MILLION == 0
    assert to_decimal(lost_cents(floor, accounts)) == row[2]


@pytest.mark.parametrize("row", [row for row in ROWS if row[3]], ids=lambda row: row[0])
def test_so_far_through_others_costs_what_they_ask(row: list[str]) -> None:
    """One lot of the last ask that must be bought is enough to keep the price below it."""
    floor, accounts = Floor(), ACCOUNTS[: int(row[0])]
    points = len(accounts)
    for number in range(1, points + 2):
        asker, bidder = OTHERS[number], OTHERS[-1]
        step = number * POINT_TICKS
        floor.send(
            floor.order(asker, "sell", LISTED_E2 + step, LADDER_LOTS),
            floor.order(bidder, "buy", LISTED_E2 - step, 1),
        )
    for number in range(1, points):
        left = int(number == points - 1)
        price = LISTED_E2 + number * POINT_TICKS
        floor.send(floor.order(accounts[number], "buy", price, LADDER_LOTS - left))
    wash_up(floor, accounts, LISTED_E2 + (points - 1) * POINT_TICKS - 1)
    assert floor.price_e6 < (LISTED_E2 + (points - 1) * POINT_TICKS) * MILLION
    floor.send(floor.order(accounts[0], "buy", price, 1))
    assert to_decimal(lost_cents(floor, accounts)) == row[3]
    wash_up(floor, accounts, LISTED_E2 + points * POINT_TICKS - 1)
    short_e6 = (LISTED_E2 + points * POINT_TICKS) * MILLION - floor.price_e6
    assert 0 < short_e6 < 5 * MILLION
    assert to_decimal(lost_cents(floor, accounts)) == row[3]
