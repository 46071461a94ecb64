"""Reads as of a sequence or a time say what a read said when that was now."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from projections.api import create_read_router
from projections.api.at import EngineState, StateAt, time_or_sequence
from projections.history.historian import Historian
from schemas.errors import Halt, InputError
from schemas.stored import Stored
from schemas.subjects import matches
from schemas.texts import time_of
from streams.gateway.errors import install_handlers
from tests.projections.api.test_api import session_of, who
from tests.projections.historic import at_work, keep_all
from tests.projections.reading import project_all, projected, rows
from tests.projections.real import busy_day
from tests.projections.real_news import newsy_day
from tests.simulated.log import SimulatedServer
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

ACCOUNT = session_of("trader1")
COMMON = (
    "/markets",
    "/search?q=m&type=social",
    "/search?recency=1h&source_reputation=0.5",
    "/market/M0",
    "/market/M0/snapshot?depth=50",
    "/market/M0/pressure",
    "/market/M0/trades?limit=1000",
    "/market/M0/bars",
    "/market/M0/events",
    "/articles?limit=1000",
    "/articles?symbol=M0",
    "/sources",
    "/sources/wire/ledger",
    "/sources/wire/ledger/symbols",
    "/reviews",
    "/score-changes",
    "/llm-calls",
    "/orders?limit=1000",
    "/orders?status=open&symbol=M0",
    "/positions",
    "/account",
    "/audit",
    "/keys",
    "/decisions",
    "/projection",
)


class Machine:
    """Stands in for the fold: a state hash that says of which sequence it is."""

    def __init__(self, server: SimulatedServer) -> None:
        self._server = server
        self.asked: list[int] = []

    async def last_sequence(self) -> int:
        return self._server.last_sequence

    async def subject_at(self, sequence: int) -> str | None:
        message = self._server.get(sequence)
        return None if message is None else message.subject

    async def state_at(self, sequence: int, caller: str) -> StateAt:
        self.asked.append(sequence)
        engine = EngineState("exchange", 1, 2, 3, "r", f"e{sequence}")
        return StateAt(sequence, 3, f"s{sequence}", (engine,))


@asynccontextmanager
async def reading(dsn: str, server: SimulatedServer) -> AsyncIterator[httpx.AsyncClient]:
    halts: list[Halt] = []
    app = FastAPI()
    install_handlers(app, halts.append)
    app.include_router(create_read_router(dsn, who, Machine(server)), prefix="/api/v1")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client,
    ):
        yield client
    assert halts == []


def prefix(server: SimulatedServer, sequence: int) -> SimulatedServer:
    """Return a log that ends at `sequence`."""
    short = SimulatedServer()
    short.store([(one.subject, one.payload) for one in server.messages()[:sequence]])
    return short


async def all_answers(api: httpx.AsyncClient, at: str | int | None = None) -> dict[str, Any]:
    query = {} if at is None else {"at": str(at)}
    found = {}
    for path in COMMON:
        answer = await api.get(path, params={**httpx.URL(path).params, **query}, headers=ACCOUNT)
        body = answer.json()
        for name in ("schema_name", "version", "switch"):
            body.pop(name, None)  # of the projection: which tables were read
        found[path] = answer.status_code, body
        if at is not None and answer.status_code == 200:
            sequence = answer.headers["X-At-Sequence"]
            assert answer.headers["X-State-Hash"] == f"s{sequence}"
    return found


@pytest.fixture(scope="module", params=["traded", "reported"])
def server(request: pytest.FixtureRequest) -> SimulatedServer:
    if request.param == "traded":
        return busy_day(seed=31, commands=300).server
    return newsy_day(seed=31, articles=30).venue.server


@pytest.fixture(scope="module")
def past_dsn(postgres: PostgresServer, server: SimulatedServer) -> str:
    dsn = postgres.new_database()
    asyncio.run(_keep(server, dsn))
    return dsn


async def _keep(server: SimulatedServer, dsn: str) -> None:
    await project_all(server, dsn)
    await keep_all(server, dsn)


async def test_every_read_at_a_sequence_is_what_it_said_then(
    postgres: PostgresServer, server: SimulatedServer, past_dsn: str
) -> None:
    messages = projected(server)
    seen = []
    for part in (0.0, 0.35, 0.7, 1.0):
        then = messages[round(part * (len(messages) - 1))].sequence
        dsn = postgres.new_database()
        await project_all(prefix(server, then), dsn)
        async with reading(dsn, server) as api:
            was = await all_answers(api)
        async with reading(past_dsn, server) as api:
            assert await all_answers(api, then) == was, then
        seen.append(was)
    assert all(one != other for one, other in pairwise(seen))
    assert sum(status == 200 for status, _ in seen[-1].values()) >= len(COMMON) - 2


async def test_between_records_the_answer_is_that_of_the_one_before(
    server: SimulatedServer, past_dsn: str
) -> None:
    after = next(
        one.sequence
        for one in server.messages()[40:]
        if not matches("*.evt.*", one.subject) and ".obs" not in one.subject
    )
    async with reading(past_dsn, server) as api:
        answer = (await api.get("/markets", params={"at": after})).json()
        before = (await api.get("/markets", params={"at": after - 1})).json()
    assert answer["sequence"] == after
    assert answer["markets"] == before["markets"]


async def test_a_time_is_the_last_message_up_to_which_no_record_is_later(
    server: SimulatedServer, past_dsn: str
) -> None:
    moments = rows(past_dsn, "SELECT * FROM moments ORDER BY sequence", "history_1")
    chosen = moments[len(moments) // 2]
    same = [one["sequence"] for one in moments if one["time_ns"] <= chosen["time_ns"]]
    async with reading(past_dsn, server) as api:
        for at in (time_of(chosen["time_ns"]), time_of(chosen["time_ns"]).replace("Z", "+00:00")):
            answer = await api.get("/markets", params={"at": at})
            assert answer.status_code == 200, answer.text
            assert answer.headers["X-At-Sequence"] == str(same[-1])
            assert answer.json()["sequence"] == same[-1]
        late = await api.get("/markets", params={"at": "2100-01-01"})
        assert late.json()["sequence"] == moments[-1]["sequence"]
        early = await api.get("/markets", params={"at": "1999-12-31T23:59:59"})
    assert (early.status_code, early.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("at", "status", "code"),
    [
        ("0", 422, "bad_input"),
        ("-1", 422, "bad_input"),
        ("99999999999999999999", 422, "bad_input"),
        ("yesterday", 422, "bad_input"),
        ("", 422, "bad_input"),
        ("9999-12-31", 422, "bad_input"),
        ("1" * 41, 422, "bad_input"),
        ("1000000", 404, "not_found"),
    ],
)
async def test_no_place_on_the_log(
    server: SimulatedServer, past_dsn: str, at: str, status: int, code: str
) -> None:
    async with reading(past_dsn, server) as api:
        answer = await api.get("/markets", params={"at": at})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        now = await api.get("/markets")
        assert now.status_code == 200
        assert "X-At-Sequence" not in now.headers


async def test_state_is_told_engine_by_engine(server: SimulatedServer, past_dsn: str) -> None:
    async with reading(past_dsn, server) as api:
        now = (await api.get("/state")).json()
        then = (await api.get("/state", params={"at": 7})).json()
    assert now["sequence"] == server.last_sequence
    assert then["sequence"] == 7
    assert then["state_hash"] == "s7"
    assert then["engines"]["exchange"]["state_hash"] == "e7"
    assert now["chain"] != then["chain"]


async def test_what_was_just_written_is_waited_for(
    dsn: str, server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = prefix(server, 30)
    historian = Historian(live.connect("live"), dsn)
    async with at_work(historian) as task, reading(dsn, live) as api:
        await wait_until(lambda: historian.status()["phase"] == "following", task)
        more: list[Stored] = server.messages()[30:60]
        live.store([(one.subject, one.payload) for one in more])
        answer = await api.get("/markets", params={"at": 60})
        assert answer.status_code == 200
        assert answer.json()["sequence"] == 60
    monkeypatch.setattr("projections.api.at.HISTORY_WAIT_S", 0.1)
    live.store([(one.subject, one.payload) for one in server.messages()[60:70]])
    async with reading(dsn, live) as api:
        answer = await api.get("/markets", params={"at": 70})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await api.get("/markets", params={"at": 60})).status_code == 200


async def test_without_a_history_the_present_is_still_read(
    dsn: str, server: SimulatedServer
) -> None:
    await project_all(server, dsn)
    async with reading(dsn, server) as api:
        assert (await api.get("/markets")).status_code == 200
        answer = await api.get("/markets", params={"at": 5})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")


async def test_every_read_takes_at(server: SimulatedServer, past_dsn: str) -> None:
    app = FastAPI()
    app.include_router(create_read_router(past_dsn, who, Machine(server)))
    for path, methods in app.openapi()["paths"].items():
        names = {one["name"] for one in methods["get"]["parameters"]}
        assert {"at", "wait_for"} <= names, path


def test_times_are_read_to_the_end_of_their_microsecond() -> None:
    assert time_or_sequence("1970-01-01T00:00:01.000002Z") == (None, 1_000_002_999)
    assert time_or_sequence("1970-01-01T01:00:00+01:00") == (None, 999)
    assert time_or_sequence("4711") == (4711, None)
    for text in ("٣", "1.5", "1e3", "2026-13-01", "T", "now"):
        with pytest.raises(InputError):
            time_or_sequence(text)
