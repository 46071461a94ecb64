"""What the routes share: how they reply, and how their errors are documented."""

from typing import Annotated, Any, Final, Literal

from fastapi import Query, Response
from pydantic import BaseModel

from streams.gateway.models import ErrorEnvelope

Wait = Annotated[
    Literal["outcome"] | None,
    Query(description="`outcome`: answer when the engine has decided, not as soon as durable."),
]

_DESCRIPTIONS: Final = {
    400: "The body is not JSON (`malformed`).",
    401: "No valid session, or a signature that does not match or was used before.",
    403: "The key may not do this.",
    404: "No such account, market or source.",
    408: "The body did not arrive in time.",
    409: "Refused as things stand now.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "A field is missing, out of range or makes no sense.",
    503: "The log cannot be reached, or a bound is reached: try again after `Retry-After`. "
    "With `append_unknown` the request may have been stored: repeat it with the same id.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of error statuses; those of any request come on top."""
    body = (400, 408, 413, 415, 422, 503)
    return {
        status: {"model": ErrorEnvelope, "description": _DESCRIPTIONS[status]}
        for status in sorted({*statuses, *body})
    }


def reply(status: int, body: BaseModel, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(body.model_dump_json(), status, headers, media_type="application/json")
