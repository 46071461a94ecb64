"""MarketPrice within the policy's bounds: what trades of two accounts with each other may do."""

from typing import Any, Final

import pytest
from hypothesis import given, target
from hypothesis import strategies as st
from msgspec import UNSET

from engines.pricing.arithmetic import MILLION
from engines.pricing.limits import MAX_SWINGS
from engines.pricing.swings import PERIOD_NS, Swings, reach, swung
from schemas.events.exchange import Top, TopsChanged
from schemas.events.governance import MarketResolved
from schemas.events.pricing import SmoothingSet
from schemas.policy import PriceBounds
from schemas.units import HOUR_NS, MINUTE_NS, SECOND_NS
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.pricing.floor import ACCOUNTS, LISTED_E2, Floor
from tests.engines.pricing.naive_steps import NaivePrice
from tests.engines.pricing.venue import START_NS, Prices, one_price, policy, prices, tops, traded
from tests.support.drawing import drawn

BOUNDS: Final = PriceBounds()
POINT_E6: Final = 100 * MILLION
PAIR: Final = ACCOUNTS[:2]


def bounded(**fields: Any) -> Prices:
    return Prices(bounds=BOUNDS, **fields)


def ewma(venue: Prices) -> int:
    price = venue.driver.state.symbols["RAIN"].price
    assert price is not None
    return price.ewma_e6


# -- the rules, one by one -------------------------------------------------------------


def test_the_first_trade_is_one_step_from_the_listing() -> None:
    venue = bounded(initial_score_e2=6_000)
    price = one_price(venue.exchange(traded(6_100, 10)))
    assert (price.basis, price.ewma_e6, price.last_trade_ticks) == (
        "trades",
        6_025 * MILLION,
        6_100,
    )


@pytest.mark.parametrize(("lots", "moved_e2"), [(1, 2.5), (4, 10), (10, 25), (1_000, 25)])
def test_a_step_weighs_by_its_lots_up_to_the_full_weight(lots: int, moved_e2: float) -> None:
    venue = bounded()
    venue.exchange(traded(6_100, lots))
    assert ewma(venue) == 6_000 * MILLION + moved_e2 * MILLION


def test_two_accounts_make_one_step_in_a_record_whoever_takes() -> None:
    venue = bounded()
    there = [traded(6_050, 5), traded(6_150, 5, "sell", taker="bob", maker="ann")]
    venue.exchange(*there * 50)
    assert ewma(venue) == 6_025 * MILLION
    other = bounded()
    other.exchange(*(traded(6_100, 10, maker=f"m{number}") for number in range(2)))
    assert ewma(other) == 6_000 * MILLION + 4_375 * MILLION // 100


def test_one_account_moves_a_price_by_a_point_and_back_and_further() -> None:
    venue = bounded()
    for _ in range(9):
        venue.exchange(traded(9_000, 10))
    assert ewma(venue) == 6_100 * MILLION
    for _ in range(9):
        venue.exchange(traded(1_000, 10))
    assert ewma(venue) == 6_000 * MILLION  # it has been 100 higher lately
    venue.at(PERIOD_NS * 3)
    venue.exchange(traded(1_000, 10))
    assert ewma(venue) == 5_900 * MILLION
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_bouncing_uses_nothing_up() -> None:
    venue = bounded()
    for _ in range(100):
        venue.exchange(traded(6_040, 10))
        venue.exchange(traded(5_960, 10, "sell"))
    venue.exchange(traded(9_000, 10))
    assert ewma(venue) > 6_080 * MILLION


def test_the_taker_answers_and_a_maker_does_not() -> None:
    venue = bounded()
    for number in range(5):
        venue.exchange(traded(9_000, 10, taker=f"t{number}", maker="mm"))
    assert ewma(venue) == 6_500 * MILLION


def test_a_trade_counts_as_within_the_best_prices_of_the_records_end() -> None:
    venue = bounded()
    venue.exchange(traded(6_100, 10), tops(5_900, 6_020))
    assert ewma(venue) == 6_005 * MILLION
    venue.exchange(traded(5_800, 10, "sell"), tops(6_001, None))
    assert ewma(venue) == 6_004 * MILLION


