"""Decimals at the edge, integers inside, and nothing lost in between."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.units import from_decimal, to_decimal


@given(st.integers(-(10**19), 10**19))
def test_there_and_back(hundredths: int) -> None:
    assert from_decimal(to_decimal(hundredths)) == hundredths
    assert Decimal(to_decimal(hundredths)) * 100 == hundredths


@given(st.decimals(-(10**12), 10**12, places=2))
def test_reads_what_decimal_reads(value: Decimal) -> None:
    assert from_decimal(f"{value:f}") == int(value * 100)


@pytest.mark.parametrize(
    ("text", "hundredths"),
    [
        ("62.5", 6_250),
        ("62.50", 6_250),
        ("62.5000", 6_250),
        ("0", 0),
        ("-0", 0),
        ("-0.01", -1),
        ("007", 700),
    ],
)
def test_plain_decimals(text: str, hundredths: int) -> None:
    assert from_decimal(text) == hundredths


NO_DECIMALS = ["", ".", ".5", "5.", "+5", " 5", "5\n", "1_000", "1,5", "1e3", "1e999999999", "nan"]


@pytest.mark.parametrize(
    "text", [*NO_DECIMALS, "inf", "٥", "0.001", "9" * 19, "0." + "0" * 19, "--5", "0x1"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal number|finer"):
        from_decimal(text)
