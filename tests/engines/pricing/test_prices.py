"""MarketPrice and FinalPrice: what they rest on, and when they are said to change."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.pricing.arithmetic import blend, smooth
from schemas.errors import UnknownRecord
from schemas.events.exchange import BookHalted
from schemas.events.governance import MarketEdited, MarketResolved
from schemas.events.pricing import BlendSet, PriceChanged, SmoothingSet
from schemas.units import round_half_even
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.pricing.venue import Prices, listed, one_price, policy, prices, tops, traded

TRADE_PRICES = st.lists(st.integers(1, 9_999), min_size=1, max_size=30)


def test_listing_gives_the_first_price() -> None:
    smoothing, blend_set, price = Prices(market_weight_bp=3_000, reality_weight_bp=7_000).first
    assert smoothing == SmoothingSet(1, 2_500, None)
    assert blend_set == BlendSet(1, "RAIN", 3_000, 7_000, 6_000)
    assert price == PriceChanged(1, "RAIN", "listing", 6_000_000_000, 6_000, 6_000, None)


def test_mid_before_the_first_trade_and_listing_score_when_a_side_is_empty() -> None:
    venue = Prices()
    assert venue.exchange(tops(4_000, None)) == []
    price = one_price(venue.exchange(tops(4_000, 4_001)))
    assert (price.basis, price.ewma_e6) == ("mid", 4_000_500_000)
    assert price.market_price_e2 == 4_000  # a half goes to the even one
    assert price.final_price_e2 == 5_000
    assert venue.exchange(tops(4_000, 4_001)) == []
    back = one_price(venue.exchange(tops(None, 4_001)))
    assert (back.basis, back.market_price_e2) == ("listing", 6_000)


def test_first_trade_sets_the_price_and_later_ones_move_it_by_alpha() -> None:
    venue = Prices()
    first = one_price(venue.exchange(traded(4_000)))
    assert (first.basis, first.ewma_e6, first.last_trade_ticks) == ("trades", 4_000_000_000, 4_000)
    second = one_price(venue.exchange(traded(8_000)))
    assert (second.market_price_e2, second.final_price_e2) == (5_000, 5_500)
    assert second.last_trade_ticks == 8_000
    # best prices matter no more
    assert prices(venue.exchange(tops(1, 2))) == []


def test_one_price_for_a_symbol_and_record_whatever_happens_in_it() -> None:
    venue = Prices("RAIN", "SNOW")
    changed = prices(
        venue.exchange(traded(4_000), traded(7_000, symbol="SNOW"), traded(8_000), tops(1, 9_999))
    )
    assert [(price.symbol, price.market_price_e2) for price in changed] == [
        ("RAIN", 5_000),
        ("SNOW", 7_000),
    ]


def test_trade_at_the_same_price_says_nothing_new() -> None:
    venue = Prices()
    venue.exchange(traded(4_000))
    assert prices(venue.exchange(traded(4_000))) == []


def test_what_does_not_concern_prices_leads_to_no_event() -> None:
    venue = Prices()
    assert venue.exchange(BookHalted(1, "RAIN")) == []
    assert venue.exchange() == []


def test_new_alpha_counts_from_the_next_trade_on() -> None:
    venue = Prices()
    venue.exchange(traded(4_000))
    assert venue.governance(policy(10_000)) == [SmoothingSet(3, 10_000, None)]
    assert venue.governance(policy(10_000)) == []
    assert one_price(venue.exchange(traded(8_000))).market_price_e2 == 8_000


def edited(**fields: Any) -> MarketEdited:
    common: dict[str, Any] = {
        "cause": 1,
        "symbol": "RAIN",
        "name": "RAIN",
        "description": "",
        "aliases": [],
        "risk_level": "low",
        "market_weight_bp": 5_000,
        "reality_weight_bp": 5_000,
    }
    return MarketEdited(**(common | fields))


def test_new_weights_move_the_final_price_only() -> None:
    venue = Prices()
    venue.exchange(traded(4_000))
    assert venue.governance(edited(name="Rainfall")) == []
    events = venue.governance(edited(market_weight_bp=10_000, reality_weight_bp=0))
    assert events[0] == BlendSet(4, "RAIN", 10_000, 0, 6_000)
    price = one_price(events)
    assert (price.market_price_e2, price.final_price_e2) == (4_000, 4_000)


def test_resolution_is_the_last_word() -> None:
    venue = Prices()
    venue.exchange(traded(4_000))
    price = one_price(venue.governance(MarketResolved(1, "RAIN", 10_000, "it rained")))
    assert (price.basis, price.market_price_e2, price.final_price_e2) == (
        "resolution",
        10_000,
        10_000,
    )
    assert price.last_trade_ticks == 4_000
    # a trade that was on its way still counts as volume, but moves nothing
    late = venue.exchange(traded(1), tops(1, 2))
    assert prices(late) == []
    assert late
    assert prices(venue.governance(edited(market_weight_bp=0, reality_weight_bp=10_000))) == []
    check_folds(venue.driver)
    check_decides_again(venue.driver)


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"type":"record/2"}', b'{"type":"epoch/1"}', b"\xff"]
)
def test_record_that_cannot_be_read_halts(payload: bytes) -> None:
    with pytest.raises(UnknownRecord):
        Prices().driver.feed(("main.evt.exchange", payload))


def test_trade_of_a_symbol_that_was_never_listed_halts() -> None:
    with pytest.raises(UnknownRecord, match="SNOW"):
        Prices().exchange(traded(1, symbol="SNOW"))


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_rounding_is_half_to_even(numerator: int, denominator: int) -> None:
    assert round_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(TRADE_PRICES, st.integers(0, 10_000))
def test_ewma_stays_between_the_lowest_and_the_highest_trade(
    trades: list[int], alpha_bp: int
) -> None:
    ewma: int | None = None
    for price in trades:
        ewma = smooth(ewma, price, alpha_bp)
    assert ewma is not None
    assert min(trades) * 1_000_000 <= ewma <= max(trades) * 1_000_000


@given(TRADE_PRICES, st.integers(0, 10_000), st.data())
def test_ewma_is_the_exact_one_to_half_a_millionth_of_a_tick_per_trade(
    trades: list[int], alpha_bp: int, data: st.DataObject
) -> None:
    venue = Prices(alpha_bp=alpha_bp)
    rest = trades[:]
    while rest:  # cut into records anyhow
        size = data.draw(st.integers(1, len(rest)))
        venue.exchange(*(traded(price) for price in rest[:size]))
        del rest[:size]
    exact = Fraction(trades[0])
    alpha = Fraction(alpha_bp, 10_000)
    for price in trades[1:]:
        exact += alpha * (price - exact)
    price_now = venue.driver.state.symbols["RAIN"].price
    assert price_now is not None
    assert abs(price_now.ewma_e6 - exact * 1_000_000) <= Fraction(len(trades), 2)
    check_folds(venue.driver)
    check_decides_again(venue.driver)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_final_price_lies_between_its_two_parts(market: int, reality: int, weight: int) -> None:
    final = blend(market, weight, reality, 10_000 - weight)
    assert min(market, reality) <= final <= max(market, reality)


def test_listing_and_first_trade_in_one_group() -> None:
    venue = Prices()
    venue.governance(listed("SNOW"))
    assert one_price(venue.exchange(traded(1, symbol="SNOW"))).basis == "trades"
    check_folds(venue.driver)
    check_decides_again(venue.driver)
