"""Who is asking: the account of the request's session, never one that the body names."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from streams.gateway.context import GatewayContext
from streams.gateway.errors import Unauthorized

_BEARER: Final = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="session")


def create_account_dependency(context: GatewayContext) -> Callable[..., Awaitable[str]]:
    """Return the FastAPI dependency that gives a route the session's account.

    It raises Unauthorized or SessionExpired. The read API takes the same dependency.
    """

    async def current_account(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> str:
        if credentials is None:
            raise Unauthorized("a session token is needed: POST /api/v1/session")
        return context.sessions.account(credentials.credentials)

    return current_account
