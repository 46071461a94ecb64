"""Who is asking: the account of the request's session, never one that the body names."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from streams.accounts.errors import Unauthorized
from streams.gateway.context import GatewayContext, context_of

_BEARER: Final = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="session")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


def _account_of(context: GatewayContext, credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None:
        raise Unauthorized("a session token is needed: POST /api/v1/session")
    return context.sessions.account(credentials.credentials)


class Caller(NamedTuple):
    """The account that a request's session is of, and the context of its app."""

    context: GatewayContext
    account: str


async def _caller(request: Request, credentials: Credentials) -> Caller:
    context = context_of(request)
    return Caller(context, _account_of(context, credentials))


SessionCaller = Annotated[Caller, Depends(_caller)]
"""The parameter that gives a route its caller; raises Unauthorized or SessionExpired.

It brings the context along: every dependency costs an order some 15 microseconds.
"""


def account_by_token(
    context: GatewayContext,
) -> Callable[[HTTPAuthorizationCredentials | None], Awaitable[str]]:
    """Return how the other rooms' routes learn whose session it is. Raises as SessionCaller."""

    async def account_of(credentials: HTTPAuthorizationCredentials | None) -> str:
        return _account_of(context, credentials)

    return account_of
