"""What the command routes share: how they wait and how they reply."""

from typing import Annotated, Literal

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel

from schemas.services import Claim

Wait = Annotated[
    Literal["outcome"] | None,
    Query(description="`outcome`: answer when the engine has decided, not as soon as durable."),
]


async def _claim(
    x_key_id: Annotated[str, Header(description="Which secret.")] = "",
    x_timestamp: Annotated[str, Header(description="Seconds since 1970 UTC.")] = "",
    x_nonce: Annotated[str, Header(description="Never used before.")] = "",
    x_signature: Annotated[str, Header(description="HMAC-SHA256, in hex.")] = "",
) -> Claim:
    return Claim(x_key_id, x_timestamp, x_nonce, x_signature)


SignedClaim = Annotated[Claim, Depends(_claim)]
"""The parameter that gives a route the four headers by which a program signs."""


def address_of(request: Request) -> str:
    """Return the address that a request came from, "" if it has none."""
    return request.client.host if request.client else ""


def reply(status: int, body: BaseModel, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(body.model_dump_json(), status, headers, media_type="application/json")
