"""Decide who may sign what: roles, the people behind keys, and how many must sign."""

from collections.abc import Iterator
from typing import Final

from engines.governance.state import RANKS, EnrolledKey, State
from schemas.decisions import (
    AddSource,
    AnyDecision,
    ApprovePart,
    ApproveReview,
    ChangeSource,
    CloseMarket,
    CoSign,
    EditMarket,
    EnrolKey,
    GrantRole,
    HaltMarket,
    ListMarket,
    Mint,
    OpsOverride,
    QuarantineSource,
    RejectReview,
    ResolveMarket,
    ResumeMarket,
    RevokeKey,
    Role,
    RotateKey,
    SetPolicy,
)

ROOT_HOLDER: Final = "root"
"""The holder of the root key; the genesis names no person."""

ROLE_NEEDED: Final[dict[type[AnyDecision], Role]] = {
    RotateKey: "viewer",
    EditMarket: "editor",
    ListMarket: "admin",
    HaltMarket: "admin",
    ResumeMarket: "admin",
    CloseMarket: "admin",
    ResolveMarket: "admin",
    Mint: "admin",
    AddSource: "admin",
    ChangeSource: "admin",
    QuarantineSource: "admin",
    ApproveReview: "admin",
    ApprovePart: "admin",
    RejectReview: "admin",
    CoSign: "admin",
    EnrolKey: "super-admin",
    GrantRole: "super-admin",
    RevokeKey: "super-admin",
    SetPolicy: "super-admin",
    OpsOverride: "super-admin",
}
"""The lowest role that may sign each decision."""


def may(role: Role, decision: AnyDecision) -> bool:
    """Tell whether `role` is high enough to sign `decision`."""
    return RANKS[role] >= RANKS[ROLE_NEEDED[type(decision)]]


def signers_needed(state: State, decision: AnyDecision, now_ns: int) -> int:
    """Return how many people must sign `decision`.

    To list, close or resolve a political market, or to approve a move of its score, it
    takes the policy's number, as soon as that many people could sign it at all; everything
    else takes one.
    """
    if not _is_political(state, decision) or state.policy is None:
        return 1
    wanted = state.policy.governance.political_signers
    able = {
        key.holder: None
        for key in state.keys.values()
        if key.accepted(now_ns) and may(key.role, decision)
    }
    return wanted if len(able) >= wanted else 1


def _is_political(state: State, decision: AnyDecision) -> bool:
    if isinstance(decision, ListMarket):
        return decision.market_type == "political"
    if isinstance(decision, CloseMarket | ResolveMarket | ApproveReview):
        market = state.markets.get(decision.symbol)
        return market is not None and market.market_type == "political"
    return False


def standing_signers(
    state: State, decision: AnyDecision, signers: list[str], now_ns: int
) -> list[str]:
    """Return those of `signers` whose signature under a waiting `decision` still counts.

    A signature outlives the rotation of its key, but not its revocation, nor the loss of
    the role by the person behind it.
    """
    return [
        name
        for name in signers
        if not state.keys[name].revoked
        and _holder_may(state, state.keys[name].holder, decision, now_ns)
    ]


def _holder_may(state: State, holder: str, decision: AnyDecision, now_ns: int) -> bool:
    return any(
        key.holder == holder and key.accepted(now_ns) and may(key.role, decision)
        for key in state.keys.values()
    )


def keys_of(state: State, signers: list[str]) -> list[str]:
    """Return every key that was ever enrolled for the people behind `signers`.

    Rotated and revoked keys count too: an account that one of them opened is still theirs.
    """
    holders = {state.keys[name].holder: None for name in signers}
    return [name for name, key in state.keys.items() if key.holder in holders]


def with_predecessors(state: State, name: str, now_ns: int) -> Iterator[str]:
    """Yield `name` and the keys it replaced that are still accepted.

    A change of a key applies to these too. Otherwise the holder of the old key would keep
    for a day what was taken from the new one.
    """
    yield name
    replaced = state.keys[name].replaces
    while replaced is not None:
        key = state.keys[replaced]
        if key.accepted(now_ns):
            yield replaced
        replaced = key.replaces


def leaves_a_super_admin(state: State, name: str) -> bool:
    """Tell whether a super-admin key that has neither lapsed nor will remains beside `name`."""
    return any(other != name and _is_lasting_super_admin(key) for other, key in state.keys.items())


def _is_lasting_super_admin(key: EnrolledKey) -> bool:
    return key.role == "super-admin" and not key.revoked and key.lapses_ns is None
