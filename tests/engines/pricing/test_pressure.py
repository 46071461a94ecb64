"""Pressure: taker volume over the last minute and hour, with and without new inputs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.kernel import fold
from engines.pricing.engine import PricingEngine
from schemas.errors import BrokenInvariant
from schemas.events.pricing import PressureChanged, TakerVolume, VolumeTraded
from schemas.limits import MAX_GROUP_EVENTS
from schemas.units import HOUR_NS, MINUTE_NS, SECOND_NS
from tests.engines.driver import check_decides_again, check_folds, decoded
from tests.engines.pricing.venue import START_NS, Prices, pressures, traded
from tests.support.drawing import drawn


def test_volume_counts_by_taker_side_at_once() -> None:
    venue = Prices()
    events = venue.exchange(traded(4_000, 5), traded(4_000, 7, "sell"), traded(4_000, 2))
    assert VolumeTraded(2, "RAIN", START_NS, 7, 7, [TakerVolume("ann", 7, 7, 0)]) in events
    assert pressures(events) == [(7, 7, 7, 7)]
    assert pressures(venue.exchange(traded(4_000, 1))) == [(8, 7, 8, 7)]


def test_volume_leaves_the_minute_then_the_hour_and_then_nothing_is_due() -> None:
    venue = Prices()
    venue.exchange(traded(4_000, 5))
    assert venue.due_ns() == MINUTE_NS
    venue.at(MINUTE_NS - 1)
    assert venue.tick() == []
    venue.at(MINUTE_NS)
    assert pressures(venue.tick()) == [(0, 0, 5, 0)]
    assert venue.tick() == []  # no spinning
    assert venue.due_ns() == HOUR_NS
    venue.at(HOUR_NS)
    (event,) = venue.tick()
    assert event == PressureChanged(2, "RAIN", *[0] * 8)
    assert venue.due_ns() is None
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_equal_sums_of_other_volume_are_stated_too() -> None:
    """Else the state would keep a bucket that has left, and be due for ever."""
    venue = Prices()
    venue.exchange(traded(4_000, 5))
    venue.at(MINUTE_NS)
    assert pressures(venue.exchange(traded(4_000, 5))) == [(5, 0, 10, 0)]
    assert venue.due_ns() == 2 * MINUTE_NS
    venue.at(HOUR_NS)
    assert pressures(venue.exchange(traded(4_000, 5))) == [(5, 0, 10, 0)]
    assert pressures(venue.tick()) == []
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_pressure_is_stated_once_for_a_group_of_records() -> None:
    venue = Prices()
    inputs = [venue.stored(traded(4_000, 1)) for _ in range(10)]
    assert pressures(venue.driver.take(inputs)) == [(10, 0, 10, 0)]


def test_time_is_looked_at_even_while_other_symbols_trade() -> None:
    venue = Prices("RAIN", "SNOW")
    venue.exchange(traded(4_000, 5))
    venue.at(MINUTE_NS)
    events = venue.exchange(traded(4_000, 3, symbol="SNOW"))
    assert [
        (event.symbol, event.buy_lots_1m) for event in events if isinstance(event, PressureChanged)
    ] == [
        ("SNOW", 3),
        ("RAIN", 0),
    ]


def test_trades_long_ago_count_when_they_were() -> None:
    """After a stall the engine reads old records: they are not news of this minute."""
    venue = Prices()
    venue.at(10 * MINUTE_NS)
    assert pressures(venue.exchange(traded(4_000, 5), time_ns=START_NS)) == [(0, 0, 5, 0)]
    assert pressures(venue.exchange(traded(4_000, 5), time_ns=START_NS)) == [(0, 0, 10, 0)]
    venue.at(3 * HOUR_NS)
    assert pressures(venue.exchange(traded(4_000, 5), time_ns=START_NS)) == [(0, 0, 0, 0)]
    assert venue.due_ns() is None
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_exchange_clock_ahead_of_ours() -> None:
    venue = Prices()
    ahead = START_NS + 5 * SECOND_NS
    assert pressures(venue.exchange(traded(4_000, 5), time_ns=ahead)) == [(5, 0, 5, 0)]
    assert pressures(venue.exchange(traded(4_000, 5), time_ns=START_NS)) == [(10, 0, 10, 0)]
    # its time cannot go back, so the second trade is not older than the first
    venue.at(MINUTE_NS + 5 * SECOND_NS - 1)
    assert venue.tick() == []
    venue.at(MINUTE_NS + 5 * SECOND_NS)
    assert pressures(venue.tick()) == [(0, 0, 10, 0)]
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_more_symbols_than_one_record_holds() -> None:
    names = [f"S{number}" for number in range(MAX_GROUP_EVENTS + 10)]
    venue = Prices(*names)
    venue.exchange(*(traded(4_000, 1, symbol=name) for name in names))
    assert venue.driver.engine.next_due_ns(venue.driver.state) == 0
    assert len(venue.tick()) == 10
    venue.at(MINUTE_NS)
    assert len(venue.tick()) == MAX_GROUP_EVENTS
    assert len(venue.tick()) == 10
    assert venue.tick() == []
    check_folds(venue.driver)
    check_decides_again(venue.driver)


def test_stated_pressure_that_was_never_traded_is_a_broken_invariant() -> None:
    venue = Prices()
    venue.exchange(traded(4_000, 5))
    with pytest.raises(BrokenInvariant):
        venue.driver.engine.evolve(
            venue.driver.state, PressureChanged(1, "RAIN", 4, 0, 1, 0, 5, 0, 1, 0)
        )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [0, 1, SECOND_NS - 1, SECOND_NS, 20 * SECOND_NS, MINUTE_NS, 9 * MINUTE_NS, HOUR_NS]
        ),
        st.integers(0, 3 * SECOND_NS),  # how far the exchange's record is behind
        st.lists(
            st.tuples(
                st.sampled_from(["RAIN", "SNOW"]),
                st.sampled_from(["buy", "sell"]),
                st.integers(1, 9),
            ),
            max_size=4,
        ),
    ),
    max_size=40,
)


class Naive:
    """Every trade kept for ever; the windows counted anew each time."""

    def __init__(self) -> None:
        self.trades: list[tuple[int, str, str, int]] = []

    def window(self, symbol: str, now_ns: int, bucket_ns: int) -> tuple[int, int]:
        lots = {"buy": 0, "sell": 0}
        for at_ns, name, side, quantity in self.trades:
            if name == symbol and now_ns // bucket_ns - at_ns // bucket_ns < 60:
                lots[side] += quantity
        return lots["buy"], lots["sell"]


@drawn(200)
@given(STEPS)
def test_windows_equal_a_naive_recomputation(
    steps: list[tuple[int, int, list[tuple[str, str, int]]]],
) -> None:
    venue, naive = Prices("RAIN", "SNOW"), Naive()
    venue.at(HOUR_NS)
    stated = {"RAIN": (0, 0, 0, 0), "SNOW": (0, 0, 0, 0)}
    exchange_ns = 0
    for wait_ns, behind_ns, trades in steps:
        venue.driver.at(venue.driver.now_ns + wait_ns)
        now_ns = venue.driver.now_ns
        exchange_ns = max(exchange_ns, now_ns - behind_ns)
        if trades:
            naive.trades += [(exchange_ns, *trade) for trade in trades]
            events = venue.exchange(
                *(traded(5_000, lots, side, symbol) for symbol, side, lots in trades),
                time_ns=exchange_ns,
            )
        else:
            events = venue.tick()
        for event in events:
            if isinstance(event, PressureChanged):
                (stated[event.symbol],) = pressures([event])
        for symbol in stated:
            expected = naive.window(symbol, now_ns, SECOND_NS) + naive.window(
                symbol, now_ns, MINUTE_NS
            )
            assert stated[symbol] == expected
        due = venue.driver.engine.next_due_ns(venue.driver.state)
        assert due is None or due > now_ns
    check_folds(venue.driver)
    check_decides_again(venue.driver)


@drawn(50)
@given(STEPS, st.data())
def test_snapshot_and_tail_give_what_the_whole_past_gives(
    steps: list[tuple[int, int, list[tuple[str, str, int]]]], data: st.DataObject
) -> None:
    venue = Prices("RAIN", "SNOW")
    engine = PricingEngine()
    cut = data.draw(st.integers(0, len(steps)))
    snapshot, head = engine.dump(venue.driver.state), venue.driver.head
    known = len(venue.driver.records)
    for number, (wait_ns, _, trades) in enumerate(steps):
        if number == cut:
            snapshot, head = engine.dump(venue.driver.state), venue.driver.head
            known = len(venue.driver.records)
        venue.driver.at(venue.driver.now_ns + wait_ns)
        venue.exchange(*(traded(5_000, lots, side, symbol) for symbol, side, lots in trades))
        venue.tick()
    state = engine.load(snapshot)
    for payload in venue.driver.records[known:]:
        head = fold(engine, state, head, decoded(payload), payload)
    assert engine.dump(state) == engine.dump(venue.driver.state)
    assert engine.next_due_ns(state) == engine.next_due_ns(venue.driver.state)
    # and what comes next is the same, too
    venue.driver.at(venue.driver.now_ns + MINUTE_NS)
    now_ns = venue.driver.now_ns
    assert engine.on_group_end(state, [], now_ns) == engine.on_group_end(
        venue.driver.state, [], now_ns
    )