def test_quotes_alone_move_nothing() -> None:
    venue = bounded()
    assert venue.exchange(tops(9_800, 9_900)) == []
    assert venue.exchange(tops(None, None)) == []
    assert ewma(venue) == 6_000 * MILLION


def test_bounds_come_and_go_with_the_policy() -> None:
    venue = Prices(bounds=UNSET)
    venue.exchange(traded(4_000, 10))
    assert venue.governance(policy(bounds=BOUNDS)) == [SmoothingSet(3, 2_500, BOUNDS)]
    venue.exchange(traded(8_000, 10))
    assert ewma(venue) == 4_100 * MILLION
    assert venue.governance(policy()) == [SmoothingSet(5, 2_500, None)]
    venue.exchange(traded(8_100))
    assert ewma(venue) == 5_100 * MILLION
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_trades_after_the_resolution_move_nothing() -> None:
    venue = bounded()
    venue.governance(MarketResolved(1, "RAIN", 10_000, ""))
    late = venue.exchange(traded(1, 10), tops(1, 2))
    assert prices(late) == []
    assert late


def test_a_smaller_bound_holds_at_once() -> None:
    swings: Swings = {}
    swung(swings, "ann", START_NS, 80)
    assert reach(swings, "ann", START_NS, 100) == (-100, 20)
    assert reach(swings, "ann", START_NS, 50) == (-50, 0)


def test_what_is_remembered_is_bounded_and_passes() -> None:
    swings: Swings = {}
    for number in range(MAX_SWINGS + 10):
        swung(swings, f"a{number}", START_NS, 1)
    assert len(swings) == MAX_SWINGS
    assert "a9" not in swings
    assert "a10" in swings
    for number in range(MAX_SWINGS):
        swung(swings, "late", START_NS + 3 * PERIOD_NS + number, 1)
    assert [*swings] == ["late"]


# -- the same as the long way ----------------------------------------------------------

RECORDS = st.lists(
    st.tuples(
        st.sampled_from([0, SECOND_NS, 7 * MINUTE_NS, PERIOD_NS - 1, PERIOD_NS, HOUR_NS]),
        st.lists(
            st.tuples(
                st.integers(1, 9_999),
                st.integers(1, 15),
                st.sampled_from(["buy", "sell"]),
                st.permutations(["ann", "bob", "cy"]),
            ),
            max_size=4,
        ),
        st.tuples(st.none() | st.integers(1, 4_999), st.none() | st.integers(5_000, 9_999)),
    ),
    max_size=30,
)


@drawn(150)
@given(RECORDS, st.sampled_from([BOUNDS, PriceBounds(full_weight_lots=1, account_move_e2=1_000)]))
def test_prices_equal_a_naive_recomputation(given_records: Any, bounds: PriceBounds) -> None:
    venue, naive = Prices(bounds=bounds), NaivePrice(6_000, bounds)
    for wait_ns, trades, (bid, ask) in given_records:
        venue.driver.at(venue.driver.now_ns + wait_ns)
        made = [
            traded(price, lots, side, taker=names[0], maker=names[1])
            for price, lots, side, names in trades
        ]
        venue.exchange(*made, TopsChanged(1, [Top("RAIN", bid, 1, ask, 1)]))
        naive.record(venue.driver.now_ns, made, Top("RAIN", bid, 1, ask, 1))
        assert ewma(venue) == naive.ewma_e6
    check_folds(venue.driver)
    check_decides_again(venue.driver)


# -- the adversary searches, with both engines -----------------------------------------

WAITS = st.sampled_from([0, 1, SECOND_NS, 4 * MINUTE_NS, PERIOD_NS - 1, PERIOD_NS, HOUR_NS - 1])
PRICE_TICKS = st.sampled_from([1, 2, 5_000, 9_998, 9_999]) | st.integers(1, 9_999)
WASHES = st.tuples(
    st.just("wash"), st.permutations(PAIR), PRICE_TICKS, st.integers(1, 30),
    st.sampled_from(["buy", "sell"]),
)  # fmt: skip
ORDERS = st.tuples(
    st.just("order"), st.permutations(PAIR), st.none() | PRICE_TICKS, st.integers(1, 30),
    st.sampled_from(["buy", "sell"]),
)  # fmt: skip
STREAMS = st.lists(
    st.tuples(WAITS, st.lists(WASHES | ORDERS, min_size=1, max_size=6), st.booleans()),
    min_size=1,
    max_size=25,
)


