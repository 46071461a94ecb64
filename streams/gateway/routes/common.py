"""What the command routes share: how they wait and how they reply."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel

Wait = Annotated[
    Literal["outcome"] | None,
    Query(description="`outcome`: answer when the engine has decided, not as soon as durable."),
]


def address_of(request: Request) -> str:
    """Return the address that a request came from, "" if it has none."""
    return request.client.host if request.client else ""


def reply(status: int, body: BaseModel, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(body.model_dump_json(), status, headers, media_type="application/json")
