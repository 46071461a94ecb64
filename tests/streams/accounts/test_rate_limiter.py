"""Buckets: never more than the rate times the time and the burst, and bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Busy
from schemas.units import DAY_NS, MINUTE_NS, SECOND_NS
from streams.accounts import rate_limiter
from streams.accounts.rate_limiter import Buckets, Rate, RateLimiter, per_second
from tests.streams.gateway.house import SetClock

RATES = st.builds(
    Rate,
    st.integers(1, 10**9),
    st.sampled_from([SECOND_NS, MINUTE_NS, DAY_NS]),
    st.integers(1, 10**9),
)
STEPS = st.lists(st.tuples(st.integers(0, 2 * DAY_NS), st.integers(1, 10**9)), max_size=60)


@given(RATES, STEPS)
def test_never_more_than_the_rate_and_the_burst(rate: Rate, steps: list[tuple[int, int]]) -> None:
    """Over every stretch of time, by an asker who takes whatever he gets."""
    clock = SetClock()
    buckets = Buckets(clock)
    taken: list[tuple[int, int]] = []
    for pause_ns, amount in steps:
        clock.ns += pause_ns
        if not buckets.take("eve", rate, amount):
            taken.append((clock.ns, amount))
    for first in range(len(taken)):
        total = 0
        for at_ns, amount in taken[first:]:
            total += amount
            allowed = rate.amount * (at_ns - taken[first][0]) + rate.burst * rate.period_ns
            assert total * rate.period_ns <= allowed


@given(RATES, STEPS)
def test_who_waits_as_long_as_told_gets_it(rate: Rate, steps: list[tuple[int, int]]) -> None:
    clock = SetClock()
    buckets = Buckets(clock)
    for pause_ns, amount in steps:
        clock.ns += pause_ns
        asked = min(amount, max(1, rate.burst // 2))
        wait_ns = buckets.take("bob", rate, asked)
        # a burst so small that not one fits in rounded nanoseconds would wait for ever
        if wait_ns and rate.burst * rate.period_ns // rate.amount >= 2 * (
            -(-asked * rate.period_ns // rate.amount)
        ):
            clock.ns += wait_ns - 1
            assert buckets.take("bob", rate, asked)
            clock.ns += 1
            assert not buckets.take("bob", rate, asked)


def test_a_refusal_costs_nothing() -> None:
    clock = SetClock()
    buckets, rate = Buckets(clock), per_second(1, 2)
    assert [bool(buckets.take("eve", rate)) for _ in range(100)] == [False] * 2 + [True] * 98
    clock.ns += SECOND_NS
    assert not buckets.take("eve", rate)


def test_names_do_not_share() -> None:
    buckets, rate = Buckets(SetClock()), per_second(1, 1)
    assert not buckets.take("eve", rate)
    assert not buckets.take("bob", rate)
    assert buckets.take("eve", rate)


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    clock = SetClock()
    buckets, rate = Buckets(clock), per_second(1, 1)
    assert not buckets.take("eve", rate)
    clock.ns -= 3_600 * SECOND_NS
    assert buckets.take("eve", rate)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million names leave a bounded table, and who used his burst last is still bounded."""
    monkeypatch.setattr(rate_limiter, "MAX_LIMITED_NAMES", 100)
    clock = SetClock()
    buckets, rate = Buckets(clock), Rate(1, DAY_NS, 1)
    for number in range(10_000):
        buckets.take(f"{number}", rate)
        assert len(buckets) <= 100
    assert buckets.take("9999", rate), "the newest are remembered"


def test_full_buckets_are_forgotten_before_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "MAX_LIMITED_NAMES", 100)
    clock = SetClock()
    buckets = Buckets(clock)
    assert not buckets.take("eve", Rate(1, DAY_NS, 1))
    for number in range(10_000):
        clock.ns += SECOND_NS
        buckets.take(f"{number}", per_second(1, 1))
    assert buckets.take("eve", Rate(1, DAY_NS, 1))


def test_the_limiter_says_when_to_come_again() -> None:
    clock = SetClock()
    limiter = RateLimiter(clock, "too much")
    for _ in range(10):
        limiter.admit(10, "eve")
    with pytest.raises(Busy, match="too much; try again in 6 s") as refused:
        limiter.admit(10, "eve")
    limiter.admit(10, "bob")
    clock.ns += refused.value.retry_after_s * SECOND_NS
    limiter.admit(10, "eve")
