"""The HTTP door, by its own OpenAPI document: typed answers in bounded time, and no 500.

Cases are schemathesis's: what the document allows, and what it does not. The event streams
are left out, because they never end; `tests/projections/feeds/test_sse.py` has them.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from projections.api import create_read_router
from schemas.decisions import AddSource
from schemas.sources import Source
from tests.fuzz.budget import examples
from tests.fuzz.junk import VALUES, dumped, golden, near
from tests.projections.api.test_api import who
from tests.projections.reading import project_all
from tests.projections.story import told
from tests.streams.gateway.house import House, Key, open_house
from tests.streams.gateway.test_push import article
from tests.support.postgres import PostgresServer

WITHIN_S = 10
JSON = {"content-type": "application/json"}
HEALTHY = {"the history has not caught up yet", "states cannot be folded here"}
"""What `store_unavailable` may say in a house without a historian and its states."""
BOUNDED = {"busy", "tables_behind"}
"""Codes of bounds that a request may reach; the log here is not the one that was projected."""
OWN_WORDS = {"/api/v1/ready"}
"""Its 503 is no error, but the answer."""
WRONG_METHOD = "405"
"""Drawn cases may use another method than documented; no operation documents that."""
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


class Door(NamedTuple):
    """A founded venue with a market, an account and a push source, and its read API."""

    runner: asyncio.Runner
    house: House
    session: dict[str, str]
    pen: Key
    operations: list[Any]

    def send(self, method: str, url: str, **request: Any) -> httpx.Response:
        """Send one request; fail unless it is answered in time and in our own words."""

        async def sent() -> httpx.Response:
            async with asyncio.timeout(WITHIN_S):
                return await self.house.client.request(method, url, **request)

        answer = self.runner.run(sent())
        check(answer)
        assert self.house.halts == [], "a request must never halt the process that serves it"
        return answer

    def post(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        url = f"http://door/api/v1{path}"
        return self.send("POST", url, content=content, headers={**JSON, **headers})


def check(answer: httpx.Response) -> None:
    """Assert that an answer is one of ours."""
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert set(error) == {"code", "message", "detail"}
        assert error["code"] != "error", answer.text
        if answer.status_code >= 500:
            assert answer.status_code == 503, answer.text
            assert error["code"] in BOUNDED or error["message"] in HEALTHY, answer.text


@pytest.fixture(scope="module")
def door(postgres: PostgresServer) -> Iterator[Door]:
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        patch.setattr("projections.api.at.TABLES_WAIT_S", 0)
        dsn = postgres.new_database()
        runner.run(_projected(dsn))
        manager = open_house(routers=(create_read_router(dsn, who),))
        house = runner.run(manager.__aenter__())
        session, pen = runner.run(_inhabited(house))
        document = runner.run(house.get("/openapi.json")).json()
        operations = [one for one in _operations(document) if one.path not in OWN_WORDS]
        yield Door(runner, house, session, pen, operations)
        runner.run(manager.__aexit__(None, None, None))


def _operations(document: dict[str, Any]) -> Iterator[Any]:
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


async def _projected(dsn: str) -> None:
    await project_all(told(seed=3, records=60).scribe.server, dsn)


async def _inhabited(house: House) -> tuple[dict[str, str], Key]:
    await house.open_for_trade()
    pen = Key()
    source = Source(source="wire", name="Wire", kind="push", push_key=pen.public)
    answer = await house.act(AddSource(**house.terms(), source=source))
    assert answer.status_code == 200, answer.text
    return await house.trader("alice"), pen


def _request(case: Any, session: dict[str, str]) -> dict[str, Any]:
    """Return a case as httpx takes it: a body that is no JSON goes as the bytes it is."""
    drawn = case.as_transport_kwargs(base_url="http://door")
    request = {name: drawn[name] for name in ("method", "url", "params") if name in drawn}
    if "data" in drawn:
        request["content"] = drawn["data"]
    elif "json" in drawn:
        request["content"] = dumped(drawn["json"])
    return {**request, "headers": {**drawn.get("headers", {}), **session}}


def test_every_operation_is_drawn_from(door: Door) -> None:
    paths = {operation.path for operation in door.operations}
    assert {"/api/v1/orders", "/api/v1/reality/ingest", "/api/v1/markets"} <= paths
    assert len(door.operations) > 30


def _draw(door: Door, operation: Any, mode: GenerationMode) -> int:
    """Ask for one operation in many ways; return in how many."""
    asked = 0

    @examples(6)
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def ask(case: Any, known: bool) -> None:
        nonlocal asked
        answer = door.send(**_request(case, door.session if known else {}))
        asked += 1
        documented = {*operation.definition.raw["responses"], WRONG_METHOD}
        assert str(answer.status_code) in documented, f"{operation.label}: {answer.text}"

    with contextlib.suppress(Unsatisfiable):  # what takes anything has nothing to get wrong
        ask()
    return asked


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name.lower())
def test_whatever_is_asked_is_answered_as_documented(door: Door, mode: GenerationMode) -> None:
    asked = [_draw(door, operation, mode) for operation in door.operations]
    assert sum(map(bool, asked)) > len(asked) * 2 // 3


def test_a_push_that_is_nearly_right_is_answered(door: Door) -> None:
    action = door.pen.action(article(door.house))
    texts = (dumped(action), action["body"].encode())

    @examples(60)
    @given(content=near(texts))
    def push(content: bytes) -> None:
        door.post("/reality/ingest", content)

    @examples(60)
    @given(body=near(texts))
    def sign_and_push(body: bytes) -> None:
        text = body.decode("utf-8", "replace")
        signed = {
            "key": door.pen.public,
            "body": text,
            "signature": door.pen.sign(text.encode()),
        }
        door.post("/reality/ingest", dumped(signed))

    push()
    sign_and_push()
    door.house.clock.ns += 60 * 10**9
    assert door.post("/reality/ingest", dumped(action)).status_code == 202


def test_a_decision_that_is_nearly_right_is_refused(door: Door) -> None:
    bodies = tuple(line for line in golden() if b"venue_id" in line)
    root = door.house.root

    @examples(100)
    @given(body=near(bodies), signs=st.booleans())
    def decide(body: bytes, signs: bool) -> None:
        text = body.decode("utf-8", "replace")
        signature = root.sign(text.encode()) if signs else "A" * 86
        action = {"key": root.public, "body": text, "signature": signature}
        answer = door.post("/admin/action", dumped(action))
        assert answer.status_code >= 400, "what names another venue is never carried out"

    decide()


def test_a_claim_that_is_nearly_right_is_refused(door: Door) -> None:
    """The door of secrets lets nobody in whose claim is not exact."""
    printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80)
    names = ("x-key-id", "x-timestamp", "x-nonce", "x-signature")
    claims = st.fixed_dictionaries({}, optional=dict.fromkeys(names, printable))

    @examples(60)
    @given(claim=claims, content=VALUES.map(dumped) | st.binary(max_size=200))
    def claimed(claim: dict[str, str], content: bytes) -> None:
        assert door.post("/ingest", content, **claim).status_code >= 400

    claimed()
