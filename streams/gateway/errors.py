"""One envelope for every error of the gateway, and the HTTP status of every code.

    {"error": {"code": "unknown_symbol", "message": "…", "detail": {…} or null}}

`code` is stable; `message` is for people; `detail` depends on the code.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from schemas.errors import (
    BadSignature,
    Busy,
    EverythingError,
    Halt,
    InputError,
    MalformedMessage,
    NotFound,
    OperatingError,
    OverQuota,
    Refusal,
    Refused,
    TooLarge,
)
from schemas.limits import RETRY_AFTER_S
from streams.accounts.errors import Unauthorized

_log = structlog.get_logger(__name__)

_NOT_PROVEN = 401
_NOT_ALLOWED = 403
_NOT_FOUND = 404
_CONFLICT = 409
_TOO_LARGE = 413
_INVALID = 422
_TOO_MANY = 429
_UNAVAILABLE = 503

REFUSAL_STATUS: Final[Mapping[str, int]] = {
    Refusal.MALFORMED: 400,
    Refusal.TOO_LARGE: _TOO_LARGE,
    Refusal.BAD_SIGNATURE: _NOT_PROVEN,
    Refusal.UNKNOWN_ACCOUNT: _NOT_FOUND,
    Refusal.UNKNOWN_SYMBOL: _NOT_FOUND,
    Refusal.UNKNOWN_SOURCE: _NOT_FOUND,
    Refusal.UNKNOWN_REVIEW: _NOT_FOUND,
    Refusal.UNKNOWN_KEY: _NOT_ALLOWED,
    Refusal.KEY_REVOKED: _NOT_ALLOWED,
    Refusal.ROLE_TOO_LOW: _NOT_ALLOWED,
    Refusal.HOLDS_THE_SYMBOL: _NOT_ALLOWED,
    Refusal.NOT_YOUR_ORDER: _NOT_ALLOWED,
    Refusal.STALE: _CONFLICT,
    Refusal.DUPLICATE: _CONFLICT,
    Refusal.ACCOUNT_EXISTS: _CONFLICT,
    Refusal.MARKET_HALTED: _CONFLICT,
    Refusal.MARKET_CLOSED: _CONFLICT,
    Refusal.INSUFFICIENT_FUNDS: _CONFLICT,
    Refusal.WOULD_CROSS: _CONFLICT,
    Refusal.NOT_FILLABLE: _CONFLICT,
    Refusal.ORDER_NOT_OPEN: _CONFLICT,
    Refusal.NO_GENESIS: _CONFLICT,
    Refusal.GENESIS_EXISTS: _CONFLICT,
    Refusal.WRONG_VENUE: _CONFLICT,
    Refusal.KEY_EXISTS: _CONFLICT,
    Refusal.COUNTER_REUSED: _CONFLICT,
    Refusal.EXPIRED: _CONFLICT,
    Refusal.LAST_SUPER_ADMIN: _CONFLICT,
    Refusal.SYMBOL_EXISTS: _CONFLICT,
    Refusal.SOURCE_EXISTS: _CONFLICT,
    Refusal.WRONG_MARKET_STATE: _CONFLICT,
    Refusal.ALREADY_SIGNED: _CONFLICT,
    Refusal.TOO_MANY_ACCOUNTS: _CONFLICT,
    Refusal.TOO_MANY_PENDING: _CONFLICT,
    Refusal.TOO_MANY_IDS: _CONFLICT,
    Refusal.TOO_MANY_SOURCES: _CONFLICT,
    Refusal.OPEN_ORDER_LIMIT: _CONFLICT,
    Refusal.POSITION_LIMIT: _CONFLICT,
}
"""A refusal that is not here is about the request's content: 422."""

_STATUS_CODES: Final[Mapping[int, str]] = {
    400: "malformed",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "wrong_content_type",
}


class FoundingRefused(InputError):
    """Somebody who may not found this venue, or not so."""


class FoundingClosed(FoundingRefused):
    """This gateway's home holds no founding code."""

    code = "founding_closed"


class FoundingCodeMissing(FoundingRefused):
    code = "founding_code_missing"


class WrongFoundingCode(FoundingRefused):
    code = "wrong_founding_code"


class ForeignNotary(FoundingRefused):
    """The genesis names a key that this venue's notary does not have: no seal would ever count."""

    code = "foreign_notary_key"


class WrongContentType(InputError):
    code = "wrong_content_type"


class BodyTimeout(InputError):
    """The request's body did not arrive in time."""

    code = "body_timeout"


class HeaderTimeout(InputError):
    """The request's headers did not arrive in time."""

    code = "header_timeout"


