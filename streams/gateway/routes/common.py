"""What the command routes share: how they wait and how they reply."""

from typing import Annotated, Literal

from fastapi import Query, Response
from pydantic import BaseModel

Wait = Annotated[
    Literal["outcome"] | None,
    Query(description="`outcome`: answer when the engine has decided, not as soon as durable."),
]


def reply(status: int, body: BaseModel, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(body.model_dump_json(), status, headers, media_type="application/json")
