"""Who is asking: the account of the request's session, never one that the body names."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from streams.gateway.context import Context, GatewayContext
from streams.gateway.errors import Unauthorized

_BEARER: Final = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="session")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


def _account_of(context: GatewayContext, credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None:
        raise Unauthorized("a session token is needed: POST /api/v1/session")
    return context.sessions.account(credentials.credentials)


async def _session_account(context: Context, credentials: Credentials) -> str:
    return _account_of(context, credentials)


SessionAccount = Annotated[str, Depends(_session_account)]
"""The parameter that gives a route the session's account; Unauthorized or SessionExpired."""


def account_by_token(
    context: GatewayContext,
) -> Callable[[HTTPAuthorizationCredentials | None], Awaitable[str]]:
    """Return how the other rooms' routes learn whose session it is. Raises as SessionAccount."""

    async def account_of(credentials: HTTPAuthorizationCredentials | None) -> str:
        return _account_of(context, credentials)

    return account_of
