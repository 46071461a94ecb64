"""The presets are good, and every number out of its range is named."""

from typing import Any

import msgspec
import pytest

from schemas.policy import (
    PRESETS,
    SEED_PLAN,
    ExchangePolicy,
    GovernancePolicy,
    PricingPolicy,
    RealityPolicy,
    problem,
)


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name: str) -> None:
    assert problem(PRESETS[name]) is None
    assert PRESETS[name].name == name


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("pricing", PricingPolicy(ewma_alpha_bp=-1)),
        ("pricing", PricingPolicy(ewma_alpha_bp=10_001)),
        ("exchange", ExchangePolicy(signup_grant_cents=-1)),
        ("exchange", ExchangePolicy(max_position_lots=0)),
        ("exchange", ExchangePolicy(max_open_orders=0)),
        ("exchange", ExchangePolicy(max_open_orders=20_001)),
        ("governance", GovernancePolicy(political_signers=0)),
        ("governance", GovernancePolicy(political_signers=10)),
        ("reality", RealityPolicy(tau_ns=-1)),
        ("reality", RealityPolicy(points_scale_e2=2**64)),
    ],
)
def test_out_of_range(part: str, value: Any) -> None:
    policy = msgspec.structs.replace(SEED_PLAN, **{part: value})
    wrong = problem(policy)
    assert wrong is not None
    assert "outside" in wrong
