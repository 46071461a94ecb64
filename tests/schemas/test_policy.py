"""The presets are good, and every number out of its range is named."""

from typing import Any

import msgspec
import pytest

from schemas.codec import encode
from schemas.decisions import SetPolicy
from schemas.limits import MAX_DECISION_BYTES
from schemas.policy import (
    MAX_MAKERS,
    PRESETS,
    SEED_PLAN,
    ExchangePolicy,
    GovernancePolicy,
    Policy,
    PricingPolicy,
    Quota,
    QuotasPolicy,
    RealityPolicy,
    problem,
)
from tests.support.policies import widened


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
        *(
            ("quotas", msgspec.structs.replace(QuotasPolicy(), **{whose: Quota(**{field: value})}))
            for whose in ("trader", "maker")
            for field in Quota.__struct_fields__
            for value in (0, 2**31)
        ),
        ("quotas", QuotasPolicy(newcomer_commands_per_s=0)),
        ("quotas", QuotasPolicy(newcomer_command_burst=0)),
        ("quotas", QuotasPolicy(newcomer_bytes_per_s=1_023)),
    ],
)
def test_out_of_range(part: str, value: Any) -> None:
    policy = msgspec.structs.replace(SEED_PLAN, **{part: value})
    wrong = problem(policy)
    assert wrong is not None
    assert "outside" in wrong


@pytest.mark.parametrize(
    ("makers", "wrong"),
    [
        (("bob", "ann"), "sorted"),
        (("ann", "ann"), "twice"),
        (("Ann",), "no account"),
        (tuple(f"m{i:04}" for i in range(MAX_MAKERS + 1)), "more than 256"),
    ],
)
def test_makers_are_few_sorted_and_accounts(makers: tuple[str, ...], wrong: str) -> None:
    quotas = QuotasPolicy(makers=makers)
    assert wrong in str(problem(msgspec.structs.replace(SEED_PLAN, quotas=quotas)))


def test_the_most_makers_fit_into_a_signed_decision() -> None:
    names = tuple(f"m{i:031}" for i in range(MAX_MAKERS))
    policy = msgspec.structs.replace(SEED_PLAN, quotas=QuotasPolicy(makers=names))
    assert problem(policy) is None
    decision = SetPolicy(venue_id="v", counter=1, expires_ns=1, policy=policy, reason="more makers")
    assert len(encode(decision)) < MAX_DECISION_BYTES // 2


def test_the_widest_quotas_are_good() -> None:
    assert problem(widened(SEED_PLAN)) is None


def test_an_account_has_the_quota_of_what_it_is() -> None:
    quotas = QuotasPolicy(makers=("maker",))
    assert quotas.of("maker").commands_per_s == quotas.of_newcomer("maker").commands_per_s == 500
    assert quotas.of("ann").commands_per_s == 20
    newcomer = quotas.of_newcomer("ann")
    assert (newcomer.commands_per_s, newcomer.command_burst, newcomer.bytes_per_s) == (1, 10, 4096)
    assert newcomer.http_connections == quotas.trader.http_connections


def test_a_policy_without_quotas_has_the_bytes_it_always_had() -> None:
    assert b"quotas" not in encode(Policy(name="old"))
    assert isinstance(SEED_PLAN.quotas, QuotasPolicy)
