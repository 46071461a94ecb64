"""The formulas against an oracle that shares nothing with them: integers and series alone."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.reality import arithmetic
from schemas.policy import CALIBRATED, SEED_PLAN, RealityPolicy, Scoring
from schemas.units import DAY_NS, HOUR_NS, round_half_even

PRECISE = 10**70
"""The oracle counts in units of 1/PRECISE; it is right to some 60 digits."""
BP = st.integers(-10_000, 10_000)
SHARE = st.integers(0, 10_000)


def exp_minus(x: Fraction) -> Fraction:
    """e^-x by its series, after halving x until it is below 1."""
    halvings = 0
    while x > 1:
        x, halvings = x / 2, halvings + 1
    x = Fraction(x.numerator * PRECISE // x.denominator, PRECISE)
    total = term = Fraction(1)
    for k in range(1, 60):
        term = Fraction(int(term * -x / k * PRECISE), PRECISE)
        total += term
    for _ in range(halvings):
        total = Fraction(int(total * total * PRECISE), PRECISE)
    return total


def ln(n: int) -> Fraction:
    """ln n by ln 2 and the series of the inverse hyperbolic tangent."""

    def atanh(y: Fraction) -> Fraction:
        power, total = y, Fraction(0)
        for k in range(1, 400, 2):
            total += power / k
            power = Fraction(int(power * y * y * PRECISE), PRECISE)
        return total

    doublings = n.bit_length() - 1
    rest = Fraction(n, 2**doublings)
    return 2 * (doublings * atanh(Fraction(1, 3)) + atanh((rest - 1) / (rest + 1)))


def rounded(value: Fraction) -> int:
    return round(value)  # half to even


@given(SHARE, st.integers(1, 500), st.integers(0, 40 * DAY_NS), st.integers(HOUR_NS, 9 * DAY_NS))
def test_weight(trust_bp: int, related: int, age_ns: int, tau_ns: int) -> None:
    exact = trust_bp * (1 + ln(1 + related)) * exp_minus(Fraction(age_ns, tau_ns))
    assert arithmetic.weight_e4(trust_bp, related, age_ns, tau_ns) == rounded(exact)


@given(st.integers(0, 500), SHARE)
def test_confidence(independent: int, trust_bp: int) -> None:
    exact = rounded(trust_bp * ln(1 + independent))
    assert arithmetic.confidence_bp(independent, trust_bp) == min(exact, 10_000)


@pytest.mark.parametrize(("trust_bp", "related"), [(5_001, 0), (1, 0), (9_999, 0), (10_000, 0)])
def test_weight_near_a_half_is_computed_with_more_digits(trust_bp: int, related: int) -> None:
    """Half a weight is what is left after ln 2 of TAU: TAU is as near to that as it can be."""
    for tau_ns in (10**18, 10**15):
        for off_ns in range(-3, 4):
            age_ns = int(ln(2) * tau_ns) + off_ns
            exact = trust_bp * exp_minus(Fraction(age_ns, tau_ns))
            assert arithmetic.weight_e4(trust_bp, related, age_ns, tau_ns) == rounded(exact)


def test_weight_of_the_plan() -> None:
    assert arithmetic.weight_e4(8_500, 1, 0, 1) == 14_392  # 0.85 * (1 + ln 2)
    assert arithmetic.weight_e4(10_000, 2, 48 * HOUR_NS, 48 * HOUR_NS) == 7_720
    assert arithmetic.confidence_bp(1, 8_500) == 5_892
    assert arithmetic.confidence_bp(3, 8_500) == 10_000


@pytest.mark.parametrize("age_ns", [0, 10**18, 2**63 - 1])
@pytest.mark.parametrize("tau_ns", [1, 10**18])
def test_weight_at_the_ends_of_time(age_ns: int, tau_ns: int) -> None:
    assert 0 <= arithmetic.weight_e4(10_000, 500, age_ns, tau_ns) <= 72_167


def test_weight_fades_without_a_step_to_nothing() -> None:
    weights = [arithmetic.weight_e4(10_000, 500, n * HOUR_NS, HOUR_NS) for n in range(110)]
    assert weights == sorted(weights, reverse=True)
    assert weights[11] == 1  # long before it is cut off
    assert weights[-1] == 0


@given(BP, BP, SHARE)
def test_quick(sentiment_bp: int, keywords_bp: int, relevance_bp: int) -> None:
    base = Fraction(4, 10) * sentiment_bp + Fraction(3, 10) * keywords_bp
    sign = (base > 0) - (base < 0)
    exact = rounded(base + Fraction(3, 10) * relevance_bp * sign)
    quick_bp = arithmetic.quick_bp(Scoring(), sentiment_bp, keywords_bp, relevance_bp)
    assert quick_bp == max(-10_000, min(exact, 10_000))
    assert quick_bp * sign >= 0
    # what is said the other way round counts the other way round
    opposite_bp = arithmetic.quick_bp(Scoring(), -sentiment_bp, -keywords_bp, relevance_bp)
    assert opposite_bp == -quick_bp


@pytest.mark.parametrize(
    ("title", "body", "relevance_bp"),
    [(0, 1, 2_000), (0, 2, 4_000), (0, 9, 4_000), (1, 0, 6_000), (3, 1, 8_000), (1, 2, 10_000)],
)
def test_relevance(title: int, body: int, relevance_bp: int) -> None:
    assert arithmetic.relevance_bp(Scoring(), title, body) == relevance_bp
    generous = Scoring(title_relevance_bp=9_000, body_relevance_bp=9_000)
    assert arithmetic.relevance_bp(generous, title, body) <= 10_000


@given(st.integers(0, 72_167), BP, st.sampled_from([SEED_PLAN, CALIBRATED]))
def test_points(weight_e4: int, quick_bp: int, preset: object) -> None:
    policy = getattr(preset, "reality", RealityPolicy())
    scale = Fraction(policy.points_scale_e2, 100)
    exact = rounded(Fraction(weight_e4, 10_000) * Fraction(quick_bp, 10_000) * scale * 100)
    assert arithmetic.computed_e2(policy, weight_e4, quick_bp) == max(-2_000, min(exact, 2_000))


@given(st.integers(-2_000, 2_000), BP, SHARE, SHARE)
def test_blend(computed_e2: int, impact_e2: int, confidence_bp: int, trust_bp: int) -> None:
    sure, trust = Fraction(confidence_bp, 10_000), Fraction(trust_bp, 10_000)
    exact = computed_e2 * (1 - sure) + Fraction(impact_e2, 10_000) * trust * 2_000 * sure
    points_e2 = arithmetic.blended_e2(computed_e2, 2_000, impact_e2, confidence_bp, trust_bp)
    assert points_e2 == rounded(exact)
    assert -2_000 <= points_e2 <= 2_000


@given(
    st.integers(0, 10_000),
    st.lists(st.integers(1, 10_000), max_size=60),
    st.integers(0, 2_000),
)
def test_spike(move_e2: int, moves_e2: list[int], z_score_e2: int) -> None:
    spike = arithmetic.is_spike(move_e2, moves_e2, z_score_e2)
    if not moves_e2:
        assert not spike
        return
    mean = Fraction(sum(moves_e2), len(moves_e2))
    variance = sum((one - mean) ** 2 for one in moves_e2) / len(moves_e2)
    above, z_score = move_e2 - mean, Fraction(z_score_e2, 100)
    assert spike == (above > 0 and above**2 > z_score**2 * max(variance, Fraction(2_500)))


@given(st.integers(), st.integers(min_value=1))
def test_round_half_even(numerator: int, denominator: int) -> None:
    assert round_half_even(numerator, denominator) == round(Fraction(numerator, denominator))
