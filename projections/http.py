"""What the routes of this room share: whose session it is, and their services."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

_BEARER: Final = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="session")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]

AccountByToken = Callable[[HTTPAuthorizationCredentials | None], Awaitable[str]]
"""Returns the account of a session token, or raises a typed error."""


def bound(router: APIRouter, **services: Any) -> APIRouter:
    """Return the routes of `router` with `services` in the state of each of their requests.

    Routes are functions of a module and know no app. This says with which services one app
    has them, and the room's other apps have others.
    """

    async def bind(request: Request) -> None:
        for name, service in services.items():
            setattr(request.state, name, service)

    outer = APIRouter(dependencies=[Depends(bind)])
    outer.include_router(router)
    return outer