Orders = list[tuple[str, bytes]]


def drawn_orders(floor: Floor, moves: Any) -> Orders:
    """Return the orders of a drawn part of a stream; a wash is two that trade."""
    orders = []
    for kind, (one, other), price, lots, side in moves:
        if kind == "wash":
            opposite = "sell" if side == "buy" else "buy"
            orders.append(floor.order(other, opposite, price, lots))
        orders.append(floor.order(one, side, price, lots))
    return orders


@drawn(120)
@given(STREAMS)
def test_two_accounts_alone_move_a_price_by_two_points_an_hour(stream: Any) -> None:
    floor = Floor()
    for wait_ns, moves, together in stream:
        floor.wait(wait_ns)
        orders = drawn_orders(floor, moves)
        for record in [orders] if together else [[order] for order in orders]:
            floor.send(*record)
        floor.send(*(floor.cancel(account) for account in PAIR))
    moved_e6 = floor.widest_e6()
    target(float(moved_e6))
    assert moved_e6 <= 2 * POINT_E6
    floor.check_folds()


OTHERS: Final = ACCOUNTS[2:4]
QUOTES = st.tuples(st.integers(4_000, 5_200), st.integers(1, 800), st.integers(1, 5))


def requote(floor: Floor, bid: int, spread: int, lots: int) -> Orders:
    """Return the orders by which the others leave their old prices for new ones."""
    one, other = OTHERS
    return [
        *(floor.cancel(account) for account in OTHERS),
        floor.order(one, "buy", bid, lots, post_only=True),
        floor.order(other, "sell", bid + spread, lots, post_only=True),
    ]


@drawn(120)
@given(
    st.lists(
        st.tuples(WAITS, QUOTES | st.none(), st.lists(WASHES | ORDERS, max_size=6), st.booleans()),
        max_size=20,
    )
)
def test_two_accounts_never_take_it_out_of_the_best_prices_of_others(parts: Any) -> None:
    """The others quote anew at times, even in the record in which the two trade."""
    floor = Floor()
    for wait_ns, quotes, moves, together in parts:
        floor.wait(wait_ns)
        orders = drawn_orders(floor, moves) + (requote(floor, *quotes) if quotes else [])
        for record in [orders] if together else [[order] for order in orders]:
            before_e6 = floor.price_e6
            floor.send(*record)
            bid, ask = floor.best_of(OTHERS)
            if bid is not None and ask is not None:
                assert min(before_e6, bid * MILLION) <= floor.price_e6
                assert floor.price_e6 <= max(before_e6, ask * MILLION)
    assert floor.widest_e6() <= 2 * POINT_E6
    floor.check_folds()


def test_the_attack_of_the_issue() -> None:
    """One lot to and fro at 99.50, as often as they like, moved MarketPrice from 50 to 99.5."""
    floor = Floor()
    for number in range(200):
        one, other = PAIR if number % 2 else PAIR[::-1]
        floor.wash(one, other, 9_950, 1)
        floor.wait(15 * SECOND_NS)
    assert len(floor.trades) == 200
    assert floor.cash_cents(PAIR) == 200_000  # it costs them nothing
    assert floor.price_e6 == (LISTED_E2 + 200) * MILLION


def test_an_honest_market_is_followed() -> None:
    """Twenty accounts that trade ten lots each, ten points higher: at the price in 24 trades."""
    floor, people = Floor(), ACCOUNTS[:20]
    for number in range(24):
        taker, maker = people[number % 20], people[(number + 10) % 20]
        floor.wash(maker, taker, 6_000, 8, "buy" if number % 2 else "sell")
        floor.wait(SECOND_NS)
    assert len(floor.trades) == 24
    assert abs(floor.price_e6 - 6_000 * MILLION) <= 20 * MILLION
