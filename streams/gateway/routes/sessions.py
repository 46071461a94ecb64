"""Sessions: a challenge, its signed answer, and the token that trading takes.

`GET /session` is no read of the tables: it says whether this gateway takes the token.
"""

from typing import Final

from fastapi import APIRouter, Request, Response

from schemas.errors import Refusal
from schemas.http import COMMAND_ERRORS, errors
from schemas.sessions import opening_text
from schemas.signatures import verify
from streams.accounts.limits import CHALLENGE_LIFE_S, SESSION_LIFE_S
from streams.gateway.auth import SessionCaller
from streams.gateway.context import Context, GatewayContext
from streams.gateway.errors import RefusedAt
from streams.gateway.models import (
    ChallengeIn,
    ChallengeOut,
    SessionIn,
    SessionOut,
    WhoAmI,
)
from streams.gateway.routes.common import address_of, reply

_NO_STORE: Final = {"Cache-Control": "no-store"}


router: Final = APIRouter(prefix="/session", tags=["sessions"])


@router.post(
    "/challenge",
    summary="Ask for a nonce to sign",
    response_model=ChallengeOut,
    responses=errors(*COMMAND_ERRORS, 404, 409),
)
async def challenge(context: Context, body: ChallengeIn) -> Response:
    """Return a nonce, good for a minute and for one session of this account."""
    venue_id, _ = _venue_and_key(context, body.account)
    nonce = context.sessions.challenge(body.account)
    answer = ChallengeOut(nonce=nonce, venue_id=venue_id, expires_in_s=CHALLENGE_LIFE_S)
    return reply(200, answer, _NO_STORE)


@router.post(
    "",
    summary="Open a session",
    response_model=SessionOut,
    responses=errors(*COMMAND_ERRORS, 401, 404, 409),
)
async def open_session(context: Context, request: Request, body: SessionIn) -> Response:
    """Return a bearer token for the account whose key signed

    `{"type":"session_opening/1","account":…,"nonce":…,"venue_id":…}` (no white space).
    """
    venue_id, key = _venue_and_key(context, body.account)
    context.sign_ups.admit_sign_in(address_of(request))
    challenge_id = context.sessions.check_challenge(body.account, body.nonce)
    verify(key, opening_text(body.account, body.nonce, venue_id), body.signature)
    token = await context.sessions.open(body.account, challenge_id)
    answer = SessionOut(token=token, account=body.account, expires_in_s=SESSION_LIFE_S)
    return reply(200, answer, _NO_STORE)


@router.get(
    "",
    summary="Who am I",
    response_model=WhoAmI,
    responses=errors(*COMMAND_ERRORS, 401, 404, 409),
)
async def who_am_i(caller: SessionCaller) -> WhoAmI:
    """Return the session's account."""
    _, key = _venue_and_key(*caller)
    return WhoAmI(account=caller.account, public_key=key)


def _venue_and_key(context: GatewayContext, account: str) -> tuple[str, str]:
    context.check_ready()
    venue = context.directory.venue
    if venue is None:
        raise RefusedAt(Refusal.NO_GENESIS, "account", "this venue has not been founded yet")
    key = context.directory.key_of(account)
    if key is None:
        raise RefusedAt(Refusal.UNKNOWN_ACCOUNT, "account", f"there is no account {account!r}")
    return venue.venue_id, key
