"""The outermost layer: correlation ids, content type, body bounds, and the last resort."""

import asyncio
import re
import uuid
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import Busy, EverythingError, TooLarge
from streams.gateway.errors import BodyTimeout, WrongContentType, respond, unexpected
from streams.gateway.limits import BODY_TIMEOUT_S, MAX_BODY_BYTES, MAX_CORRELATION_CHARS

_log = structlog.get_logger(__name__)

CORRELATION_HEADER: Final = "X-Correlation-Id"
_CORRELATION_RAW: Final = CORRELATION_HEADER.lower().encode()
_CORRELATION = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_CORRELATION_CHARS}}}")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class _Gone(Exception):
    """The caller hung up before its body had arrived."""


class Edge:
    """ASGI middleware that every request passes first.

    A body is read here, up to MAX_BODY_BYTES and BODY_TIMEOUT_S, before any route sees it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        correlation = _correlation_id(headers)
        structlog.contextvars.bind_contextvars(correlation_id=correlation)
        answer = _Answer(send, correlation)
        try:
            if scope["method"] in _WITH_BODY:
                receive = await _with_body(headers, receive)
            await self._app(scope, receive, answer.send)
        except _Gone:
            return
        except asyncio.CancelledError:
            # the process ends, and a request that was not answered gets its word
            if answer.status is not None:
                raise
            await respond(Busy("the gateway stops"))(scope, receive, answer.send)
        except EverythingError as error:
            await respond(error)(scope, receive, answer.send)
        except Exception as error:
            if answer.status is not None:
                raise
            await unexpected(error)(scope, receive, answer.send)
        finally:
            if answer.status is None or answer.status >= 400:
                _log.info(
                    "request refused",
                    method=scope["method"],
                    path=scope["path"],
                    status=answer.status,
                )
            structlog.contextvars.unbind_contextvars("correlation_id")


class _Answer:
    """Pass a response on, with the headers that every response has."""

    def __init__(self, send: Send, correlation: str) -> None:
        self._send = send
        self._headers = [
            (_CORRELATION_RAW, correlation.encode()),
            (b"x-content-type-options", b"nosniff"),
        ]
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._headers]
        await self._send(message)


def _correlation_id(headers: Headers) -> str:
    given = headers.get(CORRELATION_HEADER, "")
    return given if _CORRELATION.fullmatch(given) else uuid.uuid4().hex


async def _with_body(headers: Headers, receive: Receive) -> Receive:
    """Read the whole body and return a `receive` that gives it out in one piece.

    Raises TooLarge as soon as that is known, BodyTimeout, or WrongContentType.
    """
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > MAX_BODY_BYTES:
        raise TooLarge(f"a body has at most {MAX_BODY_BYTES} bytes")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await _read(receive)
    except TimeoutError as error:
        raise BodyTimeout(f"the body did not arrive within {BODY_TIMEOUT_S} s") from error
    if body and not _is_json(headers.get("content-type", "")):
        raise WrongContentType("the body must be application/json")
    return _once(body, receive)


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise TooLarge(f"a body has at most {MAX_BODY_BYTES} bytes")
        if not message.get("more_body", False):
            return b"".join(parts)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _once(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
