"""Decide: the opening of accounts."""

from collections.abc import Sequence

from engines.exchange.decide.governance import may_mint
from engines.exchange.decide.refusals import refused, sayable
from engines.exchange.limits import FUTURE_AFTER_NS, MAX_ACCOUNTS, STALE_AFTER_NS
from engines.exchange.state import State
from schemas.codec import encode
from schemas.commands import AccountOpening, OpenAccount
from schemas.errors import BadSignature, Refusal
from schemas.events.exchange import (
    AccountOpened,
    CashCredited,
    CreditRefused,
    Event,
)
from schemas.signatures import verify
from schemas.subjects import is_account


def judge(
    state: State, sequence: int, name: str, command: OpenAccount, now_ns: int
) -> Sequence[Event]:
    """Return AccountOpened, with the policy's signup grant if it has one, or CommandRefused."""
    code = _problem(state, name, command, now_ns)
    if code is not None:
        return (refused(sequence, sayable(name), "", code),)
    opened = AccountOpened(sequence, name, command.public_key)
    grant = state.policy.signup_grant_cents
    if not grant:
        return (opened,)
    if not may_mint(state, grant):
        code = Refusal.AMOUNT_OUT_OF_RANGE
        return (opened, CreditRefused(sequence, name, grant, code.value))
    return (opened, CashCredited(sequence, name, grant, "signup_grant"))


def _problem(state: State, name: str, command: OpenAccount, now_ns: int) -> Refusal | None:
    if not state.venue_id:
        return Refusal.NO_GENESIS
    if not is_account(name):
        return Refusal.BAD_ACCOUNT_NAME
    if command.client_time_ns < now_ns - STALE_AFTER_NS:
        return Refusal.STALE
    if command.client_time_ns > now_ns + FUTURE_AFTER_NS:
        return Refusal.FROM_THE_FUTURE
    if name in state.accounts:
        return Refusal.ACCOUNT_EXISTS
    if len(state.accounts) >= MAX_ACCOUNTS:
        return Refusal.TOO_MANY_ACCOUNTS
    opening = AccountOpening(
        account=name,
        public_key=command.public_key,
        client_time_ns=command.client_time_ns,
        venue_id=state.venue_id,
    )
    try:
        verify(command.public_key, encode(opening), command.signature)
    except BadSignature:
        return Refusal.BAD_SIGNATURE
    return None
