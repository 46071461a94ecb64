"""Sessions: a challenge, its signed answer, and the token that trading takes."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from schemas.errors import Refusal
from schemas.sessions import opening_text
from schemas.signatures import verify
from streams.gateway.auth import create_account_dependency
from streams.gateway.context import GatewayContext
from streams.gateway.errors import RefusedAt
from streams.gateway.limits import CHALLENGE_LIFE_S, SESSION_LIFE_S
from streams.gateway.models import (
    ChallengeIn,
    ChallengeOut,
    SessionIn,
    SessionOut,
    WhoAmI,
)
from streams.gateway.routes.common import errors, reply

_NO_STORE: Final = {"Cache-Control": "no-store"}


def create_session_router(context: GatewayContext) -> APIRouter:
    """Return the routes that open a session and say whose it is."""
    router = APIRouter(prefix="/session", tags=["sessions"])
    account_of_session = create_account_dependency(context)
    directory, sessions = context.directory, context.sessions

    def venue_and_key(account: str) -> tuple[str, str]:
        context.check_ready()
        if directory.venue is None:
            raise RefusedAt(Refusal.NO_GENESIS, "account", "this venue has not been founded yet")
        key = directory.key_of(account)
        if key is None:
            raise RefusedAt(Refusal.UNKNOWN_ACCOUNT, "account", f"there is no account {account!r}")
        return directory.venue.venue_id, key

    @router.post(
        "/challenge",
        summary="Ask for a nonce to sign",
        response_model=ChallengeOut,
        responses=errors(404, 409),
    )
    async def challenge(body: ChallengeIn) -> Response:
        """Return a nonce, good for a minute and for one session of this account."""
        venue_id, _ = venue_and_key(body.account)
        nonce = sessions.challenge(body.account)
        answer = ChallengeOut(nonce=nonce, venue_id=venue_id, expires_in_s=CHALLENGE_LIFE_S)
        return reply(200, answer, _NO_STORE)

    @router.post(
        "",
        summary="Open a session",
        response_model=SessionOut,
        responses=errors(401, 404, 409),
    )
    async def open_session(body: SessionIn) -> Response:
        """Return a bearer token for the account whose key signed

        `{"type":"session_opening/1","account":…,"nonce":…,"venue_id":…}` (no white space).
        """
        venue_id, key = venue_and_key(body.account)
        challenge_id = sessions.check_challenge(body.account, body.nonce)
        verify(key, opening_text(body.account, body.nonce, venue_id), body.signature)
        token = sessions.open(body.account, challenge_id)
        answer = SessionOut(token=token, account=body.account, expires_in_s=SESSION_LIFE_S)
        return reply(200, answer, _NO_STORE)

    @router.get("", summary="Who am I", response_model=WhoAmI, responses=errors(401, 404, 409))
    async def who_am_i(account: Annotated[str, Depends(account_of_session)]) -> WhoAmI:
        """Return the session's account."""
        _, key = venue_and_key(account)
        return WhoAmI(account=account, public_key=key)

    return router