class OversizedHeaders(InputError):
    """More or larger headers than a request may have."""

    code = "headers_too_large"


class TargetTooLong(InputError):
    """A path and query longer than a request may have."""

    code = "target_too_long"


class UnknownHost(InputError):
    """The request was made for another host than this venue's."""

    code = "unknown_host"


class Starting(OperatingError):
    """The gateway has not read the log to its end yet."""

    code = "starting"


class RefusedAt(Refused):
    """A refusal of one field of the request."""

    def __init__(self, refusal: Refusal, field: str, problem: str) -> None:
        super().__init__(refusal, problem)
        self.field = field


class FieldInvalid(InputError):
    """A field of a signed text that makes no sense."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class RefusedOnLog(InputError):
    """A refusal that stands on the log, as the outcome of the message at `sequence`."""

    def __init__(self, code: str, detail: str, sequence: int) -> None:
        super().__init__(detail)
        self.refusal = code
        self.sequence = sequence


_INPUT_STATUS: Final[Mapping[type[InputError], int]] = {
    BodyTimeout: 408,
    HeaderTimeout: 408,
    TargetTooLong: 414,
    WrongContentType: 415,
    UnknownHost: 421,
    OversizedHeaders: 431,
}


def envelope(
    status: int,
    code: str,
    message: str,
    detail: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response that carries one error."""
    body = msgspec.json.encode({"error": {"code": code, "message": message, "detail": detail}})
    return Response(body, status, headers, media_type="application/json")


def status_of(error: EverythingError) -> int:
    """Return the HTTP status for a typed error."""
    match error:
        case Refused() | RefusedOnLog():
            return REFUSAL_STATUS.get(error.refusal, _INVALID)
        case NotFound():
            return _NOT_FOUND
        case Unauthorized() | BadSignature():
            return _NOT_PROVEN
        case FoundingRefused():
            return _NOT_ALLOWED
        case MalformedMessage():
            return 400
        case TooLarge():
            return _TOO_LARGE
        case OverQuota():
            return _TOO_MANY
        case InputError():
            return _INPUT_STATUS.get(type(error), _INVALID)
        case OperatingError() | Halt():
            return _UNAVAILABLE
        case _:
            return 500


def respond(error: EverythingError) -> Response:
    """Return the response for a typed error."""
    status = status_of(error)
    code = str(error.refusal) if isinstance(error, Refused | RefusedOnLog) else error.code
    headers = {}
    if status == _NOT_PROVEN:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, OverQuota | Busy):
        headers["Retry-After"] = str(error.retry_after_s)
    elif status == _UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return envelope(status, code, _message(error, code), _detail(error), headers)


def _message(error: EverythingError, code: str) -> str:
    text = error.detail if isinstance(error, Refused) else str(error)
    return text or code.replace("_", " ")


def _detail(error: EverythingError) -> Any:
    match error:
        case RefusedAt() | FieldInvalid():
            return {"field": error.field}
        case RefusedOnLog():
            return {"sequence": error.sequence}
        case _:
            return None


_UNION_TAGS: Final = frozenset({"one_order", "many_orders"})


def _field(location: Sequence[Any]) -> str:
    path = ""
    for part in location[1:]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in _UNION_TAGS:
            path += f".{part}" if path else str(part)
    return path or str(location[0])


def _invalid(error: RequestValidationError) -> Response:
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return envelope(400, "malformed", "the body is not JSON")
    fields = [{"field": _field(p["loc"]), "problem": p["msg"]} for p in problems]
    first = fields[0]
    message = f"{first['field']}: {first['problem']}"
    return envelope(_INVALID, InputError.code, message, {"fields": fields})


def _http(error: HTTPException) -> Response:
    code = _STATUS_CODES.get(error.status_code, "error")
    message = "the body is not JSON" if error.status_code == 400 else str(error.detail).lower()
    return envelope(error.status_code, code, message, headers=error.headers)


def unexpected(error: Exception) -> Response:
    """Log an unforeseen exception; the caller learns only that the request failed."""
    _log.error("request failed", exc_info=error)
    return envelope(500, "internal", "the request failed; the correlation id names it in the logs")


def install_handlers(app: FastAPI, on_halt: Callable[[Halt], None]) -> None:
    """Give `app` the handlers that turn every error into the envelope."""

    async def typed(_: Request, error: Exception) -> Response:
        assert isinstance(error, EverythingError)
        if isinstance(error, Halt):
            on_halt(error)
        return respond(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _invalid(error)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _http(error)

    app.add_exception_handler(EverythingError, typed)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
