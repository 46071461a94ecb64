"""RealityScore in prices: FinalPrice follows it, MarketPrice never does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.pricing.arithmetic import MILLION
from schemas.errors import UnknownRecord
from schemas.events.governance import MarketEdited, MarketResolved
from schemas.events.pricing import BlendSet, PriceChanged, ProposalPriced
from tests.engines.driver import check_decides_again, check_folds
from tests.engines.pricing.venue import Prices, one_price, prices, review, scored, tops, traded


def edited(market_bp: int) -> MarketEdited:
    return MarketEdited(1, "RAIN", "Rain", "", [], "low", market_bp, 10_000 - market_bp)


def test_a_score_moves_the_final_price_by_its_weight() -> None:
    rain = Prices(market_weight_bp=7_500, reality_weight_bp=2_500)
    rain.exchange(traded(5_000))
    blend, price = rain.reality(scored(8_000))
    assert blend == BlendSet(rain.driver.sequence, "RAIN", 7_500, 2_500, 8_000)
    assert isinstance(price, PriceChanged)
    assert (price.basis, price.market_price_e2, price.final_price_e2) == ("trades", 5_000, 5_750)
    assert price.last_trade_ticks == 5_000
    check_folds(rain.driver)
    check_decides_again(rain.driver)


def test_before_any_trade_the_market_price_stays_at_the_listing() -> None:
    rain = Prices(initial_score_e2=6_000)
    moved = one_price(rain.reality(scored(8_000)))
    assert (moved.basis, moved.ewma_e6) == ("listing", 6_000 * MILLION)
    assert (moved.market_price_e2, moved.final_price_e2) == (6_000, 7_000)
    assert one_price(rain.exchange(tops(4_000, 4_200))).basis == "mid"
    rain.reality(scored(9_000))
    back = one_price(rain.exchange(tops(None, 4_200)))
    assert (back.basis, back.ewma_e6) == ("listing", 6_000 * MILLION)
    assert (back.market_price_e2, back.final_price_e2) == (6_000, 7_500)
    # and that a score comes back to where it began forgets nothing
    rain.reality(scored(6_000), scored(1_000))
    rain.exchange(tops(4_000, 4_200))
    assert one_price(rain.exchange(tops(None, None))).ewma_e6 == 6_000 * MILLION
    check_folds(rain.driver)
    check_decides_again(rain.driver)


def test_several_moves_in_one_record_are_one_price() -> None:
    venue = Prices("RAIN", "SNOW")
    events = venue.reality(scored(7_000), scored(1_000, "SNOW"), scored(8_000))
    assert [type(event).__name__ for event in events] == ["BlendSet"] * 2 + ["PriceChanged"] * 2
    assert [price.final_price_e2 for price in prices(events)] == [7_000, 3_500]


def test_weights_and_score_change_independently() -> None:
    rain = Prices()
    rain.reality(scored(9_000))
    final = one_price(rain.governance(edited(9_000))).final_price_e2
    assert final == (9 * 6_000 + 9_000) // 10
    assert one_price(rain.reality(scored(1_000))).final_price_e2 == (9 * 6_000 + 1_000) // 10


def test_a_review_is_priced_as_it_opens_and_if_approved() -> None:
    rain = Prices()
    rain.exchange(traded(5_000))
    events = rain.reality(review(9_000))
    assert events == [ProposalPriced(rain.driver.sequence, "f" * 64, "RAIN", 5_500, 7_000)]
    # the price now is the one after what the same record moved before
    events = rain.reality(scored(7_000), review(9_000), scored(7_500))
    priced = events[-1]
    assert isinstance(priced, ProposalPriced)
    assert (priced.final_price_e2, priced.final_if_approved_e2) == (6_000, 7_000)
    check_folds(rain.driver)
    check_decides_again(rain.driver)


def test_nothing_moves_a_resolved_market() -> None:
    rain = Prices()
    rain.governance(MarketResolved(1, "RAIN", 10_000, ""))
    assert rain.reality(scored(1)) == []
    (priced,) = rain.reality(review(1))
    assert isinstance(priced, ProposalPriced)
    assert (priced.final_price_e2, priced.final_if_approved_e2) == (10_000, 10_000)
    assert rain.exchange(tops(1, 2)) == []


@pytest.mark.parametrize("event", [scored(1, "SNOW"), review(1, "SNOW")])
def test_a_symbol_that_was_never_listed_cannot_have_a_score(event: Any) -> None:
    with pytest.raises(UnknownRecord):
        Prices().reality(event)


@given(
    st.lists(
        st.one_of(
            st.integers(0, 10_000).map(scored),
            st.integers(0, 10_000).map(review),
            st.tuples(st.none() | st.integers(1, 4_999), st.none() | st.integers(5_000, 9_999)).map(
                lambda pair: tops(*pair)
            ),
            st.integers(1, 9_999).map(traded),
            st.integers(0, 10_000).map(edited),
        ),
        max_size=20,
    )
)
def test_whatever_comes_the_market_price_is_blind_to_reality(given_events: list[Any]) -> None:
    """The same venue without the scores has the same market prices."""
    both, deaf = Prices(), Prices()
    for event in given_events:
        match type(event).__name__:
            case "ScoreChanged" | "ReviewOpened":
                both.reality(event)
                continue
            case "MarketEdited":
                both.governance(event)
                deaf.governance(event)
            case _:
                both.exchange(event)
                deaf.exchange(event)
        mine, other = both.driver.state.symbols["RAIN"], deaf.driver.state.symbols["RAIN"]
        assert mine.price is not None
        assert other.price is not None
        assert mine.price.ewma_e6 == other.price.ewma_e6
        assert mine.price.basis == other.price.basis
        low, high = sorted((mine.price.market_price_e2, mine.reality_score_e2))
        assert low <= mine.price.final_price_e2 <= high
    check_folds(both.driver)
    check_decides_again(both.driver)
