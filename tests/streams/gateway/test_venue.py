"""GET /health, /ready, /venue, and what OpenAPI says."""

from typing import Any

import pytest

from schemas.errors import LogUnavailable
from schemas.subjects import ENGINES, epoch
from tests.simulated.log import SimulatedServer
from tests.streams.gateway.house import House, open_house


async def test_health_is_about_the_process_alone() -> None:
    async with open_house(engines=False) as house:
        await house.context.log.close()
        assert (await house.get("/health")).json() == {"status": "ok"}


async def test_ready_says_what_is_missing(house: House) -> None:
    answer = await house.get("/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "log": True,
        "caught_up": True,
        "founded": False,
        "engines": dict.fromkeys(ENGINES, False),
    }
    await house.found()
    half = (await house.get("/ready")).json()
    assert half["founded"] is True
    assert half["engines"] == {
        "governance": True,
        "exchange": True,
        "reality": False,
        "pricing": False,
        "notary": False,
    }
    for engine in ("reality", "pricing", "notary"):
        house.server.store([(epoch("main", engine), b"{}")])
    assert (await house.get("/ready")).status_code == 200


async def test_not_ready_while_the_log_is_away(house: House) -> None:
    await house.context.log.close()
    answer = await house.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["log"] is False


async def test_a_venue_that_is_not_founded(house: House) -> None:
    venue = (await house.get("/venue")).json()
    assert venue["founded"] is False
    assert venue["shard"] == "main"


async def test_until_it_has_caught_up_the_door_only_says_so(house: House) -> None:
    house.context.tail._at_end.clear()
    assert (await house.get("/health")).status_code == 200
    assert (await house.get("/ready")).json()["caught_up"] is False
    for answer in (
        await house.get("/venue"),
        await house.post("/session/challenge", {"account": "alice"}),
        await house.found(),
    ):
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "starting"
        assert answer.headers["retry-after"] == "1"
    assert house.server.last_sequence == 0


async def test_a_door_opened_later_knows_what_happened_before(market: House) -> None:
    key = await market.open_account("alice")
    headers = await market.session("alice")
    connection = market.server.connect("second")
    async with open_house(log=connection, engines=False) as second:
        second.context.sessions._secret = market.context.session_secret
        assert vars(second.context.directory) == vars(market.context.directory)
        assert second.context.directory.key_of("alice") == key.public
        assert (await second.get("/session", headers=headers)).json()["account"] == "alice"


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        found = [node["$ref"]] if "$ref" in node else []
        return found + [ref for child in node.values() for ref in _references(child)]
    if isinstance(node, list):
        return [ref for child in node for ref in _references(child)]
    return []


async def test_openapi_is_complete(house: House) -> None:
    api = (await house.get("/openapi.json")).json()
    assert set(api["paths"]) == {
        f"/api/v1{path}"
        for path in (
            "/health",
            "/ready",
            "/venue",
            "/session",
            "/session/challenge",
            "/accounts",
            "/order",
            "/orders",
            "/cancel",
            "/admin/action",
            "/admin/retry-job",
            "/reality/ingest",
            "/reality/ingest_callback",
            "/reality/jobs",
            "/ingest",
        )
    }
    schemas = api["components"]["schemas"]
    for reference in _references(api):
        assert reference.rpartition("/")[2] in schemas
    assert "HTTPValidationError" not in schemas
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            for status, answer in operation["responses"].items():
                schema = answer["content"]["application/json"]["schema"]
                assert schema, where
                if int(status) >= 400 and not path.endswith("/ready"):
                    assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}, where
            if method == "post":
                assert {"400", "413", "415", "422", "503"} <= set(operation["responses"]), where
                assert "requestBody" in operation, where
    for path in ("/orders", "/order", "/cancel"):
        assert api["paths"][f"/api/v1{path}"]["post"]["security"] == [{"session": []}]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/api/v1/docs"])
async def test_there_are_no_pages_that_load_scripts_from_elsewhere(house: House, path: str) -> None:
    assert (await house.client.get(path)).status_code == 404


async def test_a_log_that_cannot_be_reached_at_first_is_tried_again() -> None:
    server = SimulatedServer()
    log = server.connect("gateway")
    last, failures = log.last, 3

    async def flaky(subject: str, at: int | None = None) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise LogUnavailable("not yet")
        return await last(subject, at)

    log.last = flaky  # type: ignore[method-assign]  # a log that comes up late
    async with open_house(log=log, engines=False) as house:
        assert house.halts == []
        assert failures == 0
