"""POST /accounts: ask for an account that a key will control."""

from typing import Final

from fastapi import APIRouter, Request, Response

from schemas.account_names import is_reserved
from schemas.codec import encode
from schemas.commands import AccountOpening, OpenAccount
from schemas.errors import Refusal
from schemas.events.exchange import AccountOpened, CashCredited, CommandRefused
from schemas.http import COMMAND_ERRORS, errors
from schemas.signatures import is_public_key, verify
from schemas.subjects import EXCHANGE, account_command, is_account
from schemas.units import to_decimal
from streams.accounts.directory import Directory
from streams.gateway.context import Context
from streams.gateway.errors import RefusedAt, RefusedOnLog
from streams.gateway.models import OpenAccountIn, OpenedAccountOut
from streams.gateway.outcomes import Outcome
from streams.gateway.routes.common import address_of, reply

router: Final = APIRouter(tags=["accounts"])


@router.post(
    "/accounts",
    summary="Open an account",
    status_code=201,
    response_model=OpenedAccountOut,
    responses={
        202: {"model": OpenedAccountOut, "description": "Durable, but not decided in time."},
        **errors(*COMMAND_ERRORS, 401, 409),
    },
)
async def open_account(context: Context, request: Request, body: OpenAccountIn) -> Response:
    """Open an account. The key's holder signs, so no one can open one in another's name."""
    context.check_ready()
    _check(body, context.directory, context.clock.now_ns())
    context.outcomes.admit()
    context.sign_ups.admit_account(address_of(request))
    command = OpenAccount(body.client_time_ns, body.public_key, body.signature)
    subject = account_command(context.log.shard, body.account)
    sequence = await context.appender.append(subject, encode(command))
    outcome = await context.outcomes.wait(EXCHANGE, sequence)
    return _answer(body, sequence, outcome)


def _check(body: OpenAccountIn, directory: Directory, now_ns: int) -> None:
    if directory.venue is None:
        raise RefusedAt(Refusal.NO_GENESIS, "account", "this venue has not been founded yet")
    if not is_account(body.account):
        problem = "an account name is 2 to 32 of a-z, 0-9, _ and -, beginning with a letter"
        raise RefusedAt(Refusal.BAD_ACCOUNT_NAME, "account", problem)
    if is_reserved(body.account):
        problem = f"{body.account!r} would be taken for the venue's own"
        raise RefusedAt(Refusal.RESERVED_NAME, "account", problem)
    if not is_public_key(body.public_key):
        raise RefusedAt(Refusal.BAD_KEY, "public_key", "this is no user's public nkey")
    opening = AccountOpening(
        account=body.account,
        public_key=body.public_key,
        client_time_ns=body.client_time_ns,
        venue_id=directory.venue.venue_id,
    )
    verify(body.public_key, encode(opening), body.signature)
    if directory.key_of(body.account) is not None:
        raise RefusedAt(Refusal.ACCOUNT_EXISTS, "account", f"{body.account!r} is taken")
    if directory.has_lapsed(body.account, now_ns):
        problem = f"{body.account!r} has lapsed, and is free again a day later"
        raise RefusedAt(Refusal.ACCOUNT_EXISTS, "account", problem)


def _answer(body: OpenAccountIn, sequence: int, outcome: Outcome | None) -> Response:
    opened = False
    granted_cents = 0
    for event in outcome.events if outcome else ():
        match event:
            case CommandRefused():
                raise RefusedOnLog(event.code, event.detail, sequence)
            case AccountOpened():
                opened = True
            case CashCredited():
                granted_cents += event.amount_cents
            case _:
                pass
    account = OpenedAccountOut(
        sequence=sequence,
        account=body.account,
        public_key=body.public_key,
        status="open" if opened else "pending",
        granted=to_decimal(granted_cents),
    )
    return reply(201 if opened else 202, account)
