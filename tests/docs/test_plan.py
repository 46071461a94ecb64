"""docs/plan.md states every threshold of both presets as the code has it."""

from schemas.policy import (
    CALIBRATED,
    PRESETS,
    SEED_PLAN,
    Policy,
    PriceBounds,
    Quota,
    QuotasPolicy,
)
from schemas.units import from_decimal, to_decimal
from tests.docs.test_documents import table
from tests.engines.reality.adversary import reach


def thresholds(policy: Policy) -> dict[tuple[str, str], int]:
    """Return what the pricing and reality engines run by, by section and field."""
    sections = {"pricing": policy.pricing, "price_bounds": policy.bounds() or PriceBounds()}
    return {
        (section, field): getattr(numbers, field)
        for section, numbers in (sections | policy.rules()._asdict()).items()
        for field in numbers.__struct_fields__
    }


def test_what_can_be_moved_without_a_signature_is_as_the_plan_says() -> None:
    rows = table("docs/plan.md", "preset")
    assert {row[0] for row in rows} == set(PRESETS)
    for preset, who, trust, *stated in rows:
        sources, _, new = who.partition(", ")
        trust_bp = from_decimal(trust) * 100
        found = reach(PRESETS[preset], int(sources), trust_bp, known=not new)
        assert [to_decimal(moved_e2) for moved_e2 in found] == stated, (preset, who, trust)


def test_thresholds_are_those_of_the_code() -> None:
    rows = table("docs/plan.md", "section")
    names = [(row[0], row[1].strip("`")) for row in rows]
    assert dict(zip(names, (int(row[2]) for row in rows), strict=True)) == thresholds(SEED_PLAN)
    assert dict(zip(names, (int(row[3]) for row in rows), strict=True)) == thresholds(CALIBRATED)
    assert all(row[4] for row in rows), "each has its reason"


def test_quotas_are_those_of_the_code() -> None:
    quotas = QuotasPolicy()
    assert SEED_PLAN.quotas == CALIBRATED.quotas == quotas
    rows = table("docs/plan.md", "quota")
    assert [row[0].strip("`") for row in rows] == list(Quota.__struct_fields__)
    for column, quota in enumerate((quotas.trader, quotas.maker, quotas.of_newcomer("")), 1):
        stated = [int(row[column]) for row in rows]
        assert stated == [getattr(quota, field) for field in Quota.__struct_fields__]
    assert all(row[4] for row in rows), "each has its reason"
