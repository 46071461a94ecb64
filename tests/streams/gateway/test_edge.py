"""What the outermost layer does to every request."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import APIRouter

from schemas.errors import Refusal
from streams.gateway import edge
from streams.gateway.errors import REFUSAL_STATUS
from streams.gateway.limits import MAX_BODY_BYTES
from tests.streams.gateway.house import House, open_house

PATH = "/api/v1/session/challenge"
JSON = {"content-type": "application/json"}


def code(answer: httpx.Response) -> str:
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "detail"}
    assert body["error"]["message"]
    return str(body["error"]["code"])


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{'account': 1}",
        b'{"account": "a"} trailing',
        b'{"account": "\xff\xfe"}',
        b"[" * 100_000,
        b'{"account": ' + b"9" * 5_000 + b"}",
    ],
)
async def test_malformed_json(house: House, content: bytes) -> None:
    answer = await house.client.post(PATH, content=content, headers=JSON)
    assert answer.status_code == 400
    assert code(answer) == "malformed"


@pytest.mark.parametrize("content", [b"", b"null", b"NaN", b'{"account": "\\ud800"}'])
async def test_json_that_is_no_request(house: House, content: bytes) -> None:
    answer = await house.client.post(PATH, content=content, headers=JSON)
    assert answer.status_code == 422
    assert code(answer) == "bad_input"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"]
)
async def test_wrong_content_type(house: House, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await house.client.post(PATH, content=b'{"account": "alice"}', headers=headers)
    assert answer.status_code == 415
    assert code(answer) == "wrong_content_type"


async def test_content_type_parameters_are_fine(house: House) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    answer = await house.client.post(PATH, content=b'{"account": "alice"}', headers=headers)
    assert code(answer) == "no_genesis"


async def test_an_oversized_body_is_refused_by_its_length(house: House) -> None:
    content = b" " * (MAX_BODY_BYTES + 1)
    answer = await house.client.post(PATH, content=content, headers=JSON)
    assert answer.status_code == 413
    assert code(answer) == "too_large"


async def test_a_body_as_large_as_allowed_is_read(house: House) -> None:
    content = b'{"account": "alice"}'.ljust(MAX_BODY_BYTES)
    answer = await house.client.post(PATH, content=content, headers=JSON)
    assert code(answer) == "no_genesis"


async def test_an_oversized_body_is_refused_while_it_streams(house: House) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65_536

    answer = await house.client.post(PATH, content=endless(), headers=JSON)
    assert answer.status_code == 413
    assert code(answer) == "too_large"
    assert sent == MAX_BODY_BYTES // 65_536 + 1


async def test_a_lying_content_length_does_not_help(house: House) -> None:
    headers = {**JSON, "content-length": "9" * 30}
    answer = await house.client.post(PATH, content=b"{}", headers=headers)
    assert answer.status_code == 413


async def test_a_body_that_never_ends_is_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "BODY_TIMEOUT_S", 0.02)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    answer = await house.client.post(PATH, content=stalled(), headers=JSON)
    assert answer.status_code == 408
    assert code(answer) == "body_timeout"


async def test_a_caller_that_hangs_up_gets_no_answer(house: House) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    app = house.client._transport.app  # type: ignore[attr-defined]  # the test's own transport
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}
    await app(scope, receive, send)
    assert sent == []


async def test_unknown_routes_and_methods_use_the_envelope(house: House) -> None:
    missing = await house.get("/nothing")
    assert (missing.status_code, code(missing)) == (404, "not_found")
    wrong = await house.client.delete("/api/v1/orders")
    assert (wrong.status_code, code(wrong)) == (405, "method_not_allowed")
    slash = await house.get("/health/")
    assert slash.status_code == 404


async def test_the_correlation_id_goes_in_and_out(house: House) -> None:
    given = await house.get("/health", headers={"X-Correlation-Id": "order-7.a_B"})
    assert given.headers["x-correlation-id"] == "order-7.a_B"
    made = await house.get("/health")
    again = await house.get("/health")
    assert made.headers["x-correlation-id"] != again.headers["x-correlation-id"]
    for hostile in ("a b", "x" * 65, 'x"}', ""):
        answer = await house.get("/health", headers={"X-Correlation-Id": hostile})
        assert answer.headers["x-correlation-id"] != hostile
    refused = await house.client.post(PATH, content=b"{", headers={**JSON, "X-Correlation-Id": "7"})
    assert refused.headers["x-correlation-id"] == "7"


async def test_other_origins_get_no_permission(house: House) -> None:
    answer = await house.get("/health", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["x-content-type-options"] == "nosniff"


def broken() -> APIRouter:
    router = APIRouter()

    @router.get("/broken")
    async def fail() -> None:
        raise RuntimeError("the secret is 42")

    return router


async def test_what_nobody_foresaw_is_logged_and_tells_the_caller_nothing() -> None:
    async with open_house(engines=False, routers=(broken(),)) as house:
        with structlog.testing.capture_logs() as logs:
            answer = await house.get("/broken", headers={"X-Correlation-Id": "c-1"})
    assert answer.status_code == 500
    assert code(answer) == "internal"
    assert "42" not in answer.text
    assert answer.headers["x-correlation-id"] == "c-1"
    assert any(isinstance(entry.get("exc_info"), RuntimeError) for entry in logs)


async def test_logs_name_the_request_but_hold_no_token_and_no_body(market: House) -> None:
    headers = await market.trader("alice")
    body = {"client_order_id": "very-private", "symbol": "SNOW", "side": "buy", "quantity": 1}
    processors = [structlog.contextvars.merge_contextvars]
    with structlog.testing.capture_logs(processors=processors) as logs:
        await market.post("/orders", body, headers={**headers, "X-Correlation-Id": "c-9"})
    refused = [entry for entry in logs if entry["event"] == "request refused"]
    assert [(e["status"], e["path"], e["correlation_id"]) for e in refused] == [
        (404, "/api/v1/orders", "c-9")
    ]
    text = json.dumps(logs, default=str)
    assert "very-private" not in text
    assert headers["Authorization"].removeprefix("Bearer ") not in text


def test_every_refusal_has_a_status_of_its_kind() -> None:
    assert set(REFUSAL_STATUS) <= set(Refusal)
    assert set(REFUSAL_STATUS.values()) <= {400, 401, 403, 404, 409, 413}
